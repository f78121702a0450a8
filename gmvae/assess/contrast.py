"""Describe the clusters of a table: how their columns differ, typical and borderline members, and whether
probabilities are calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
MEMBERS, BORDERLINE, OUTLIERS = 10, 6, 12
"""How many typical members, borderline members, and outliers (in all clusters together) are shown."""
EDGES = np.array([0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0])
"""Bounds of the bins of :func:`reliability`."""


@dataclass(frozen=True)
class Contrast:
    """Columns within each cluster, compared with the rows of all other clusters; each (K, D). Means and
    deviations that are zero but for rounding are 0."""

    mean: Array
    """Means within the cluster."""
    deviation: Array
    """Standard deviations within the cluster."""
    rest: Array
    """Means of the rows in other clusters."""
    difference: Array
    r"""Standardised differences :math:`(\mu_k - \mu_{\bar k}) / \sqrt{(\sigma_k^2 + \sigma_{\bar k}^2) / 2}`.
    If neither side varies, the root is replaced by the standard deviation of all rows. Undefined differences
    are 0: those of an empty cluster, of a cluster with all rows, and of a constant column."""


def contrast(y: Array, clusters: NDArray[np.int64], count: int) -> Contrast:
    """The :class:`Contrast` of rows of shape (N, D) with clusters, (N,), below ``count``."""
    centre, tiny = y.mean(0), _rounding(y)
    moved = y - centre  # with a large mean, sums of squares would lose digits
    sums, squares, mean, deviation = np.zeros((4, count, y.shape[1]))
    for k in range(count):
        own, mine = y[clusters == k], moved[clusters == k]
        sums[k], squares[k] = mine.sum(0), (mine**2).sum(0)
        if len(own):
            mean[k], deviation[k] = (_beyond(_rounding(own), values) for values in (own.mean(0), own.std(0)))
    held = np.bincount(clusters, minlength=count)[:, None]
    sides = (held, sums, squares), (len(y) - held, sums.sum(0) - sums, squares.sum(0) - squares)
    means, variances = zip(*(_moments(*side) for side in sides), strict=True)
    spread = np.sqrt((variances[0] + variances[1]) / 2)
    everywhere = np.broadcast_to(_beyond(tiny, y.std(0)), spread.shape)
    rounding = 1e-7 * (everywhere + abs(means[0]) + abs(means[1]))  # of the sums of squares, before the root
    spread = np.where(spread > rounding, spread, everywhere)
    defined = (held > 0) & (held < len(y)) & (spread > 0)
    difference = np.where(defined, (means[0] - means[1]) / np.where(defined, spread, 1), 0)
    rest = _beyond(tiny, means[1] + centre)
    return Contrast(np.where(held, mean, centre), deviation, rest, difference)


def _rounding(y: Array) -> Array:
    """The errors of rounding to expect in means and deviations of the columns of y."""
    return 16 * np.finfo(np.float64).eps * abs(y).max(0)


def _beyond(rounding: Array, values: Array) -> Array:
    """The values, with 0 for those within the rounding."""
    return np.where(abs(values) > rounding, values, 0)


def _moments(held: Array, sums: Array, squares: Array) -> tuple[Array, Array]:
    mean = sums / np.maximum(held, 1)
    return mean, (squares / np.maximum(held, 1) - mean**2).clip(min=0)


def typical(x: Array, clusters: NDArray[np.int64], k: int, count: int = MEMBERS) -> NDArray[np.int64]:
    """The most typical members of cluster k, at most ``count``, the most typical first: those whose x, of
    shape (N, x_size), is nearest to the mean of its members, in units of their standard deviations."""
    members = np.flatnonzero(clusters == k)
    if not len(members):
        return members
    mine = x[members].astype(np.float64)
    spread = mine.std(0)
    far = (((mine - mine.mean(0)) / np.where(spread > 0, spread, 1)) ** 2).sum(1)
    return members[np.argsort(far, kind="stable")[:count]]


def borderline(
    probabilities: Array, k: int, count: int = BORDERLINE, below: float = 0.99
) -> NDArray[np.int64]:
    """The members of cluster k with the lowest probabilities, (N, K): at most ``count``, and only those with
    less than ``below``."""
    own = probabilities[:, k]
    members = np.flatnonzero((probabilities.argmax(1) == k) & (own < below))
    return members[np.argsort(own[members], kind="stable")[:count]]


def least_likely(density: Array, count: int = OUTLIERS) -> NDArray[np.int64]:
    """The rows with the lowest log density, (N,): at most ``count``, the lowest first."""
    return np.argsort(density, kind="stable")[:count]


@dataclass(frozen=True)
class Reliability:
    """Rows, binned by the probability of their cluster; each of shape (bins,)."""

    low: Array
    high: Array
    rows: NDArray[np.int64]
    claimed: Array
    """Mean probability."""
    right: Array
    """Share of the rows whose cluster is right."""

    @property
    def gap(self) -> float:
        """The expected calibration error: the mean difference between ``claimed`` and ``right``, weighted by
        rows."""
        return float((self.rows * abs(self.claimed - self.right)).sum() / max(1, self.rows.sum()))


def reliability(probability: Array, right: NDArray[np.bool_]) -> Reliability:
    """The :class:`Reliability` of probabilities, (N,), given whether each answer is right, (N,). Bins without
    rows are left out."""
    which = np.clip(np.searchsorted(EDGES, probability, side="right") - 1, 0, len(EDGES) - 2)
    rows = np.bincount(which, minlength=len(EDGES) - 1)
    there = rows > 0
    sums = (np.bincount(which, values, minlength=len(rows))[there] for values in (probability, right))
    claimed, share = (values / rows[there] for values in sums)
    return Reliability(EDGES[:-1][there], EDGES[1:][there], rows[there], claimed, share)


def common(labels: NDArray[np.int64], clusters: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The most common known label of each of ``count`` clusters, (count,); -1 for a cluster without any."""
    found = np.full(count, -1)
    for k in np.unique(clusters[labels >= 0]):
        found[k] = np.bincount(labels[(clusters == k) & (labels >= 0)]).argmax()
    return found
