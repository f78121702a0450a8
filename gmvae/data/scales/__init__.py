"""The scale of columns: from the units of the data to those of the model, and back.

One reading of a table gives the ``moments`` of its columns; a sample of its rows has ``traits``, such as
heavy tails. From both, ``choice`` takes what suits the data. ``scaling`` is what is then done to every row,
and undone; ``warp`` bends columns with far values before.
"""
