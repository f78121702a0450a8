"""Errors about what the estimator is given in place of a table of numbers or texts: one line each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sized
from numbers import Real
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import issparse

from gmvae.data.files.columns import listing
from gmvae.data.files.values import kind, numbers, plain_name
from gmvae.data.frame import Frame
from gmvae.data.iterables import is_stream
from gmvae.data.printable import short
from gmvae.data.schema import column_names

TABLE = "pandas.DataFrame(X) makes a table of it"
QUICK = ("b", "i", "u", "f")
"""Kinds of NumPy types that are numbers, so that nothing can be wrong with a column."""


def check_kind(X: Any) -> None:
    """Raise ``ValueError`` if X is neither a table nor an array, tensor or list."""
    if isinstance(X, (str, bytes, os.PathLike)):
        raise ValueError(f"X is {X!r}: read the file first, such as with pandas.read_csv(X)")
    if is_stream(X):
        raise ValueError(
            f"X is a {type(X).__name__}, which gives rows in batches: only fit and partial_fit take it, so "
            "give its batches one after the other, or an array"
        )
    if type(X).__name__ == "AnnData":
        raise ValueError("X is an AnnData object: give one of its arrays, such as X.X or X.obsm['X_pca']")
    if isinstance(X, dict) and not issparse(X):  # a sparse matrix can be one
        raise ValueError(f"X is a dict: {TABLE}")
    if type(X).__name__ == "Series":
        raise ValueError("X is a series: X.to_frame() makes a table with one column of it")
    if X is None or np.isscalar(X) or isinstance(X, (set, frozenset)):
        raise ValueError(f"X is {X!r}: it must be a table, an array, a tensor or a list of rows")


def labels(X: Any) -> tuple[Any, ...] | None:
    """The labels of a pandas frame's columns if not all of them are strings, which scikit-learn compares;
    ``None`` for anything else."""
    if type(X).__module__.split(".")[0] != "pandas" or not hasattr(X, "columns"):
        return None
    found = tuple(X.columns)
    return None if all(isinstance(label, str) for label in found) else found


def check_labels(X: Any, known: tuple[Any, ...] | None) -> None:
    """Raise ``ValueError`` if a frame has other labels than the one that the model was fitted to, in which
    columns would be taken by position."""
    found = labels(X)
    if known is not None and found is not None and found != known:
        raise ValueError(
            f"X has the columns {listing([str(label) for label in found])}, and the model was fitted to "
            f"{listing([str(label) for label in known])}: give these, in this order"
        )


def check_list(X: Any) -> None:
    """Raise ``ValueError`` if the rows of a list are dicts, or differ in length."""
    if any(isinstance(row, dict) for row in X):
        raise ValueError(f"X is a list of dicts: {TABLE}")
    lengths = [len(row) if isinstance(row, Sized) and not is_single(row) else 1 for row in X]
    odd = next((i for i, length in enumerate(lengths) if length != lengths[0]), None)
    if odd is not None:
        raise ValueError(
            f"X has {lengths[0]} values in row 0, and {lengths[odd]} in row {odd}: all rows must have the "
            "same number of values"
        )


def is_single(row: Any) -> bool:
    """Whether a row of a list is a single value: a string, or an array without axes."""
    return isinstance(row, (str, bytes)) or getattr(row, "ndim", 1) == 0


def check_shape(X: Any) -> None:
    """Raise ``ValueError`` if an array or a sparse matrix has no rows, or is neither a table nor images."""
    if X.dtype.names:
        raise ValueError(f"X holds records with the fields {listing(X.dtype.names)}: {TABLE}")
    if X.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: X holds {X.dtype}, so make columns of real and imaginary parts"
        )
    if X.ndim and not X.shape[0]:
        raise ValueError(f"X has no rows, but shape {X.shape}: there must be at least one")
    if X.ndim == 1:
        raise ValueError(
            f"X has shape {X.shape}, not (rows, columns). Reshape your data: X.reshape(-1, 1) has one column"
        )
    if X.ndim not in (2, 3, 4):
        raise ValueError(
            f"X has shape {X.shape}: it must be (rows, columns), or (N, height, width) or (N, channels, "
            "height, width) of images"
        )


def check_objects(X: NDArray[Any]) -> None:
    """Check that an array of objects, (rows, columns), has only numbers and strings.

    Raises:
        ValueError: if it has a complex number.
        TypeError: if it has anything else, as scikit-learn does.
    """
    for place, value in np.ndenumerate(X):
        if isinstance(value, (complex, np.complexfloating)):
            raise ValueError(
                f"Complex data not supported: X has {value} in {where(place)}, so make columns of real and "
                "imaginary parts"
            )
        if value is not None and not isinstance(value, (str, bytes, Real)):
            raise TypeError(
                f"X has {short(value)} in {where(place)}: an argument must be a string or a number"
            )


def first_text(X: NDArray[Any]) -> str:
    """The first string in an array of strings or objects, with its place."""
    found = (f"{short(v)} in {where(place)}" for place, v in np.ndenumerate(X) if isinstance(v, (str, bytes)))
    return next(found, str(X.dtype))


def where(place: tuple[int, ...]) -> str:
    """A place in an array in words."""
    return ", ".join(
        f"{axis} {i}" for axis, i in zip(("row", "column", "level", "level"), place, strict=False)
    )


def check_columns(X: Any) -> None:
    """Raise ``ValueError`` if a data frame or an Arrow table has no rows, no columns, or two of one name."""
    names = column_names(X)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"X has more than one column {listing(twice)}: rename all but one")
    rows = X.num_rows if hasattr(X, "num_rows") else len(X)
    for what, count in (("columns", len(names)), ("rows", rows)):
        if not count:
            raise ValueError(f"X has no {what}: there must be at least one")


def check_numbers(X: Any, known: Collection[str]) -> None:
    """Raise ``ValueError`` if a data frame or an Arrow table, for a model that was fitted to numbers, has
    columns that are not. Strings that spell numbers are numbers. If the names of the model's columns are
    ``known``, other columns are not looked at: scikit-learn refuses them."""
    if all(getattr(dtype, "kind", "") in QUICK for dtype in getattr(X, "dtypes", [None])):
        return
    frame, said = Frame.of(X), list[str]()
    if frame is None:
        return
    for field in frame.table.schema:
        column = frame.table.column(field.name)
        if known and field.name not in known:
            continue
        if kind(field.type) == "other":
            said.append(f"{field.name} ({plain_name(field.type)})")
        elif kind(field.type) == "text":
            try:
                numbers(column)
            except pa.ArrowException:
                odd = next(text for text in column.to_pylist() if text is not None and not is_number(text))
                said.append(f"{field.name} ({odd!r})")
    if said:
        raise ValueError(
            f"X has values that are no numbers in {listing(said)}: the model was fitted to numbers only"
        )


def is_number(text: str) -> bool:
    """Whether Arrow takes a string for a number."""
    try:
        numbers(pa.array([text]))
    except pa.ArrowException:
        return False
    return True
