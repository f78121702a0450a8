"""Candidate partitions for the start of a fit, by well-known methods.

Each file has one method, as a function ``candidates`` from the rows (``base.Rows``) to named partitions.
``start.choice`` picks one of them.
"""
