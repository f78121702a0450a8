"""How what lies in a file becomes observations: what a person asks of it, and what came of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self


@dataclass(frozen=True)
class Wish:
    """What a person asks of a file or a folder of data."""

    columns: tuple[str, ...] = ()
    """The columns to take as features, in this order; all but those named below unless given."""
    drop: tuple[str, ...] = ()
    """Columns to leave out."""
    label_column: str | None = None
    """The column of the true classes, which only measure."""
    id_column: str | None = None
    """The column that names the rows: no feature, but copied beside predictions."""
    missing: Literal["error", "impute"] = "error"
    """Whether missing values are an error, or take their column's mean."""
    text: Literal["error", "one-hot"] = "error"
    """Whether columns that hold text are an error, or become a 0/1 feature for each of their values."""
    image_size: int = 0
    """Pixels of each side that images of a folder are brought to; 0 for as they are."""
    grey: bool = False
    """Whether images of a folder lose their colours."""


@dataclass(frozen=True)
class Recipe:
    """How the rows of a file become observations: enough to read another file in the same way, and written
    into the model file.

    Arguments:
        y_shape: Shape of an observation as it is read: (D,), or (channels, height, width) of images.
        columns: Names of the columns that are taken, in order; empty where the file has no names.
        categories: The values of each column of text, in the order of their features.
        fill: What stands for a missing value of a column; empty where missing values are an error.
        label_column: The column of the true classes, if there is one.
        id_column: The column that names the rows, if there is one.
    """

    y_shape: tuple[int, ...]
    columns: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fill: Mapping[str, float] = field(default_factory=dict)
    label_column: str | None = None
    id_column: str | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the D numbers of an observation: a column's name or, for text, ``column=value``."""
        return tuple(
            name
            for column in self.columns
            for name in (
                [f"{column}={v}" for v in self.categories[column]] if column in self.categories else [column]
            )
        )

    def to_json(self) -> dict[str, Any]:
        """The recipe as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The recipe that :meth:`to_json` wrote."""
        return cls(
            y_shape=tuple(values["y_shape"]),
            columns=tuple(values["columns"]),
            categories={name: tuple(kinds) for name, kinds in values["categories"].items()},
            fill=dict(values["fill"]),
            label_column=values["label_column"],
            id_column=values["id_column"],
        )
