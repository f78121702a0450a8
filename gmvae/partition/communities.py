r"""Communities of a graph: clusters whose rows have more edges among themselves than expected by chance.

A partition is scored by its modularity. Many small cells are merged into clusters with the greatest
modularity, so clusters can have any shape. No labels are used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Clusters = NDArray[np.int64]
Neighbours = NDArray[np.int64]
"""The nearest neighbours of each of n rows, (n, neighbours)."""
SHAKEN, SHAKES = 0.3, 20
"""Share of the cells that are moved at random before a search is restarted, and the number of restarts."""


def modularity(clusters: Clusters, graph: Neighbours) -> float:
    r"""Newman's modularity of a partition: :math:`\sum_k e_{kk} - a_k^2`, where :math:`e_{jk}` is the share
    of edges from cluster j to k and :math:`a_k = \sum_j e_{jk}` (Newman and Girvan, 2004). It is at most 1,
    and 0 for random clusters."""
    return float(np.trace(_surplus(clusters, graph)))


def merge(cells: Clusters, graph: Neighbours, count: int, seed: int) -> Clusters:
    """Merge cells, numbered from 0, into ``count`` clusters with the greatest modularity that the search
    finds.

    The pair with the greatest gain is joined until ``count`` groups are left (Clauset, Newman and Moore,
    2004). Then single cells move to the group with the greatest gain, until no move helps. This is repeated
    ``SHAKES`` times, each time after moving a share ``SHAKEN`` of the cells at random.
    """
    surplus = _surplus(cells, graph)
    if len(surplus) <= count:
        return cells
    rng, best = np.random.default_rng(seed), _improve(_join(surplus, count), surplus, count)
    for _ in range(SHAKES):
        shaken = np.where(rng.random(len(best)) < SHAKEN, rng.integers(0, count, len(best)), best)
        found = _improve(shaken, surplus, count)
        best = max(best, found, key=lambda groups: _within(groups, surplus))
    return best[cells]


def _surplus(clusters: Clusters, graph: Neighbours) -> NDArray[np.float64]:
    """The share of edges between each pair of clusters, minus the share expected by chance."""
    size = int(clusters.max()) + 1
    edges = np.zeros((size, size))
    np.add.at(edges, (np.repeat(clusters, graph.shape[1]), clusters[graph].ravel()), 1.0)
    edges = (edges + edges.T) / (2 * graph.size)
    share = edges.sum(0)
    return edges - np.outer(share, share)


def _join(surplus: NDArray[np.float64], count: int) -> Clusters:
    """The group of each cell, after repeatedly joining the pair of groups with the greatest gain."""
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


def _improve(groups: Clusters, surplus: NDArray[np.float64], count: int) -> Clusters:
    """Move each cell in turn to the group with the greatest gain, until none moves. No group is emptied."""
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
