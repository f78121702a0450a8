"""The content of a report, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.contrast import Contrast, contrast
from gmvae.assess.portrait import Portrait
from gmvae.partition.split import Split
from gmvae.show.naming import named

Array = NDArray[Any]


@dataclass(frozen=True)
class Column:
    """A column of a table as people know it: numbers, or texts as indices."""

    name: str
    values: Array
    """Numbers, (N,); with ``texts`` the index of each text, -1 for none of them."""
    texts: tuple[str, ...] = ()
    place: int = 0
    """The first of its features among the D numbers of a row."""

    def features(self, y: Array) -> Array:
        """Its features in rows, (..., D): one number, or one for each text."""
        return y[..., self.place : self.place + max(1, len(self.texts))]

    def generated(self, y: Array) -> Column:
        """The same column of generated rows, (..., D): numbers, or the most probable text of each row."""
        part = self.features(y)
        return replace(self, values=part.argmax(-1) if self.texts else part[..., 0])


@dataclass(frozen=True)
class Content:
    """A fit, and N rows to show it with.

    Arguments:
        title: Its name.
        portrait: The model and the rows, with log densities in the units of the data.
        maps: The rows in two dimensions, (N, 2), by the name of the projection.
        y: The rows in the units of the data, (N, D).
        y_shape: Shape of an observation.
        features: Names of its D numbers.
        categories: The values of each column of text.
        numbers: Numbers of the rows in the data, (N,), from 0.
        total: Number of rows in the data.
        ids: Names of the rows, (N,); their numbers by default.
        labels: Their true classes, (N,), unknown below 0.
        classes: Names of the classes, from label 0 on.
        history: Records of epochs.
        facts: JSON values, as far as they are known: ``findings``, ``start``, ``choice``, ``holdout``,
            ``restarts``, ``versions``, ``parameters``, ``sha256``, ``elbo``, ``data``, ``epochs`` and so on.
        stability: The probability that each row keeps its cluster if the fit starts from another sample,
            (N,), if it was calibrated.
        names: Names that people have given to clusters.
        merged: The cluster that each cluster was merged into, (K,).
        split: The splits of clusters by people; the last of the K clusters are the new parts.
        single: The cluster of each row before clusters were merged, (N,); ``clusters`` by default.
        repeat: Commands that repeat the fit.
        pictured: Places of the rows of images that have pixels in ``y``, (S,); all by default.
    """

    title: str
    portrait: Portrait
    maps: Mapping[str, Array]
    y: Array
    y_shape: tuple[int, ...]
    features: tuple[str, ...]
    numbers: NDArray[np.int64]
    total: int
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ids: Sequence[str] | None = None
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    history: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    stability: Array | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    merged: Sequence[int] = ()
    split: Sequence[Split] = ()
    single: NDArray[np.int64] | None = None
    repeat: Sequence[str] = ()
    pictured: NDArray[np.int64] | None = None

    @property
    def of_images(self) -> bool:
        return len(self.y_shape) == 3

    @property
    def count(self) -> int:
        """K, parts of split clusters included."""
        return int(self.portrait.probabilities.shape[1])

    @cached_property
    def clusters(self) -> NDArray[np.int64]:
        """The most probable cluster of each row, (N,)."""
        return self.portrait.clusters

    @cached_property
    def probability(self) -> Array:
        """The probability of that cluster, (N,)."""
        return self.portrait.probabilities.max(1)

    @cached_property
    def second(self) -> NDArray[np.int64]:
        """The second most probable cluster of each row, (N,)."""
        others = self.portrait.probabilities.copy()
        others[np.arange(len(others)), self.clusters] = -1
        return others.argmax(1)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Number of rows of each cluster, (K,)."""
        return np.bincount(self.clusters, minlength=self.count)

    @cached_property
    def used(self) -> list[int]:
        """The clusters with at least one row."""
        return np.flatnonzero(self.sizes).tolist()

    @property
    def edited(self) -> bool:
        """Whether people have merged or split clusters."""
        return bool(self.split) or len(set(self.merged)) < len(self.merged)

    @cached_property
    def contrast(self) -> Contrast | None:
        """How the columns of a table differ between clusters; ``None`` for images."""
        return None if self.of_images else contrast(self.y, self.clusters, self.count)

    def called(self, k: int) -> str:
        """The name of a cluster."""
        return named(k, self.names.get(k))

    def row(self, i: int) -> str:
        """The name of a row."""
        return str(self.ids[i]) if self.ids is not None else f"row {self.numbers[i]:,}"

    def label(self, number: int) -> str:
        """The name of a label."""
        if number < 0:
            return "unknown"
        return self.classes[number] if number < len(self.classes) else str(number)

    @cached_property
    def owners(self) -> dict[str, str]:
        """The text column of each of its one-hot features."""
        return {f"{name}={value}": name for name, values in self.categories.items() for value in values}

    @cached_property
    def columns(self) -> list[Column]:
        """The columns of a table, with the one-hot features of a text column joined again; empty for
        images."""
        if self.of_images:
            return []
        found: list[Column] = []
        for place, feature in enumerate(self.features):
            name = self.owners.get(feature)
            if name is None:
                found.append(Column(feature, self.y[:, place], place=place))
            elif feature == f"{name}={self.categories[name][0]}":
                column = Column(name, np.empty(0), self.categories[name], place).generated(self.y)
                known = column.features(self.y).max(1) == 1  # a missing value is between 0 and 1
                found.append(replace(column, values=np.where(known, column.values, -1)))
        return found
