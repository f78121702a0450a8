r"""How clear K clusters of rows are, compared with K clusters of rows without groups.

There are two kinds of such rows: a single Gaussian with the same covariance, and a uniform distribution over
the box around the rows along their principal axes. The cluster index :math:`I_K` is the sum of squares within
the K clusters of K-means, divided by the sum of squares around the mean. With its values :math:`I_K^*` on
samples from one of the two, this module computes

.. math:: \mathrm{gap}_K = \overline{\log I_K^*} - \log I_K, \qquad
    \mathrm{departure}_K = (\overline{I_K^*} - I_K) / \mathrm{sd}(I_K^*),

the gap statistic (Tibshirani, Walther and Hastie, 2001; here with the Gaussian) and the statistic of SigClust
(Liu, Hayes, Nobel and Marron, 2008). The latter is computed for both kinds, since K-means finds stable
clusters in either. It cuts a square into four quarters, which are clearer than those of a Gaussian.

Columns without groups hide the groups of other columns from these sums, so clusters are also compared two by
two. Along the line through the means of clusters a and b, with n rows in both together,

.. math:: d_{ab} = |m_a - m_b| \,/ \sqrt{(n_a s_a^2 + n_b s_b^2) / n}, \qquad
    \mathrm{separation}_K = \min_{a<b} d_{ab} / \max^* \min_{a<b} d^*_{ab}.

The halves of a Gaussian are 2.6 apart, those of an interval 3.5.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

Floats = NDArray[np.float64]

SAMPLES = 20
"""How many samples are drawn from each distribution without groups."""
STARTS = 20
"""Starts of K-means on the rows themselves: a single start can miss groups that only a few columns have."""
DEPARTURE = 2.5
"""Departure above which rows count as more than one cluster. One Gaussian in 160 exceeds it by chance."""
SEPARATION = 1.75
"""Separation above which rows count as more than one cluster, whatever the departure. It is 1 for the most
separate clusters in samples without groups."""
GAIN = 0.1
"""Minimum by which the gap of a number of clusters must exceed that of a smaller, more stable number."""


@dataclass(frozen=True)
class Compared:
    """K clusters of rows, compared with those of one kind of rows without groups."""

    gap: float
    """The gap statistic."""
    departure: float
    """How many standard deviations the cluster index lies below that of rows without groups."""
    separation: float
    """How far the two nearest clusters are apart, as a multiple of the greatest value in all samples."""


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

    def separation(self, clusters: int) -> float:
        """How far the two nearest clusters are apart, compared with both kinds of rows without groups."""
        return min(self.compared(clusters, kind).separation for kind in KINDS)

    def clear(self, clusters: int) -> bool:
        """Whether the clusters are clearer than those of rows without groups."""
        return self.departure(clusters) >= DEPARTURE or self.separation(clusters) >= SEPARATION

    def preferred(self, clusters: int, fewer: int) -> bool:
        """Whether a number of clusters is preferred to a smaller one, although it is less stable: not if
        fewer clusters are separate, and more are no farther apart than parts of rows without groups."""
        if self.separation(fewer) >= SEPARATION and self.separation(clusters) < 1:
            return False
        return self.gap(clusters) - self.gap(fewer) >= GAIN

    def compared(self, clusters: int, kind: str) -> Compared:
        """A number of clusters, compared with one of the ``KINDS`` of rows without groups."""
        if (kind, clusters) not in self._known:
            if kind not in self._samples:
                self._samples[kind] = KINDS[kind](self.rows, np.random.default_rng(self.seed))
            ours, near = self._measured(self.rows, clusters, STARTS)
            lone, apart = np.transpose([self._measured(rows, clusters) for rows in self._samples[kind]])
            self._known[kind, clusters] = Compared(
                float(np.log(lone).mean() - np.log(max(ours, 1e-300))),
                (float(lone.mean()) - ours) / max(float(lone.std()), 1e-12),
                near / max(float(apart.max()), 1e-12),
            )
        return self._known[kind, clusters]

    def _measured(self, rows: Floats, clusters: int, starts: int = 3) -> tuple[float, float]:
        """The cluster index of K-means, and the distance of its two nearest clusters."""
        found = KMeans(clusters, n_init=starts, random_state=self.seed).fit(rows)
        return float(found.inertia_ / np.square(rows - rows.mean(0)).sum()), nearest(rows, found.labels_)


def nearest(rows: Floats, labels: NDArray[np.int32]) -> float:
    """The smallest distance :math:`d_{ab}` of two clusters of rows, (n, D), along the line through their
    means, in standard deviations within them."""
    parts = [rows[labels == k] for k in np.unique(labels)]
    found = np.inf
    for one, other in itertools.combinations(parts, 2):
        way = other.mean(0) - one.mean(0)
        length = float(np.linalg.norm(way))
        along = one @ way / max(length, 1e-300), other @ way / max(length, 1e-300)
        within = sum(len(part) * part.var() for part in along) / (len(one) + len(other))
        found = min(found, length / max(float(np.sqrt(within)), 1e-12))
    return found


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
