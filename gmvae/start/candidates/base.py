"""What every candidate is made of."""

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
    """The rows that a partition is looked for in.

    Arguments:
        values: The rows, (n, D), no two of them the same.
        clusters: K, at most n.
        seed: Seed of whatever is random.
        weights: The weight of each row, (n,), for methods that know weights.
    """

    values: Floats
    clusters: int
    seed: int
    weights: Floats | None = None

    @cached_property
    def graph(self) -> Graph:
        """The nearest neighbours of each row, and their distances."""
        return neighbours(self.values)  # type: ignore[arg-type]

    def links(self, count: int) -> Graph:
        """The same of so many neighbours, at most."""
        return self.graph[0][:, :count], self.graph[1][:, :count]


class Method(Protocol):
    """A method of clustering."""

    def __call__(self, rows: Rows) -> Iterator[tuple[str, Clusters]]:
        """Partitions of the rows, each with a name. Those of another number of clusters than K do not
        count."""
