"""Gaussian mixtures."""

from __future__ import annotations

from collections.abc import Iterator

from gmvae.partition.communities import Clusters
from gmvae.partition.mixture import components
from gmvae.start.candidates.base import Rows

STARTS = 10
WIDEST = 100
"""Columns above which there are no mixtures: covariances take minutes, and too few rows determine them."""


def candidates(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """The components of the likeliest mixture, with covariances of their own, and with one in common."""
    if rows.values.shape[1] > WIDEST:
        return
    for kind in ("full", "tied"):
        yield f"{kind} mixture", components(rows.values, rows.clusters, rows.seed, STARTS, kind)
