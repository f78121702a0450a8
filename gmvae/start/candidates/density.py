"""HDBSCAN."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial import KDTree
from sklearn.cluster import HDBSCAN

from gmvae.partition.communities import Clusters
from gmvae.start.candidates.base import Floats, Rows

SIZES = (5, 10, 20, 50, 100)
"""Minimum cluster sizes to try. The first that gives K clusters is used."""


def candidates(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """The dense regions (Campello, Moulavi and Sander, 2013), if a minimum size gives K of them. Noise gets
    the cluster of the nearest row that has one."""
    for size in SIZES:
        if size > len(rows.values):
            return
        clusters = HDBSCAN(min_cluster_size=size, copy=True).fit_predict(rows.values)
        if clusters.max() + 1 == rows.clusters:
            yield "HDBSCAN", filled(rows.values, clusters)
            return


def filled(values: Floats, clusters: Clusters) -> Clusters:
    """The same clusters, with rows without a cluster (below 0) given that of the nearest row with one."""
    known = clusters >= 0
    nearest = KDTree(values[known]).query(values[~known])[1]
    found = clusters.astype(np.int64)
    found[~known] = clusters[known][nearest]
    return found
