"""The names of the columns of a table and of clusters, and the merges of clusters, in figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.partition.relabelling import Relabelling

Array = NDArray[Any]
LENGTH = 28
"""Maximum number of characters of a name in a figure."""


@dataclass(frozen=True)
class Naming:
    """Names of columns, and names and merges of the K clusters of a model.

    Arguments:
        clusters: K.
        columns: Names of the columns of a table; ``y0``, ``y1``, ... without any.
        relabelling: Names, merges and splits of clusters.
    """

    clusters: int
    columns: tuple[str, ...] = ()
    relabelling: Relabelling = field(default_factory=Relabelling)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """The number that each cluster has after merging, (K + splits,)."""
        return self.relabelling.groups(self.clusters)

    @cached_property
    def numbers(self) -> list[int]:
        """The numbers that clusters have after merging."""
        return np.unique(self.groups).tolist()

    @cached_property
    def _names(self) -> dict[int, str]:
        return self.relabelling.called(self.clusters)

    def called(self, k: int) -> str:
        """The number and the name of a cluster."""
        return short(named(k, self._names.get(k)))

    def column(self, d: int) -> str:
        """The name of a column."""
        return short(self.columns[d]) if self.columns else f"y{d}"

    def mixed(self, samples: Array) -> Array:
        """Mix the samples of merged clusters, (..., K, S, D), to S samples of each number, (..., numbers, S,
        D)."""
        found: Array = self.relabelling.mixed(samples)[..., self.numbers, :, :]
        return found


def named(k: int, name: str | None) -> str:
    """The number and the name of a cluster."""
    return f"{k} · {name}" if name else str(k)


def short(name: str, length: int = LENGTH) -> str:
    """A name, without its middle if it is too long. Values of a text column differ at the end."""
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[: length - 1 - half]}…{name[-half:]}"
