r"""How clear K clusters of rows are, compared with K clusters of rows without groups.

There are two kinds of such rows: a single Gaussian with the same covariance, and a uniform distribution over
the box around the rows along their principal axes. The cluster index :math:`I_K` is the sum of squares within
the K clusters of K-means, divided by the sum of squares around the mean. With its values :math:`I_K^*` on
samples from one of the two, this module computes

.. math:: \mathrm{gap}_K = \overline{\log I_K^*} - \log I_K, \qquad
    \mathrm{departure}_K = (\overline{I_K^*} - I_K) / \mathrm{sd}(I_K^*),

the gap statistic (Tibshirani, Walther and Hastie, 2001; here with the Gaussian) and the statistic of SigClust
(Liu, Hayes, Nobel and Marron, 2008). The latter is asked of both kinds: K-means finds stable clusters in
either. It cuts a square into four quarters, which are clearer than those of a Gaussian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

Floats = NDArray[np.float64]

SAMPLES = 20
"""How many samples are drawn from each distribution without groups."""
DEPARTURE = 2.5
"""Departure above which rows count as more than one cluster. One Gaussian in 160 exceeds it by chance."""
GAIN = 0.1
"""Minimum by which the gap of a number must exceed that of a smaller, more stable number."""


@dataclass(frozen=True)
class Compared:
    """K clusters of rows, compared with those of one kind of rows without groups."""

    gap: float
    """The gap statistic."""
    departure: float
    """How many standard deviations the cluster index lies below that of rows without groups."""


class Comparison:
    """Rows compared with a single Gaussian, and with a uniform distribution.

    Arguments:
        rows: The rows, (n, D).
        seed: Seed of the samples and of K-means.
    """

    def __init__(self, rows: Floats, seed: int) -> None:
        self.rows, self.seed = rows, seed
        self._known: dict[tuple[str, int], Compared] = {}
        self._samples: dict[str, Sequence[Floats]] = {}

    def gap(self, clusters: int) -> float:
        """The gap statistic of a number of clusters, with the Gaussian."""
        return self.compared(clusters, "gaussian").gap

    def departure(self, clusters: int) -> float:
        """How many standard deviations the cluster index lies below that of rows without groups: the smaller
        of the values for a Gaussian and for a uniform distribution."""
        return min(self.compared(clusters, kind).departure for kind in KINDS)

    def preferred(self, clusters: int, fewer: int) -> bool:
        """Whether a number of clusters is preferred to a smaller one, although it is less stable."""
        return self.gap(clusters) - self.gap(fewer) >= GAIN

    def compared(self, clusters: int, kind: str) -> Compared:
        """A number of clusters, compared with one of the ``KINDS`` of rows without groups."""
        if (kind, clusters) not in self._known:
            if kind not in self._samples:
                self._samples[kind] = KINDS[kind](self.rows, np.random.default_rng(self.seed))
            ours = self._index(self.rows, clusters)
            lone = np.array([self._index(rows, clusters) for rows in self._samples[kind]])
            self._known[kind, clusters] = Compared(
                float(np.log(lone).mean() - np.log(max(ours, 1e-300))),
                (float(lone.mean()) - ours) / max(float(lone.std()), 1e-12),
            )
        return self._known[kind, clusters]

    def _index(self, rows: Floats, clusters: int) -> float:
        within = KMeans(clusters, n_init=3, random_state=self.seed).fit(rows).inertia_
        return float(within / np.square(rows - rows.mean(0)).sum())


def gaussians(rows: Floats, rng: np.random.Generator) -> list[Floats]:
    """Samples from a Gaussian with the covariance of rows, (n, D)."""
    covariance = np.atleast_2d(np.cov(rows.T))
    return [rng.multivariate_normal(np.zeros(len(covariance)), covariance, len(rows)) for _ in range(SAMPLES)]


def uniforms(rows: Floats, rng: np.random.Generator) -> list[Floats]:
    """Samples from the box around rows, (n, D), along their principal axes."""
    centred = rows - rows.mean(0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
    return [rng.uniform(along.min(0), along.max(0), along.shape) for _ in range(SAMPLES)]


KINDS: dict[str, Callable[[Floats, np.random.Generator], list[Floats]]] = {
    "gaussian": gaussians,
    "uniform": uniforms,
}
"""The kinds of rows without groups: from the rows and a generator to samples like them."""
