"""Where a fit starts: ``begin`` brings a new model to clusters of k-means or to clusters along the manifold.

``kmeans`` leads q(z | y) for the first steps. ``rounds`` finds clusters in what the model has learned
(``layout``) and teaches them (``teaching``), in turn.
"""
