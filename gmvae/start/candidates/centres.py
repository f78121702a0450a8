"""Weighted k-means."""

from __future__ import annotations

from collections.abc import Iterator

from gmvae.partition.communities import Clusters
from gmvae.start.candidates.base import Rows
from gmvae.start.kmeans import k_means


def candidates(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """The clusters of k-means."""
    yield "k-means", k_means(rows.values, rows.clusters, rows.seed, rows.weights).clusters
