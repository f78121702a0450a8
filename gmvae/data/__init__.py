"""Data: anything becomes observations.

At its root is what the other layers see: ``load`` reads a named data set or a file as a ``Dataset``,
``observations`` is the one type of what is trained on, ``scales`` brings columns to a common scale
(``levels`` are those of images), and ``schema`` says how a file was read, so that another one is read in the
same way. ``survey`` is what one reading of a table finds, ``prepare`` makes observations of it. ``files`` has
a reader for each kind of file, ``sets`` the published data sets.
"""
