"""Assessment of a fitted model: ``diagnostics`` are numbers, the ``doctor`` says what they mean, ``measures``
compare clusters with labels, and a ``snapshot`` has the arrays that pictures need.
"""
