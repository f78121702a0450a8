"""Convert the estimator's input to rows: tables, arrays, tensors and images."""

from __future__ import annotations

import datetime
import math
import operator
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array

from gmvae.data.chunks import chunks
from gmvae.data.counting import Counting
from gmvae.data.files.columns import listing
from gmvae.data.files.matrices import CHANNELS
from gmvae.data.frame import Frame
from gmvae.data.schema import ReadOptions, Schema
from gmvae.estimator.refusals import (
    check_columns,
    check_kind,
    check_list,
    check_objects,
    check_shape,
    first_text,
)

DATES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
"""Types of values that are no numbers, but could be taken for some."""


def rows_of(X: Any, *, impute: bool, texts: bool, fitted: bool = False, batch: bool = False) -> Any:
    """Convert what scikit-learn does not take as it is. A tensor becomes an array, masked values and ``None``
    become missing, a lazy frame is collected, and images of shape (N, height, width) or (N, channels, height,
    width) become rows.

    Arguments:
        X: What was given.
        impute: Whether missing values are allowed.
        texts: Whether texts are allowed.
        fitted: Whether X is for a fitted model, so that these can no longer be changed.
        batch: Whether X is a batch of a stream, for which they are never allowed.

    Raises:
        ValueError: if X is no table of rows, it has no rows, values are masked and missing values are not
            allowed, values are dates or complex numbers, they are text and text is not allowed, or the
            channels of images come last.
        TypeError: if values are neither numbers nor text.
    """
    check_kind(X)
    if type(X).__module__.startswith("polars") and hasattr(X, "collect"):
        X = X.collect()
    if hasattr(X, "columns") or isinstance(X, (pa.Table, pa.RecordBatch)):
        check_columns(X)
        return narrow(X)
    if isinstance(X, (list, tuple)):
        X = of_lists(X)
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu()
        X = (X.float() if X.dtype in (torch.bfloat16, torch.float16) else X).numpy()
    if isinstance(X, np.ndarray) or issparse(X):
        check_shape(X)
    if isinstance(X, np.ma.MaskedArray):  # scikit-learn would use the values under the mask
        if np.ma.is_masked(X) and not impute:
            rest = "remove their rows, or set missing='impute'"
            if fitted or batch:
                rest = "or remove their rows"
                rest += ", since the model was fitted without missing='impute'" * fitted
            raise ValueError(
                f"X has {np.ma.count_masked(X):,} masked values, which are missing: fill them (X.filled), "
                f"{rest}"
            )
        X = np.where(np.ma.getmaskarray(X), np.nan, X.data) if np.ma.is_masked(X) else X.data
    if isinstance(X, np.ndarray):
        X = of_objects(X) if X.dtype == object else X
        if X.dtype.kind in "mM":
            raise ValueError(f"X holds dates or times ({X.dtype}): make numbers of them, or leave them out")
        if X.dtype == object:
            check_objects(X)
        if X.dtype.kind in "USO" and not texts:
            rest = ", or set text='one-hot', which makes a 0/1 feature for each text of a column"
            if fitted or batch:
                rest = ", since the model was fitted to numbers" * fitted
            raise ValueError(f"X holds text ({first_text(X)}): convert it, X.astype(float){rest}")
        if X.ndim == 4 and X.shape[3] in CHANNELS and X.shape[1] not in CHANNELS:
            raise ValueError(
                f"X has shape {X.shape}: images must have shape (N, channels, height, width), so move the "
                "last axis to the second place, numpy.moveaxis(X, -1, 1)"
            )
        if X.ndim in (3, 4):
            X = X.reshape(len(X), -1)
    return X


def narrow(X: Any) -> Any:
    """A table with what scikit-learn and Arrow take: names of pandas columns that are all strings, if some
    are, and numbers of 128 bits of polars as floats."""
    library = type(X).__module__.split(".")[0]
    if library == "pandas" and len({isinstance(name, str) for name in X.columns}) > 1:
        return X.set_axis(list(map(str, X.columns)), axis=1)
    if library == "polars":
        wide = [name for name, dtype in X.schema.items() if str(dtype) in ("Int128", "UInt128")]
        return X.cast(dict.fromkeys(wide, float)) if wide else X
    return X


def of_lists(X: Any) -> Any:
    """Lists of rows as an array: of numbers, with NaN for ``None``, or of objects if there are strings.

    Raises:
        ValueError: if the rows are dicts, or differ in length.
    """
    check_list(X)
    try:
        values = np.asarray(X)
    except (TypeError, ValueError):  # ragged
        return np.array(X, dtype=object)
    values = np.array(X, dtype=object) if values.dtype.kind in "US" else values
    return of_objects(values) if values.dtype == object else values


def of_objects(X: NDArray[Any]) -> NDArray[Any]:
    """An array of objects as one of numbers, with NaN for missing values; if there are strings among the
    values, as one of objects, with ``None`` for missing values.

    Raises:
        ValueError: if values are dates or times.
    """
    values = np.frompyfunc(lambda value: np.nan if is_missing(value) else value, 1, 1)(X)
    if dates := [value for value in values.flat if isinstance(value, DATES)]:
        raise ValueError(
            f"X holds dates or times ({dates[0]}): make numbers of them, or leave their column out"
        )
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):  # strings, or something else
        return np.asarray(np.frompyfunc(lambda value: None if is_missing(value) else value, 1, 1)(X))


