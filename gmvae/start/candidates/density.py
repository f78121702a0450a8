"""HDBSCAN."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial import KDTree
from sklearn.cluster import HDBSCAN

from gmvae.partition.communities import Clusters
from gmvae.start.candidates.base import Floats, Rows

SIZES = (5, 10, 20, 50, 100)
"""Least sizes of a cluster that are tried, the first with K clusters counts."""


def candidates(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """The dense regions (Campello, Moulavi and Sander, 2013), where some least size gives K of them; noise
    goes to the cluster of its nearest neighbour that has one."""
    for size in SIZES:
        if size > len(rows.values):
            return
        clusters = HDBSCAN(min_cluster_size=size, copy=True).fit_predict(rows.values)
        if clusters.max() + 1 == rows.clusters:
            yield "HDBSCAN", filled(rows.values, clusters)
            return


def filled(values: Floats, clusters: Clusters) -> Clusters:
    """The same clusters, in which rows without one, below 0, have that of the nearest row with one."""
    known = clusters >= 0
    nearest = KDTree(values[known]).query(values[~known])[1]
    found = clusters.astype(np.int64)
    found[~known] = clusters[known][nearest]
    return found
