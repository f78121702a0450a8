"""Gaussian mixtures."""

from __future__ import annotations

from collections.abc import Iterator

from gmvae.partition.communities import Clusters
from gmvae.partition.mixture import components
from gmvae.start.candidates.base import Rows

STARTS = 10
WIDEST = 100
"""Maximum number of columns for mixtures. Above it covariances take minutes, and there are too few rows to
estimate them."""


def candidates(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """The components of the most likely mixture, once with a covariance for each, and once with a shared
    one."""
    if rows.values.shape[1] > WIDEST:
        return
    for kind in ("full", "tied"):
        yield f"{kind} mixture", components(rows.values, rows.clusters, rows.seed, STARTS, kind)
