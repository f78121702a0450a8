"""A fit, from a configuration and observations to the model that is kept.

``resolve`` decides what the configuration leaves open, ``clusters`` the number of clusters, ``fitting`` makes
each restart, and ``scores`` say which one is kept.
"""
