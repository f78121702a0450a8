"""What is known of a fitted model: ``diagnostics`` are numbers, the ``doctor`` says what they mean,
``measures`` compare with labels, and a ``snapshot`` holds the arrays that pictures need.
"""
