"""Readers: a file or a folder becomes blocks of rows.

``open`` picks the reader by the ending of the file's name. Every reader is a ``base.Source``: it makes a
schema from the options and yields blocks of rows by that schema. ``read`` reads a whole file as a
``Dataset``.
"""
