"""Rows that come in batches, with the checks of rows in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from scipy.sparse import issparse
from torch.utils.data import DataLoader, Dataset, default_collate

from gmvae.data.files.base import Block
from gmvae.data.files.columns import listing
from gmvae.data.frame import ADVICE, Frame
from gmvae.data.schema import ReadOptions, Schema, column_names, without_index
from gmvae.estimator.intake import image_shape, rows_of
from gmvae.estimator.refusals import labels

AT_ONCE = 1024
"""How many items of a torch dataset are read together."""
IN_BATCHES = {
    "plain": "convert them, as astype(float) does",
    "one-hot": "text='one-hot' (only in memory)",
    "impute": "missing='impute' (only in memory)",
}
"""How to follow the advice of a message about a table, where it differs from that for one in memory."""


class Batches:
    """A stream of rows as blocks of numbers; each call starts it from the beginning.

    Arguments:
        given: A torch dataset of observations, or of tuples that begin with one; or an iterable of batches of
            shape (B, ...) or of tables, or of tuples that begin with one.
        asked: (height, width) or (channels, height, width) of rows that are images, or ``None``.

    Attributes:
        names: The columns of the first batch, if it is a table. Those of others are found by name.
        labels: Its labels of columns if not all are strings (:func:`gmvae.estimator.refusals.labels`).
        kind: The type of the rows of the first batch.
        shape: Shape of a row: (D,), or (channels, height, width) of images.

    Raises:
        ValueError: if it is an iterator, which can be read only once, or gives no rows.
    """

    def __init__(self, given: Any, asked: tuple[int, ...] | None = None) -> None:
        if not isinstance(given, Dataset) and iter(given) is given:
            raise ValueError(
                f"X is a {type(given).__name__}, which gives its batches only once, but they are read twice: "
                "give an object whose __iter__ starts again, or a torch dataset"
            )
        self._batches = given
        if isinstance(given, Dataset):
            own = torch.Generator()  # a loader draws from torch's global one otherwise
            self._batches = DataLoader(given, batch_size=AT_ONCE, collate_fn=_collated, generator=own)
        first = next(self._raw(), None)
        if first is None:
            raise ValueError("X gives no rows: it must have at least two")
        rows = _checked(first)
        self.names = tuple(column_names(rows)) if _is_table(rows) else ()
        self.labels, self.kind = labels(rows), type(rows)
        self._sides, width = _sides(first, rows), rows.shape[1]
        sides = image_shape(first, asked) or (width,)
        if math.prod(sides) != width:
            raise ValueError(f"image_shape is {sides}, but X has rows of {width} numbers")
        self.shape: tuple[int, ...] = (1, *sides) if len(sides) == 2 else tuple(sides)

    @property
    def schema(self) -> Schema:
        """The schema of the rows."""
        return Schema(self.shape, self.names)

    def __call__(self) -> Iterator[Block]:
        """Yield the rows, (B, D).

        Raises:
            ValueError: if rows are not valid, or it gives none, although it gave some before.
        """
        start = 0
        for batch in self._raw():
            try:
                values = self._numbers(batch)
            except ValueError as error:
                place = f" (in the batch that starts at row {start:,})" if start else ""
                raise ValueError(f"{error}{place}") from error
            yield Block(values if values.dtype == np.uint8 else values.astype(np.float64))
            start += len(values)
        if not start:
            raise ValueError(
                "X gave batches once, then none, but they are read twice: give an object whose __iter__ "
                "starts again, or a torch dataset"
            )

    def joined(self, y: NDArray[Any]) -> Any:
        """Rows of numbers, (n, D), as an array of the shape of its rows, or as a table if they have names."""
        if self.labels is not None:
            return self.kind(y, columns=list(self.labels))
        if self.names:
            return pa.table(dict(zip(self.names, y.T, strict=True)))
        return y.reshape(-1, *self.shape)

    def _raw(self) -> Iterator[Any]:
        """The batches as they are given, without labels. Empty ones are left out."""
        for batch in self._batches:
            y = batch[0] if isinstance(batch, (tuple, list)) else batch
            if tuple(getattr(y, "shape", ()))[:1] != (0,):
                yield y

    def _numbers(self, batch: Any) -> NDArray[Any]:
        """The numbers of a batch, (B, D)."""
        rows = _checked(batch)
        names = tuple(column_names(rows)) if _is_table(rows) else ()
        if sorted(names) != sorted(self.names):
            raise ValueError(
                f"X has batches with the columns {listing(names)}, and the first has {listing(self.names)}"
                if names and self.names
                else "X has batches with names of columns and others without: all must be of one kind"
            )
        if names:
            return _of_table(rows, self.names)
        if _sides(batch, rows) != self._sides:
            raise ValueError(
                f"X has rows of shape {_sides(batch, rows)}, and {self._sides} in the first batch"
            )
        return np.asarray(rows)


def _collated(items: list[Any]) -> Any:
    """Items of a torch dataset as a batch of their observations."""
    rows = [item[0] if isinstance(item, (tuple, list)) else item for item in items]
    return np.ma.stack(rows) if any(map(np.ma.is_masked, rows)) else default_collate(rows)


def _checked(batch: Any) -> Any:
    """A batch as rows, (B, D), or as a table.

    Raises:
        ValueError: as :func:`gmvae.estimator.intake.rows_of`; and if it is sparse.
    """
    if issparse(batch) or "sparse" in str(getattr(batch, "layout", "")):
        raise ValueError("X gives sparse batches: make them dense (toarray), or give one sparse matrix as X")
    return without_index(rows_of(batch, impute=False, texts=False, batch=True))


def _sides(batch: Any, rows: Any) -> tuple[int, ...]:
    """The shape of a row as it is given."""
    return tuple(getattr(batch, "shape", rows.shape)[1:])


def _is_table(rows: Any) -> bool:
    return not isinstance(rows, np.ndarray)


def _of_table(rows: Any, names: tuple[str, ...]) -> NDArray[Any]:
    """The numbers of a table, (B, D), with the columns in this order; uint8 if all columns are.

    Raises:
        ValueError: if a column is not one of numbers, or values are missing.
    """
    frame = Frame.of(rows)
    if frame is None:
        raise ValueError(
            f"X gives batches of {type(rows).__name__}: they must be arrays, tensors, or tables of pandas, "
            "polars or pyarrow"
        )
    frame.advice = {**ADVICE, **IN_BATCHES}
    if not frame.plain:
        frame.schema(ReadOptions())
    values = frame.numbers(Schema((len(names),), names))
    levels = all(str(field.type) == "uint8" for field in frame.table.schema)
    return values.astype(np.uint8) if levels else values
