"""Data: files, tables, arrays and images become observations.

The modules here are what the other layers see. ``load`` reads a named data set or a file as a ``Dataset``.
``schema`` describes how a file was read, so that another file can be read in the same way. ``survey`` reads a
table once and collects what must be known of it, and ``prepare`` turns it into ``observations``, the one type
that models are trained on. ``scales`` brings columns to a common scale, ``levels`` reads the pixels of
pictures. ``files`` has a reader for each kind of file, ``sets`` the published data sets.
"""
