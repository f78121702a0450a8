"""Methods on UMAP's embedding of the rows, where clusters of any shape are compact."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gmvae.partition.communities import Clusters
from gmvae.partition.mixture import components
from gmvae.start.candidates.base import Rows
from gmvae.start.candidates.trees import trees
from gmvae.start.layout import layout

LINKS = 20
"""Neighbours of each row."""
STARTS = 5
FEWEST = 15
"""Rows below which there is no embedding."""


def candidates(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """A Gaussian mixture and trees on the embedding of each row with its 20 nearest neighbours."""
    yield from embedded(rows, LINKS)


def at_several_scales(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """The same with 5, 10 and 20 neighbours: of images, few of which are of a kind, less may be more."""
    for links in (5, 10, LINKS):
        yield from embedded(rows, links)


def embedded(rows: Rows, links: int) -> Iterator[tuple[str, Clusters]]:
    """The same with so many neighbours."""
    if len(rows.values) < FEWEST:
        return
    graph = rows.links(links)
    flat = layout(rows.values.astype(np.float32), graph, rows.seed).astype(np.float64)
    name = f"UMAP {graph[0].shape[1]} + "
    yield name + "full mixture", components(flat, rows.clusters, rows.seed, STARTS)
    yield from trees(flat, rows.clusters, name)
