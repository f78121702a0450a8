"""Training: ``loop`` takes a model, an objective and observations, and yields a record for each epoch.

Beside it lie what it needs: ``optimisers``, ``random`` numbers of its own, ``devices`` and threads, and
    augmented
views of observations (``augmentation``, ``adversarial``).
"""
