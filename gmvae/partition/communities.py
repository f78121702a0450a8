r"""Parts of a graph whose rows are linked to more of their own than chance would have it.

A partition is as good as its modularity, and cells, many more than clusters are wanted, are put together to
the clusters of the greatest modularity: what a cluster's shape is, is then not asked. No label has a part.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Clusters = NDArray[np.int64]
Links = NDArray[np.int64]
"""Of each of n rows those that it is linked to, (n, links)."""
SHAKEN, SHAKES = 0.3, 20
"""Share of the cells that are moved blindly before a search begins again, and how often it does."""


def modularity(clusters: Clusters, graph: Links) -> float:
    r"""Newman's modularity of a partition: :math:`\sum_k e_{kk} - a_k^2`, where :math:`e_{jk}` is the share
    of links from cluster j to k and :math:`a_k = \sum_j e_{jk}` (Newman and Girvan, 2004). At most 1; 0 where
    clusters are drawn blindly."""
    return float(np.trace(_surplus(clusters, graph)))


def merge(cells: Clusters, graph: Links, count: int, seed: int) -> Clusters:
    """Put cells, numbered from 0, together to so many clusters of the greatest modularity that is found.

    The pair that gains most is joined until ``count`` are left (Clauset, Newman and Moore, 2004); then single
    cells move to where they gain most until none does, and again from where ``SHAKEN`` of them are moved
    blindly, ``SHAKES`` times.
    """
    surplus = _surplus(cells, graph)
    if len(surplus) <= count:
        return cells
    rng, best = np.random.default_rng(seed), _settle(_join(surplus, count), surplus, count)
    for _ in range(SHAKES):
        shaken = np.where(rng.random(len(best)) < SHAKEN, rng.integers(0, count, len(best)), best)
        found = _settle(shaken, surplus, count)
        best = max(best, found, key=lambda groups: _within(groups, surplus))
    return best[cells]


def _surplus(clusters: Clusters, graph: Links) -> NDArray[np.float64]:
    """Of each pair of clusters how much more often they are linked than by chance, as shares of all links."""
    size = int(clusters.max()) + 1
    links = np.zeros((size, size))
    np.add.at(links, (np.repeat(clusters, graph.shape[1]), clusters[graph].ravel()), 1.0)
    links = (links + links.T) / (2 * graph.size)
    share = links.sum(0)
    return links - np.outer(share, share)


def _join(surplus: NDArray[np.float64], count: int) -> Clusters:
    """The group of each cell, after the pair of groups that gains most has been joined as often as needed."""
    left, groups = surplus.copy(), np.arange(len(surplus))
    while len(left) > count:
        gain = np.tril(left, -1) + np.triu(np.full_like(left, -np.inf))
        high, low = divmod(int(gain.argmax()), len(left))
        left[low] += left[high]
        left[:, low] += left[:, high]
        left = np.delete(np.delete(left, high, 0), high, 1)
        groups[groups == high] = low
        groups[groups > high] -= 1
    return groups


def _settle(groups: Clusters, surplus: NDArray[np.float64], count: int) -> Clusters:
    """Move each cell in turn to the group where it gains most, until none moves; no group is emptied."""
    groups, moved = groups.copy(), True
    within = np.stack([(surplus * (groups == k)).sum(1) for k in range(count)], 1)
    while moved:
        moved = False
        for cell, own in enumerate(np.diag(surplus)):
            old = groups[cell]
            gain = within[cell].copy()
            gain[old] -= own
            new = int(gain.argmax())
            if gain[new] > gain[old] + 1e-12 and (groups == old).sum() > 1:
                groups[cell], moved = new, True
                within[:, old] -= surplus[:, cell]
                within[:, new] += surplus[:, cell]
    return groups


def _within(groups: Clusters, surplus: NDArray[np.float64]) -> float:
    return float(surplus[groups[:, None] == groups].sum())
