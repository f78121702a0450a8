"""The rows that candidates are made of, and the interface of the methods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gmvae.partition.communities import Clusters
from gmvae.partition.neighbours import Graph, neighbours

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """The rows to partition.

    Arguments:
        values: The rows, (n, D), no two of them the same.
        clusters: K, at most n.
        seed: Seed of all randomness.
        weights: The weight of each row, (n,), for methods that support weights.
    """

    values: Floats
    clusters: int
    seed: int
    weights: Floats | None = None

    @cached_property
    def graph(self) -> Graph:
        """The nearest neighbours of each row, and their distances."""
        return neighbours(self.values)  # type: ignore[arg-type]

    def neighbours(self, count: int) -> Graph:
        """The nearest ``count`` neighbours of each row at most, and their distances."""
        return self.graph[0][:, :count], self.graph[1][:, :count]


class Method(Protocol):
    """A method of clustering."""

    def __call__(self, rows: Rows) -> Iterator[tuple[str, Clusters]]:
        """Yield partitions of the rows, each with a name. Partitions with a number of clusters other than K
        are ignored."""
