"""What people look at: ``figures`` drawn from arrays, those of a run (``run_figures``), the ``process`` that
draws them while it trains, a ``window`` that follows a run, and progress on the ``console``.
"""
