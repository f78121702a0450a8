"""How a file is read as observations: the options a person gives, and the schema that results."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading a file or a folder of data."""

    columns: tuple[str, ...] = ()
    """The columns to use as features, in this order; by default all but those named below."""
    drop: tuple[str, ...] = ()
    """Columns to leave out."""
    label_column: str | None = None
    """The column of the true classes, used for measuring only."""
    id_column: str | None = None
    """The column that names the rows: not a feature, but copied into predictions."""
    weight_column: str | None = None
    """The column of the rows' weights: not a feature either."""
    missing: Literal["error", "impute"] = "error"
    """Whether missing values are an error, or are filled with the mean of their column."""
    text: Literal["error", "one-hot"] = "error"
    """Whether columns of text are an error, or become a 0/1 feature for each of their values."""
    image_size: int = 0
    """Pixels of each side to which images of a folder are resized; 0 keeps them as they are."""
    grey: bool = False
    """Whether images of a folder are turned into grey ones."""
    layer: str | None = None
    """What to use of an .h5ad file in place of its ``X``: one of its layers, or an embedding in ``obsm``."""

    separator: str | None = None
    """Character between the values of a text table; detected by default."""
    decimal: str | None = None
    """Decimal mark of its numbers; detected by default."""
    thousands: str | None = None
    """Thousands separator of its numbers; none by default."""
    encoding: str | None = None
    """Its encoding; UTF-8 by default."""

    @property
    def beside(self) -> set[str]:
        """Names of the columns that are not features."""
        return {self.label_column, self.id_column, self.weight_column} - {None}  # type: ignore[return-value]


