"""Data: anything becomes observations.

At its root is what the other layers see: ``load`` reads a named data set or a file as a ``Dataset``, ``rows``
    are
weighted rows of a table to draw batches from, ``scaling`` brings columns to a common scale (``levels`` are
those of images), and ``schema`` says how a file was read, so that another one is read in the same way.
``files`` has a reader for each kind of file, ``sets`` the published data sets.
"""
