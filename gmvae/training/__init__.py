"""Training: ``loop`` takes a model, an objective and observations, and yields a record for each epoch.

The other modules have what it needs: ``optimisers``, ``random`` numbers, ``devices`` and threads, and
augmented views of observations (``augmentation``, ``adversarial``).
"""
