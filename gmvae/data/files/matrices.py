"""Arrays and matrices as sources of observations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.data.files.arrays import check_numbers
from gmvae.data.files.base import ROWS, Block, Source, at_most
from gmvae.data.files.columns import check_options, chosen, listing, places
from gmvae.data.files.unusable import unusable
from gmvae.data.schema import ReadOptions, Schema, UnusableValueError, first_line

CHANNELS = (1, 3, 4)
"""Possible numbers of channels. They show which axis is that of the channels."""


class Matrix(Source):
    """An array whose first axis is that of observations.

    Arguments:
        path: Path of its file.
        array: Anything that gives rows when it is sliced: an array, a memmap, a sparse matrix.
        names: Names of the columns; empty if they have only numbers.
        beside: Other values of each row, such as labels, by name: a mapping or a data frame.
        ids: Names of the rows to use without an id column, if there are any.
    """

    def __init__(
        self, path: Path, array: Any, names: Sequence[str] = (), beside: Any = None, ids: Any = None
    ) -> None:
        super().__init__(path)
        self.ids, self.beside = ids, {} if beside is None else beside
        self._hold(array, names)

    def _hold(self, array: Any, names: Sequence[str]) -> None:
        self.array, self.columns = array, tuple(names)
        self._check_array()
        self.levels = array.dtype == np.uint8 and len(array.shape) in (3, 4)
        self.shape = tuple(array.shape[1:]) if len(array.shape) != 3 else (1, *array.shape[1:])

    def count(self) -> int | None:
        return int(self.array.shape[0])

    def names(self) -> Sequence[str]:
        return [*self._known, *self.beside]

    def schema(self, options: ReadOptions) -> Schema:
        columns: tuple[str, ...] = ()
        if len(self.shape) == 3 and (options.columns or options.drop):
            raise ValueError(f"{self.path} holds images, which have no columns to choose or drop")
        self.options = options
        known = self._known
        check_options(self.path, options, self.names(), known)
        named = options.beside & {*known} - {*self.beside}
        if self.columns or options.columns or options.drop or named:
            columns = chosen(options, known)
            odd = [name for name in columns if name not in known]
            if odd or not columns:
                what = (
                    f"cannot take {listing(odd)} as features"
                    if odd
                    else "has no column left to take as a feature"
                )
                raise ValueError(f"{self.path} {what}: its columns are {listing(known)}")
        made = Schema(
            y_shape=(len(columns),) if columns else self.shape,
            columns=columns,
            impute=options.missing == "impute",
            label_column=options.label_column,
            id_column=options.id_column,
            weight_column=options.weight_column,
        )
        return self._surveyed(made) if made.impute and not self.levels else made

    def blocks(self, schema: Schema, rows: int = ROWS) -> Iterator[Block]:
        where = self._places(schema)
        names = schema.id_column, schema.label_column, schema.weight_column
        ids, *others = map(self._other, names)
        ids = self.ids if ids is None else ids
        for start, y in self._pieces(where, rows):
            part = slice(start, start + len(y))
            if not self.levels:
                y = self._filled(y, schema, where)
            yield Block(y, *(None if values is None else values[part] for values in (ids, *others)))

    @property
    def _known(self) -> tuple[str, ...]:
        """Names of the columns, or else their numbers; empty for images."""
        return () if len(self.shape) == 3 else self.columns or tuple(map(str, range(self.shape[0])))

    def _other(self, name: str | None) -> NDArray[Any] | None:
        """The values of a column that is not a feature, or ``None``."""
        if name in self.beside:
            try:
                return np.asarray(self.beside[name], dtype=None if isinstance(self.beside, dict) else object)
            except Exception as error:  # while reading a column from a damaged file
                raise ValueError(f"{self.path} is damaged in column {name}: {first_line(error)}") from error
        if name not in self._known:
            return None
        place = self._known.index(name)
        return np.concatenate([y[:, place] for _, y in self._pieces(None)])

    def _places(self, schema: Schema) -> list[int] | None:
        """The positions of the columns that a schema uses, or ``None`` for all as they are."""
        if len(self.shape) == 1 and len(schema.y_shape) == 1:
            return places(self.path, schema, schema.features, self.columns, self.shape[0])
        if self.shape != schema.y_shape:
            raise ValueError(
                f"{self.path} has observations of shape {self.shape}, and the model was trained on "
                f"{schema.y_shape}: the shapes must be the same"
            )
        return None

    def _pieces(self, where: list[int] | None, rows: int = ROWS) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the number of the first row, and the values. These are copies, so they can be filled."""
        rows = at_most(rows, self.shape)
        every = where is None or where == list(range(self.shape[0]))
        for start in range(0, self.array.shape[0], rows):
            values = self._sliced(start, start + rows)
            values = values if every else values[:, where]
            kept = self.shape if every else values.shape[1:]
            yield start, np.array(values, np.uint8 if self.levels else np.float64).reshape(-1, *kept)

    def _sliced(self, start: int, stop: int) -> NDArray[Any]:
        """Read rows. Any error of a library about a damaged file becomes one line that names the file."""
        try:
            values = self.array[start:stop]
            return values.toarray() if hasattr(values, "toarray") else np.asarray(values)  # sparse, or not
        except Exception as error:
            if isinstance(error, OSError) and error.filename:
                raise
            raise ValueError(
                f"{self.path} is damaged in rows {start} to {stop - 1}: {first_line(error)}"
            ) from error

    def _filled(self, y: NDArray[np.float64], schema: Schema, where: list[int] | None) -> NDArray[np.float64]:
        try:
            return schema.filled(y.reshape(len(y), -1)).reshape(y.shape)
        except UnusableValueError as error:
            raise self._unusable(schema, where) from error

    def _unusable(self, schema: Schema, where: list[int] | None) -> ValueError:
        """The error about missing and infinite values."""

        def values() -> Iterator[NDArray[np.float64]]:
            return (y.reshape(len(y), -1) for _, y in self._pieces(where))

        names = schema.features or tuple(map(str, range(math.prod(schema.y_shape))))
        table, missing = len(schema.y_shape) == 1, not schema.impute
        training = table and self.options is not None
        found = unusable(names, values, self.advice, missing=missing, training=training)
        return ValueError(f"{self.path} has {'. It has '.join(found.said)}")

    def _surveyed(self, schema: Schema) -> Schema:
        """Return the schema with the means that fill missing numbers."""
        width = math.prod(schema.y_shape)
        sums, counts = np.zeros(width), np.zeros(width, dtype=np.int64)
        for _, values in self._pieces(self._places(schema)):
            y = values.reshape(len(values), -1)
            known = np.isfinite(y)
            sums, counts = sums + np.where(known, y, 0).sum(0), counts + known.sum(0)
        names = schema.columns or tuple(map(str, range(width)))
        empty = [name for name, number in zip(names, counts, strict=True) if not number]
        if not self.array.shape[0]:
            raise ValueError(f"{self.path} has no rows: it must have at least two")
        if empty:
            raise self._unusable(schema, self._places(schema))
        return replace(schema, fill=dict(zip(names, (sums / counts).tolist(), strict=True)))

    def _check_array(self) -> None:
        shape, kind = tuple(self.array.shape), self.array.dtype
        check_numbers(self.path, kind)
        if len(shape) not in (2, 3, 4) or 0 in shape[1:]:
            raise ValueError(
                f"{self.path} has shape {shape}: it must be (observations, numbers in each), or images as "
                "(observations, channels, height, width)"
            )
        if len(shape) == 4 and shape[3] in CHANNELS and shape[1] not in CHANNELS:
            raise ValueError(
                f"{self.path} has shape {shape}: images must have shape (N, channels, height, "
                "width), so move the last axis to the second place"
            )
