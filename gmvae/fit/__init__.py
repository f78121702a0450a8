"""A fit, from a configuration and observations to the model that is kept.

``engine`` runs a fit. ``resolve`` decides what the configuration leaves open, ``clusters`` chooses the number
of clusters, ``restart`` makes each restart, and ``scores`` decide which restart is kept.
"""