def is_missing(value: Any) -> bool:
    """Whether a value is ``None``, NaN, NaT, or pandas' NA."""
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or type(value).__name__ in ("NaTType", "NAType")


def image_shape(X: Any, asked: Any) -> tuple[int, ...] | None:
    """The shape of an image: that of a stack of images, or else the one asked for; ``None`` for tables.

    Raises:
        ValueError: if both are given and their sizes differ.
    """
    try:
        shape = None if asked is None else tuple(operator.index(side) for side in asked)
    except TypeError as error:
        raise ValueError(
            f"image_shape is {asked!r}: it must be whole numbers, (height, width) or (channels, height, "
            "width)"
        ) from error
    found = tuple(getattr(X, "shape", ()))[1:]
    if len(found) not in (2, 3):
        return shape
    if shape is not None and math.prod(shape) != math.prod(found):
        raise ValueError(f"image_shape is {shape}, but X has images of shape {found}: leave image_shape out")
    return shape or found


def finite(X: Any, *, gaps: bool = False, fitted: bool = False) -> Any:
    """Return X, (N, D), after checking that no number is missing or infinite.

    Arguments:
        X: The rows.
        gaps: Whether missing numbers are allowed.
        fitted: Whether X is for a fitted model. Only a fit needs a number in each column.

    Raises:
        ValueError: if a number is missing or infinite. It names the first of each.
    """
    said: dict[str, str] = {}
    floats = X.dtype.kind == "f"
    lacking = np.ones(X.shape[1], dtype=np.bool_) if floats and not fitted else np.zeros(0, dtype=np.bool_)
    for start, values in chunks(X) if floats else ():
        missing = np.isnan(values)
        if not fitted:
            lacking &= missing.all(0)
        if np.isfinite(values).all():
            continue
        if missing.any() and not gaps and "NaN" not in said:
            row, column = np.argwhere(missing)[0]
            said["NaN"] = (
                f"NaN, first in row {start + row}, column {column}, counted from 0: "
                f"{remedy(X, fitted=fitted)}"
            )
        if np.isinf(values).any() and "inf" not in said:
            row, column = np.argwhere(np.isinf(values))[0]
            said["inf"] = (
                f"infinite numbers, first {values[row, column]} in row {start + row}, column {column}, "
                "counted from 0: remove these rows, or replace them with finite numbers"
            )
    if lacking.any():
        empty = listing([str(column) for column in np.flatnonzero(lacking)])
        said["empty"] = f"no value at all in column {empty}: leave it out"
    if said:
        raise ValueError(f"Input X contains {'; and '.join(said.values())}")
    return X


def remedy(X: Any, *, fitted: bool) -> str:
    """What to do about missing numbers."""
    if issparse(X):
        return "remove these rows, or fill them: missing='impute' is for dense tables"
    if fitted:
        return "remove these rows, or fill them, since the model was fitted without missing='impute'"
    return "remove these rows, or set missing='impute', which fills them with means of the training data"


def warn_of_counting(columns: Sequence[str]) -> None:
    """Warn about columns that only count the rows, if there are any."""
    if columns:
        warnings.warn(
            f"columns of X that only count the rows are features ({len(columns)}): {listing(columns)}; leave "
            "them out, since they say nothing about what a row holds",
            UserWarning,
            stacklevel=2,
        )


def counting(X: Any, names: Sequence[str]) -> list[str]:
    """The columns of X, (N, D), that only count the rows: their names, or else their numbers."""
    found = Counting(X.shape[1])
    for _, values in chunks(X):
        found.add(values)
        if found.over:
            break
    return [names[column] if names else str(column) for column in found.found]


def taken(X: Any, options: ReadOptions) -> tuple[Schema | None, Any]:
    """Return the schema of a table with text or missing values, and its numbers, (N, D). For a table of
    plain numbers, return ``None`` and the table itself.

    Raises:
        ValueError: if it cannot be read with these options.
    """
    frame = Frame.of(X, objects=options.text == "one-hot")
    if frame is not None:
        if frame.plain and options.missing == "error":
            return None, X
        schema = frame.schema(options)
        return schema, frame.numbers(schema)
    if options.missing == "error" or issparse(X) or getattr(X, "dtype", None) == np.uint8:
        return None, X
    values = finite(check_array(X, ensure_all_finite=False, dtype=np.float64), gaps=True)
    known = ~np.isnan(values)
    means = np.where(known, values, 0).sum(0) / known.sum(0)
    names = map(str, range(values.shape[1]))
    fill = dict(zip(names, means.tolist(), strict=True))
    schema = Schema((values.shape[1],), impute=True, fill=fill)
    return schema, schema.filled(np.array(values))


def check_count(X: Any, weights: ArrayLike | None, minimum: int) -> None:
    """Raise ``ValueError`` if X has fewer than ``minimum`` rows, or fewer with a weight above 0."""
    given = X.shape[0] if weights is None else int(np.count_nonzero(np.asarray(weights)))
    if given < minimum:
        counted = "" if weights is None else " with a weight above 0"
        raise ValueError(
            f"X has n_samples={given}{counted}: there must be at least {minimum}, as many as n_clusters "
            "and no fewer than 2"
        )
