"""The start of a fit: ``begin`` finds pseudo-labels for a fit to start from, and teaches them to the model.

``candidates`` are partitions by well-known methods, from which ``choice`` picks one. ``rounds`` alternates
between finding clusters in the features of the model (``embedding``) and teaching them (``teaching``).
``kmeans`` is the start of the posterior form, which has no q(z | y) to teach.
"""
