"""A page's overview of a run, made without a fit."""

from __future__ import annotations

import numpy as np

from gmvae.assess.overview import Overview

NAMES = {"features": ["<b>", "width", "height"], "classes": ["ant", "bee"], "shape": [400, 3]}


def overview(count: int = 40, seed: int = 0, epoch: int = 1) -> Overview:
    """Two clusters of a table that differ in the column ``width``; every tenth row of 400, or fewer."""
    rng = np.random.default_rng(seed)
    second = np.arange(count) % 2
    q = np.stack([1 - second, second], 1) * 0.9 + 0.05
    y = rng.normal(size=(count, 3)) + 5 * second[:, None] * [0, 1, 0]
    return Overview(
        y_shape=np.array([3]),
        numbers=np.arange(count) * (400 // count),
        probabilities=q.astype(np.float32),
        p_clusters=second,
        density=rng.normal(size=count),
        x=rng.normal(size=(count, 2)) + 6 * second[:, None],
        samples=rng.normal(size=(2, 10, 3)),
        styles=rng.normal(size=(2, 2, 9, 3)),
        pictured=np.arange(count),
        y=y,
        labels=second,
        epoch=np.array([1, epoch]),
    )
