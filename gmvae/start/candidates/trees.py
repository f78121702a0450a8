"""Hierarchical clustering: Ward's method and single linkage."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from scipy.cluster.hierarchy import linkage

from gmvae.partition.communities import Clusters
from gmvae.partition.trees import cut
from gmvae.start.candidates.base import Floats, Rows

NAMES = {"ward": "Ward", "single": "single linkage"}


def candidates(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """The K clusters of each tree."""
    yield from trees(rows.values, rows.clusters)


def trees(
    values: Floats, clusters: int, prefix: str = "", methods: Collection[str] = ("ward", "single")
) -> Iterator[tuple[str, Clusters]]:
    """Cut Ward's tree, and that of single linkage, of values of shape (n, D), into ``clusters`` clusters."""
    for method in methods:
        yield prefix + NAMES[method], cut(linkage(values, method), clusters)
