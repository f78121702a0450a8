"""The scale of columns: from the units of the data to those of the model, and back.

One reading of a table gives the ``moments`` of its columns; a sample of its rows gives ``traits``, such as
heavy tails. From both, ``choice`` picks the scale that suits the data. ``scaling`` then applies it to every
row, and inverts it; before that, ``warp`` brings far values nearer.
"""
