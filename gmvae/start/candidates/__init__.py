"""Partitions that a fit may start from, by well-known methods: each file has one, as a function
``candidates`` from the rows (``base.Rows``) to partitions with names. ``start.choice`` takes one of them.
"""
