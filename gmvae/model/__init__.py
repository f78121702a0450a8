"""The model of the paper. A researcher has to read nothing else.

``vae`` has the generative and the recognition model, built from ``distributions`` and ``networks``.
``objective`` has the five terms, the bound and the loss. ``inference`` computes clusters, embeddings and
bounds with a fitted model, in batches.
"""
