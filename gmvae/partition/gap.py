r"""How clear K clusters of rows are, compared with K clusters of a single Gaussian with the same covariance.

The cluster index :math:`I_K` is the sum of squares within the K clusters of K-means, divided by the sum of
squares around the mean. With its values :math:`I_K^*` on samples from the Gaussian, this module computes

.. math:: \mathrm{gap}_K = \overline{\log I_K^*} - \log I_K, \qquad
    \mathrm{departure}_K = (\overline{I_K^*} - I_K) / \mathrm{sd}(I_K^*),

the gap statistic (Tibshirani, Walther and Hastie, 2001) and the statistic of SigClust (Liu, Hayes, Nobel and
Marron, 2008).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

Floats = NDArray[np.float64]

GAUSSIANS = 20
"""How many samples are drawn from the Gaussian."""
DEPARTURE = 2.5
"""Departure above which rows count as more than one cluster. One Gaussian in 160 exceeds it by chance."""
GAIN = 0.1
"""Minimum by which the gap of a number must exceed that of a smaller, more stable number."""


class Comparison:
    """Rows compared with a single Gaussian.

    Arguments:
        rows: The rows, (n, D).
        seed: Seed of the Gaussian's samples and of K-means.
    """

    def __init__(self, rows: Floats, seed: int) -> None:
        self.rows, self.seed = rows, seed
        self._known: dict[int, tuple[float, float]] = {}

    def gap(self, clusters: int) -> float:
        """The gap statistic of a number of clusters."""
        return self._found(clusters)[0]

    def departure(self, clusters: int) -> float:
        """How many standard deviations the cluster index lies below that of the Gaussian."""
        return self._found(clusters)[1]

    def preferred(self, clusters: int, fewer: int) -> bool:
        """Whether a number of clusters is preferred to a smaller one, although it is less stable."""
        return self.gap(clusters) - self.gap(fewer) >= GAIN

    def _found(self, clusters: int) -> tuple[float, float]:
        if clusters not in self._known:
            ours = self._index(self.rows, clusters)
            lone = np.array([self._index(rows, clusters) for rows in self._gaussians])
            gap = float(np.log(lone).mean() - np.log(max(ours, 1e-300)))
            self._known[clusters] = gap, (float(lone.mean()) - ours) / max(float(lone.std()), 1e-12)
        return self._known[clusters]

    @cached_property
    def _gaussians(self) -> list[Floats]:
        rng = np.random.default_rng(self.seed)
        covariance = np.atleast_2d(np.cov(self.rows.T))
        mean, size = np.zeros(len(covariance)), len(self.rows)
        return [rng.multivariate_normal(mean, covariance, size) for _ in range(GAUSSIANS)]

    def _index(self, rows: Floats, clusters: int) -> float:
        within = KMeans(clusters, n_init=3, random_state=self.seed).fit(rows).inertia_
        return float(within / np.square(rows - rows.mean(0)).sum())
