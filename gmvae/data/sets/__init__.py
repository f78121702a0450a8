"""Data sets by name: the generated spiral, and the published MNIST, Fashion-MNIST and SVHN.

``locate`` looks for their files, ``download`` fetches and checks them, ``idx`` and ``matlab`` read their
formats.
"""
