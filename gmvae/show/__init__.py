"""What people look at: ``figures`` drawn from arrays, those of a run (``run_figures``), a ``window`` that
follows a run, and progress on the ``console``.
"""
