"""Check an AnnData file with h5py alone, since importing anndata takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.data.files.annotated_names import (
    check_begin,
    check_layer,
    column_names,
    layers,
    order,
    text_error,
)
from gmvae.data.files.columns import check_options
from gmvae.data.files.matrices import Matrix
from gmvae.data.limits import check_shape
from gmvae.data.schema import ReadOptions, first_line

STORED = 1 << 22
"""Maximum number of stored values of a sparse matrix that are read at once."""
SPARSE = ("csr_matrix", "csc_matrix")
NULLABLE = ("nullable-integer", "nullable-boolean")


class UnreadError(Exception):
    """The numbers cannot be read with h5py alone: this is left to the reader."""


def check_h5ad(path: Path, options: ReadOptions, *, numbers: bool = False) -> None:
    """Check the names in options and, if asked to, all ``numbers``. What h5py cannot find out is left to the
    reader.

    Raises:
        ValueError: if the file is not whole, does not have a layer or a column that is named, or values are
            not numbers that the options allow.
    """
    check_begin(path)
    try:
        import h5py
    except ImportError:  # the reader says what to install
        return
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        raise ValueError(f"{path} is not a complete .h5ad file: {first_line(error)}") from error
    with file:
        try:
            there = layers(file)
        except (KeyError, AttributeError):
            return
        check_layer(path, options.layer, there)
        try:
            columns, beside = column_names(file, options.layer), order(file["obs"])
        except (KeyError, AttributeError, TypeError, IndexError):  # an older form of the file
            return
        check_options(path, replace(options, layer=None), [*columns, *beside], columns)
        if numbers:
            check_numbers(path, file, options, columns, beside)


def check_numbers(path: Path, file: Any, options: ReadOptions, columns: Sequence[str], beside: Any) -> None:
    """Check all numbers of an array, a block of rows at a time. What cannot be read here is left to the
    reader.

    Arguments:
        path: The file.
        file: The same file, opened with h5py.
        options: How to read it. Their names must be there.
        columns: Names of the columns of the array; empty for images.
        beside: Names of the columns of ``obs``.

    Raises:
        ValueError: if values are not numbers, or if they are missing or infinite and options do not allow it.
    """
    try:
        rows = _array(path, file, options.layer)
    except (UnreadError, KeyError, AttributeError, TypeError, IndexError, StopIteration, OSError):
        return
    try:
        check_shape(path, rows.shape)
        matrix = _Stored(path, rows, columns, dict.fromkeys(beside, np.empty(0)))
        for _ in matrix.blocks(matrix.schema(replace(options, layer=None))):
            pass
    except UnreadError:  # damaged
        return


class _Stored(Matrix):
    def _sliced(self, start: int, stop: int) -> NDArray[Any]:
        try:
            return np.asarray(self.array[start:stop])
        except Exception as error:  # h5py raises errors of any kind for a damaged file
            raise UnreadError from error


def _array(path: Path, file: Any, layer: str | None) -> Any:
    """An array of a file, whose rows are dense when it is sliced.

    Raises:
        UnreadError: if it is stored in another way.
        ValueError: if it holds text.
    """
    layer = layer or "X"
    groups = [file] if layer == "X" else [file.get("layers", {}), file["obsm"]]
    found = next(group[layer] for group in groups if layer in group)
    kind = found.attrs.get("encoding-type")
    if hasattr(found, "dtype"):
        if found.dtype.kind == "O":
            raise text_error(path, layer)
        return found
    if kind in SPARSE:
        shape = tuple(map(int, found.attrs["shape"]))
        return _Sparse(shape, found["data"], found["indices"], found["indptr"], by_rows=kind == SPARSE[0])
    if kind == "dataframe":
        table = {name: found[name] for name in order(found)}
        texts = [name for name, one in table.items() if _is_text(one)]
        if texts:
            raise text_error(path, layer, texts)
        if not table:
            raise UnreadError
        return _Frame((len(next(iter(map(_values, table.values())))), len(table)), [*table.values()])
    raise UnreadError


def _is_text(column: Any) -> bool:
    kind = column.attrs.get("encoding-type")
    if (
        kind in ("categorical", "nullable-string-array")
        or getattr(getattr(column, "dtype", None), "kind", None) == "O"
    ):
        return True
    if hasattr(column, "dtype") or kind in NULLABLE:
        return False
    raise UnreadError


def _values(column: Any) -> Any:
    return column if hasattr(column, "dtype") else column["values"]


@dataclass(frozen=True)
class _Frame:
    """A data frame of numbers, stored by columns."""

    shape: tuple[int, ...]
    columns: Sequence[Any]
    dtype = np.dtype(np.float64)

    def __getitem__(self, rows: slice) -> NDArray[np.float64]:
        read = [_values(column)[rows].astype(np.float64) for column in self.columns]
        for values, column in zip(read, self.columns, strict=True):
            if not hasattr(column, "dtype"):
                values[column["mask"][rows]] = np.nan
        return np.stack(read, 1)


@dataclass(frozen=True)
class _Sparse:
    """A sparse matrix, stored by rows or by columns."""

    shape: tuple[int, ...]
    data: Any
    indices: Any
    indptr: Any
    by_rows: bool

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop = rows.start, min(rows.stop, self.shape[0])
        dense = np.zeros((stop - start, self.shape[1]), self.dtype)
        ends = self.indptr[start : stop + 1] if self.by_rows else self.indptr[:]
        for first in range(int(ends[0]), int(ends[-1]), STORED):
            part = slice(first, min(first + STORED, int(ends[-1])))
            outer = np.searchsorted(ends, np.arange(part.start, part.stop), side="right") - 1
            inner, values = self.indices[part], self.data[part]
            if self.by_rows:
                np.add.at(dense, (outer, inner), values)
            else:
                here = (inner >= start) & (inner < stop)
                np.add.at(dense, (inner[here] - start, outer[here]), values[here])
        return dense
