"""What sets clusters of a table apart, which members stand for them, and how far probabilities hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
EDGES = np.array([0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0])
"""Bounds of the bins of :func:`reliability`."""


@dataclass(frozen=True)
class Contrast:
    """Columns within each cluster, and among the rows of all others; each (K, D)."""

    mean: Array
    """Means within the cluster."""
    rest: Array
    """Means among the others."""
    difference: Array
    r"""Standardised differences :math:`(\mu_k - \mu_{\bar k}) / \sqrt{(\sigma_k^2 + \sigma_{\bar k}^2) / 2}`.
    Where neither side varies, the standard deviation of all rows takes the place of the root. They are 0
    where they are not defined: of an empty cluster, of one that holds all rows, of a constant column."""


def contrast(y: Array, clusters: NDArray[np.int64], count: int) -> Contrast:
    """The :class:`Contrast` of rows of shape (N, D) whose clusters, (N,), are of so many."""
    centre = y.mean(0)
    moved = y - centre  # sums of squares of what has a large mean would lose digits
    sums, squares = np.zeros((2, count, y.shape[1]))
    for k in range(count):
        mine = moved[clusters == k]
        sums[k], squares[k] = mine.sum(0), (mine**2).sum(0)
    held = np.bincount(clusters, minlength=count)[:, None]
    sides = (held, sums, squares), (len(y) - held, sums.sum(0) - sums, squares.sum(0) - squares)
    means, variances = zip(*(_moments(*side) for side in sides), strict=True)
    spread = np.sqrt((variances[0] + variances[1]) / 2)
    everywhere = np.broadcast_to(y.std(0), spread.shape)
    spread = np.where(spread > 1e-7 * everywhere, spread, everywhere)
    defined = (held > 0) & (held < len(y)) & (spread > 0)
    difference = np.where(defined, (means[0] - means[1]) / np.where(defined, spread, 1), 0)
    return Contrast(means[0] + centre, means[1] + centre, difference)


def _moments(held: Array, sums: Array, squares: Array) -> tuple[Array, Array]:
    mean = sums / np.maximum(held, 1)
    return mean, (squares / np.maximum(held, 1) - mean**2).clip(min=0)


def typical(x: Array, clusters: NDArray[np.int64], k: int, count: int) -> NDArray[np.int64]:
    """The members of cluster k, most typical first, at most so many: those whose x, (N, x_size), are nearest
    to the mean of its members, in their standard deviations."""
    members = np.flatnonzero(clusters == k)
    if not len(members):
        return members
    mine = x[members].astype(np.float64)
    spread = mine.std(0)
    far = (((mine - mine.mean(0)) / np.where(spread > 0, spread, 1)) ** 2).sum(1)
    return members[np.argsort(far, kind="stable")[:count]]


def borderline(probabilities: Array, k: int, count: int, least: float = 0.99) -> NDArray[np.int64]:
    """The members of cluster k with the lowest probabilities, (N, K), below ``least``, at most so many."""
    own = probabilities[:, k]
    members = np.flatnonzero((probabilities.argmax(1) == k) & (own < least))
    return members[np.argsort(own[members], kind="stable")[:count]]


@dataclass(frozen=True)
class Reliability:
    """Rows in bins of the probability of their cluster; each of shape (bins,)."""

    low: Array
    high: Array
    rows: NDArray[np.int64]
    claimed: Array
    """Mean probability."""
    right: Array
    """Share of the rows that are right."""

    @property
    def gap(self) -> float:
        """The expected calibration error: mean distance of ``claimed`` and ``right``, by rows."""
        return float((self.rows * abs(self.claimed - self.right)).sum() / max(1, self.rows.sum()))


def reliability(probability: Array, right: NDArray[np.bool_]) -> Reliability:
    """The :class:`Reliability` of probabilities, (N,), of answers that are right or not, (N,); bins without
    rows are left out."""
    which = np.clip(np.searchsorted(EDGES, probability, side="right") - 1, 0, len(EDGES) - 2)
    rows = np.bincount(which, minlength=len(EDGES) - 1)
    there = rows > 0
    sums = (np.bincount(which, values, minlength=len(rows))[there] for values in (probability, right))
    claimed, share = (values / rows[there] for values in sums)
    return Reliability(EDGES[:-1][there], EDGES[1:][there], rows[there], claimed, share)


def common(labels: NDArray[np.int64], clusters: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The most common known label of each of so many clusters, (count,), -1 of one without any."""
    found = np.full(count, -1)
    for k in np.unique(clusters[labels >= 0]):
        found[k] = np.bincount(labels[(clusters == k) & (labels >= 0)]).argmax()
    return found
