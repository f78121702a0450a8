"""Published data sets: the spiral, MNIST and its kin, SVHN.

``locate`` looks for their files, ``download`` fetches and checks them, ``idx`` and ``matlab`` read their
formats.
"""