@dataclass(frozen=True)
class Schema:
    """How the rows of a file become observations.

    It is written into the model file, and is enough to read another file in the same way.

    Arguments:
        y_shape: Shape of an observation as it is read: (D,), or (channels, height, width) of images.
        columns: Names of the columns that are used, in order; empty if the file has no names.
        categories: The values of each column of text, in the order of their features. Any other value counts
            as missing.
        impute: Whether missing values are filled.
        fill: Values to fill in. For numbers, by column (its name, or else its place). For a missing or
            unknown text, by feature: the share of the rows that have this value. 0 for what is not listed, as
            in older files.
        label_column: The column of the true classes, if there is one.
        id_column: The column that names the rows, if there is one.
        weight_column: The column of the weights of the rows, if there is one.
        resize: Whether pictures of a folder are resized to ``y_shape``.
        layer: The layer or embedding of an .h5ad file that is used, if it is not ``X``.
        separator: Character between the values of text tables; ``None`` if it is detected.
        decimal: Decimal mark of their numbers; ``None`` if it is detected.
        thousands: Thousands separator of their numbers, if there is one.
        encoding: The encoding of text tables, if it was given.
    """

    y_shape: tuple[int, ...]
    columns: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    impute: bool = False
    fill: Mapping[str, float] = field(default_factory=dict)
    label_column: str | None = None
    id_column: str | None = None
    resize: bool = False
    weight_column: str | None = None
    layer: str | None = None
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None

    @property
    def beside(self) -> set[str]:
        """Names of the columns that are not features."""
        return {self.label_column, self.id_column, self.weight_column} - {*self.columns, None}  # type: ignore[return-value]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the D numbers of an observation: a column's name or, for text, ``column=value``."""
        return tuple(feature for name in self.columns for feature in self._named(name))

    def encode(self, table: pa.Table | pa.RecordBatch) -> NDArray[np.float64]:
        """The numbers of a table's rows, shape (B, D). Columns are found by name.

        Raises:
            ValueError: if a column is missing or not of its kind, or a value is missing or infinite.
        """
        there = Counter(table.schema.names)
        for what, wrong in (("missing", 0), ("there more than once", 2)):
            named = [name for name in self.columns if min(there[name], 2) == wrong]
            if named:
                raise ValueError(f"column {', '.join(named[:5])} is {what}: the model was trained on it")
        y, start = np.empty((table.num_rows, len(self.features))), 0
        for name in self.columns:
            width = len(self.categories.get(name, "1"))
            y[:, start : start + width] = self._column(name, table.column(name))
            start += width
        return self.filled(y)

    def decode(self, y: NDArray[np.float64]) -> list[NDArray[Any]]:
        """The inverse of :meth:`encode`: the columns of rows of numbers, (B, D), as a file would have them. A
        column of text gets its most probable value."""
        columns, start = [], 0
        for name in self.columns:
            kinds = self.categories.get(name)
            width = 1 if kinds is None else len(kinds)
            part = y[:, start : start + width]
            columns.append(part[:, 0] if kinds is None else np.array(kinds, dtype=object)[part.argmax(1)])
            start += width
        return columns

    def _column(self, name: str, values: Any) -> NDArray[np.float64]:
        """The numbers of a column, shape (B, 1 or values of text), NaN for missing ones."""
        import pyarrow as pa
        import pyarrow.compute as pc

        from gmvae.data.files.values import flags, kind, numbers, plain_name, strings, texts

        wanted = "text" if name in self.categories else "numbers"
        if kind(values.type) == "other":
            raise ValueError(f"column {name} must hold {wanted}, and holds {plain_name(values.type)}")
        try:
            if wanted == "numbers":
                return numbers(values)[:, None]
            text = texts(values)
        except pa.ArrowException as error:
            said = first_line(error)
            odd = re.search(r"parse string: ('.*') as a scalar", said)
            rest = f", and has {odd[1]}" if odd else f": {said}"
            raise ValueError(f"column {name} must hold {wanted}{rest}") from error
        kinds = self.categories[name]
        found = numbers(pc.index_in(text, value_set=strings(kinds)))
        chosen = (found[:, None] == np.arange(len(kinds))).astype(np.float64)
        chosen[np.isnan(found)] = [self.fill.get(f"{name}={value}", 0.0) for value in kinds]
        chosen[flags(text.is_null())] = np.nan
        return chosen

    def unseen(self, table: pa.Table | pa.RecordBatch) -> dict[str, tuple[int, str]]:
        """Count the strings of a table that are not among the ``categories`` of their column.

        Returns, by column, how many rows have one, and the first such string. Columns without any are left
        out. The table is one that :meth:`encode` takes.
        """
        import pyarrow.compute as pc

        from gmvae.data.files.values import strings, texts

        found = {}
        for name, kinds in self.categories.items():
            text = texts(table.column(name)).drop_null()
            others = text.filter(pc.invert(pc.is_in(text, value_set=strings(kinds))))
            if len(others):
                found[name] = (len(others), others[0].as_py())
        return found

    def filled(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same numbers, shape (B, D), with missing ones filled in place.

        Raises:
            UnusableValueError: if a number is infinite, or missing numbers are not allowed (``impute`` is
                off).
        """
        if np.isfinite(y).all():
            return y
        names = self._owners or tuple(map(str, range(y.shape[1])))
        if np.isinf(y).any():
            row, column = np.argwhere(np.isinf(y))[0]
            raise UnusableValueError(
                f"row {row} has an infinite number, {y[row, column]}, in column {names[column]}, counted "
                "from 0: remove this row, or replace it with a finite number"
            )
        gaps = np.isnan(y)
        if not self.impute:
            lacking = [names[column] for column in np.flatnonzero(gaps.any(0))]
            row = int(gaps.any(1).argmax())
            raise UnusableValueError(
                f"values are missing in {', '.join([*dict.fromkeys(lacking)][:5])}, first in row {row}, "
                "counted from 0: fill them, remove these rows, or train with --missing impute"
            )
        features = self.features or names
        for column in np.flatnonzero(gaps.any(0)):
            y[gaps[:, column], column] = self.fill.get(features[column], 0.0)
        return y

    @property
    def _owners(self) -> tuple[str, ...]:
        """The column that each feature comes from."""
        return tuple(name for name in self.columns for _ in self.categories.get(name, "1"))

    def renamed(self, columns: Sequence[str]) -> Schema:
        """The same for a file whose columns have other names, in the same order."""
        old = self.columns or tuple(map(str, range(len(columns))))
        pairs = list(zip(old, columns, strict=True))
        return replace(
            self,
            columns=tuple(columns),
            categories={new: self.categories[name] for name, new in pairs if name in self.categories},
            fill={
                new_feature: self.fill[feature]
                for name, new in pairs
                for feature, new_feature in zip(self._named(name), self._named(name, new), strict=True)
                if feature in self.fill
            },
        )

    def _named(self, column: str, name: str | None = None) -> list[str]:
        """The features of a column, or what they would be if the column were called ``name``."""
        kinds, name = self.categories.get(column), column if name is None else name
        return [name] if kinds is None else [f"{name}={value}" for value in kinds]

    def to_json(self) -> dict[str, Any]:
        """The schema as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The schema that :meth:`to_json` wrote; ``TypeError`` if a field is unknown or missing."""
        later = ("weight_column", "layer", "separator", "decimal", "thousands", "encoding")
        given = {**dict.fromkeys(later), **values}  # older files lack these
        lacking = {one.name for one in fields(cls)} - given.keys()
        if lacking:
            raise TypeError(f"the schema lacks {', '.join(sorted(lacking))}")
        for name in ("y_shape", "columns"):
            given[name] = tuple(given[name])
        given["categories"] = {name: tuple(kinds) for name, kinds in given["categories"].items()}
        return cls(**given)


def unseen_lines(name: str, unseen: Mapping[str, tuple[int, str]]) -> list[str]:
    """A line for each column with strings that training did not see (:meth:`Schema.unseen`)."""
    return [
        f"{name} has {count:,} row{'s'[: count > 1]} with a value in column {column} that training did not "
        f"see, such as {text!r}: it counts as missing"
        for column, (count, text) in unseen.items()
    ]


UNNAMED = ("", "Unnamed: 0", "__index_level_0__")
"""Names that pandas gives to a column of row numbers."""


def without_index(X: Any, wanted: Collection[str] = ()) -> Any:
    """Return a data frame or an Arrow table without the columns that were the index of a pandas data frame,
    except those that are wanted; anything else as it is."""
    library = type(X).__module__.split(".")[0]
    if library == "pyarrow" and hasattr(X, "schema"):
        from gmvae.data.files.values import index_columns

        left_out = [name for name in (*UNNAMED, *index_columns(X.schema)) if name not in wanted]
        found = [name for name in dict.fromkeys(left_out) if name in X.schema.names]
        return X.drop_columns(found) if found else X
    if library in ("pandas", "polars") and hasattr(X, "columns"):
        found = [name for name in X.columns if name in UNNAMED and name not in wanted]
        if found and len(found) < len(X.columns):
            return X.drop(columns=found) if library == "pandas" else X.drop(found)
    return X


def column_names(X: Any) -> list[str]:
    """The names of a data frame's or an Arrow table's columns."""
    return [*map(str, X.schema.names if type(X).__module__.startswith("pyarrow") else X.columns)]


class UnusableValueError(ValueError):
    """A value is infinite, or missing although missing values are not allowed."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message; its type if it has no message."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
