"""Where a fit starts: ``begin`` decides what it starts from, and teaches it to the model.

``candidates`` are partitions by well-known methods, of which ``choice`` takes one. ``rounds`` finds clusters
in what the model has learned (``layout``) and teaches them (``teaching``), in turn. ``kmeans`` guides the
posterior form, which has no q(z | y) to teach.
"""
