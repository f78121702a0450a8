"""Methods on UMAP's embedding of the rows, in which clusters of any shape become compact."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from gmvae.partition.communities import Clusters
from gmvae.partition.mixture import components
from gmvae.start.candidates.base import Rows
from gmvae.start.candidates.trees import trees
from gmvae.start.embedding import embed

NEIGHBOURS = 20
"""How many neighbours of each row are used."""
STARTS = 5
FEWEST = 15
"""Minimum number of rows for an embedding."""


def candidates(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """A Gaussian mixture and single linkage on the embedding of each row with its 20 nearest neighbours.
    Ward's clusters of the embedding are about the mixture's, and no better."""
    yield from embedded(rows, NEIGHBOURS, ("single",))


def at_several_scales(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """The same with 5, 10 and 20 neighbours, and Ward's clusters. For images, with few rows of a class, fewer
    neighbours can be better."""
    for count in (5, 10, NEIGHBOURS):
        yield from embedded(rows, count, ("ward", "single"))


def embedded(rows: Rows, count: int, methods: Collection[str]) -> Iterator[tuple[str, Clusters]]:
    """A Gaussian mixture, and trees by these methods, on the embedding with ``count`` neighbours."""
    if len(rows.values) < FEWEST:
        return
    graph = rows.neighbours(count)
    flat = embed(rows.values.astype(np.float32), graph, rows.seed).astype(np.float64)
    name = f"UMAP {graph[0].shape[1]} + "
    yield name + "full mixture", components(flat, rows.clusters, rows.seed, STARTS)
    yield from trees(flat, rows.clusters, name, methods)
