"""Hierarchical clustering."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gmvae.partition.communities import Clusters


def cut(merges: NDArray[np.float64], clusters: int) -> Clusters:
    """Cut a tree into clusters, numbered by their first rows, (n,).

    These are the clusters of :func:`scipy.cluster.hierarchy.cut_tree`, unless merges at the cut have the same
    distance. It needs O(n) time instead of O(n^2).

    Arguments:
        merges: The merges of n rows by ascending distance, (n - 1, 4), as
            :func:`scipy.cluster.hierarchy.linkage` returns them.
        clusters: The number of clusters, from 1 to n.
    """
    rows = len(merges) + 1
    made = rows - clusters
    parts = merges[:made, :2].astype(np.int64).ravel()
    wholes = np.repeat(np.arange(rows, rows + made), 2)
    edges = coo_array((np.ones(2 * made), (parts, wholes)), (rows + made, rows + made))
    return connected_components(edges, directed=False)[1][:rows].astype(np.int64)
