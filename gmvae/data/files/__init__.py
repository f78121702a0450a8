"""Readers: a file or a folder becomes blocks of rows.

``open`` knows which reader an ending has; all of them are a ``base.Source``, which makes a schema of what is
asked for and yields blocks of rows by it. ``read`` takes a whole file as a ``Dataset``.
"""
