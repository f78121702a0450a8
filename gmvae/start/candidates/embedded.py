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
EMBEDDINGS, STARTS = 2, 5
"""Number of embeddings of a table, and of starts of a mixture."""
FEWEST = 15
"""Minimum number of rows for an embedding."""


def candidates(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """A Gaussian mixture and single linkage on each of two embeddings, with the 20 nearest neighbours of each
    row. What UMAP finds depends on its seed. Ward's clusters of an embedding are about the mixture's, and no
    better."""
    yield from embedded(rows, NEIGHBOURS, ("single",), EMBEDDINGS)


def at_several_scales(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """The same with 5, 10 and 20 neighbours, and Ward's clusters. For images, with few rows of a class, fewer
    neighbours can be better."""
    for count in (5, 10, NEIGHBOURS):
        yield from embedded(rows, count, ("ward", "single"))


def embedded(
    rows: Rows, count: int, methods: Collection[str], embeddings: int = 1
) -> Iterator[tuple[str, Clusters]]:
    """A Gaussian mixture, and trees by these methods, on some ``embeddings`` with ``count`` neighbours, which
    differ in their seed."""
    if len(rows.values) < FEWEST:
        return
    graph = rows.neighbours(count)
    for number in range(embeddings):
        seed = rows.seed + number
        flat = embed(rows.values.astype(np.float32), graph, seed).astype(np.float64)
        name = f"UMAP {graph[0].shape[1]}{f' ({number + 1})' if number else ''} + "
        yield name + "full mixture", components(flat, rows.clusters, seed, STARTS)
        yield from trees(flat, rows.clusters, name, methods)
