"""Convert the estimator's input to rows: tables, arrays, tensors and images."""

from __future__ import annotations

import datetime
import math
import operator
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
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

DATES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
"""Types of values that are no numbers, but could be taken for some."""


def rows_of(X: Any, *, impute: bool, texts: bool) -> Any:
    """Convert what scikit-learn does not take as it is. A tensor becomes an array, masked values and ``None``
    become missing, a lazy frame is collected, and images of shape (N, height, width) or (N, channels, height,
    width) become rows.

    Arguments:
        X: What was given.
        impute: Whether missing values are allowed.
        texts: Whether texts are allowed.

    Raises:
        ValueError: if values are masked and missing values are not allowed, values are dates, they are text
            and texts are not allowed, or the channels of images come last.
    """
    if type(X).__module__.startswith("polars") and hasattr(X, "collect"):
        X = X.collect()
    if isinstance(X, (list, tuple)):
        X = of_lists(X)
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu()
        X = (X.float() if X.dtype in (torch.bfloat16, torch.float16) else X).numpy()
    if isinstance(X, np.ma.MaskedArray):  # scikit-learn would use the values under the mask
        if np.ma.is_masked(X) and not impute:
            raise ValueError(
                f"X has {np.ma.count_masked(X):,} masked values, which are missing: fill them (X.filled), "
                "remove their rows, or set missing='impute'"
            )
        X = np.where(np.ma.getmaskarray(X), np.nan, X.data) if np.ma.is_masked(X) else X.data
    if isinstance(X, np.ndarray):
        X = of_objects(X) if X.dtype == object else X
        if X.dtype.kind in "mM":
            raise ValueError(f"X holds dates or times ({X.dtype}): make numbers of them, or leave them out")
        if X.dtype.kind in "US" and not texts:
            raise ValueError(
                f"X holds text ({X.dtype}): convert it, X.astype(float), or set text='one-hot', which makes "
                "a 0/1 feature for each text of a column"
            )
        if X.ndim == 4 and X.shape[3] in CHANNELS and X.shape[1] not in CHANNELS:
            raise ValueError(
                f"X has shape {X.shape}: images must have shape (N, channels, height, width), so move the "
                "last axis to the second place, numpy.moveaxis(X, -1, 1)"
            )
        if X.ndim in (3, 4):
            X = X.reshape(len(X), -1)
    return X


def of_lists(X: Any) -> Any:
    """Lists of numbers as an array, with NaN for ``None``; anything else as it is."""
    try:
        values = np.asarray(X)
    except (TypeError, ValueError):  # ragged
        return X
    values = of_objects(values) if values.dtype == object else values
    return values if values.dtype.kind in "biuf" else X


def of_objects(X: NDArray[Any]) -> NDArray[Any]:
    """An array of objects as one of numbers, with NaN for missing values; if there are texts among the
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
    except (TypeError, ValueError, OverflowError):  # texts, or something else
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


def finite(X: Any, *, gaps: bool = False) -> Any:
    """Return X, (N, D), after checking that no number is missing or infinite. With ``gaps``, missing numbers
    are allowed.

    Raises:
        ValueError: if a number is missing or infinite. It names the first of each.
    """
    said: dict[str, str] = {}
    for start, values in chunks(X) if X.dtype.kind == "f" else ():
        if np.isfinite(values).all():
            continue
        if np.isnan(values).any() and not gaps and "NaN" not in said:
            row, column = np.argwhere(np.isnan(values))[0]
            remedy = (
                "or fill them: missing='impute' is for dense tables"
                if issparse(X)
                else "or set missing='impute', which fills them with their column's mean"
            )
            said["NaN"] = (
                f"NaN, first in row {start + row}, column {column}, counted from 0: remove these rows, "
                f"{remedy}"
            )
        if np.isinf(values).any() and "inf" not in said:
            row, column = np.argwhere(np.isinf(values))[0]
            said["inf"] = (
                f"infinite numbers, first {values[row, column]} in row {start + row}, column {column}, "
                "counted from 0: remove these rows, or replace them with finite numbers"
            )
    if said:
        raise ValueError(f"Input X contains {'; and '.join(said.values())}")
    return X


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
    """Return the schema of a table with texts or missing values, and its numbers, (N, D). For a table of
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
    if not known.any(0).all():
        raise ValueError(f"X has no value at all in column {int(known.any(0).argmin())}: leave it out")
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
