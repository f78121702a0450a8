"""The paper: all that a researcher has to read.

``distributions`` and ``networks`` are what ``vae`` is made of, the generative and the recognition model;
``objective`` has the five terms, the bound and the loss; ``inference`` asks a fitted model for clusters,
embeddings and bounds, in batches.
"""
