r"""Whether rows are one cluster: SigClust (Liu, Hayes, Nobel and Marron, 2008).

The cluster index of K-means, the sum of squares within K clusters over that around the mean, is compared with
the one of rows from a Gaussian with the same covariance, of which K-means makes K clusters as well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

Floats = NDArray[np.float64]

GAUSSIANS = 20
"""Samples from the Gaussian."""
TELLS = 2.5
"""Departure from which on rows are more than one cluster: once in 160 times of a Gaussian."""


def departure(rows: Floats, clusters: int, seed: int) -> float:
    """How many standard deviations the cluster index of rows, (n, D), lies below that of a Gaussian with
    their covariance.

    Arguments:
        rows: The rows.
        clusters: The number K.
        seed: Seed of the Gaussian's samples and of K-means.
    """
    rng = np.random.default_rng(seed)
    covariance = np.atleast_2d(np.cov(rows.T))
    size = len(rows)
    lone = [
        _index(rng.multivariate_normal(np.zeros(len(covariance)), covariance, size), clusters, seed)
        for _ in range(GAUSSIANS)
    ]
    spread = max(float(np.std(lone)), 1e-12)
    return (float(np.mean(lone)) - _index(rows, clusters, seed)) / spread


def _index(rows: Floats, clusters: int, seed: int) -> float:
    within = KMeans(clusters, n_init=3, random_state=seed).fit(rows).inertia_
    return float(within / np.square(rows - rows.mean(0)).sum())
