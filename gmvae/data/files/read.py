"""A whole file or folder of data as one :class:`Dataset`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.data.dataset import Dataset, Preparation
from gmvae.data.files.base import Source
from gmvae.data.files.labels import codes, plain, read_labels
from gmvae.data.files.open import open_source
from gmvae.data.scaling import Moments, Scaling, choose, dividing
from gmvae.data.schema import Recipe, Wish

FINE = 0.01
"""Most that a step of float32 may be of a column's standard deviation, where nothing scales it."""


COUNTED = 20
"""Rows from which on a column that rises by 1 from each to the next is no chance."""


def read_file(
    path: str | Path,
    wish: Wish | None = None,
    labels_path: str | None = None,
    likelihood: str = "auto",
    *,
    standardise: bool = True,
) -> Dataset:
    """The observations of a file or folder, in the units that the model takes, and their labels.

    The file is read twice where its values are scaled: once for the columns' moments, and once to fill an
    array of float32. Levels of images stay bytes.

    Arguments:
        path: What to read; :func:`gmvae.data.files.open.open_source` lists what it can be.
        wish: What to take from it.
        labels_path: A file of a whole number for each row, in place of a label column.
        likelihood: The likelihood it is for, or ``"auto"``.
        standardise: Whether columns are brought to mean 0 and standard deviation 1 for a Gaussian.

    Raises:
        ValueError: where the file does not hold what it should.
        OSError: where it cannot be read.
    """
    source = open_source(path)
    recipe = source.recipe(wish or Wish())
    first, labels, moments, counting, rows = _survey(source, recipe)
    shape = recipe.y_shape if len(recipe.y_shape) == 3 else None
    name = Path(path).name
    likelihood, reason, scaling, y_shape = choose(moments, first.dtype, likelihood, shape, name)
    if first.dtype == np.uint8 and not moments.binary:
        scaling, y = dividing(len(moments.mean), 255.0), first.reshape(-1, *y_shape)
    else:
        if not standardise:
            scaling, y_shape = dividing(math.prod(recipe.y_shape)), recipe.y_shape
            if likelihood == "gaussian":
                _check_digits(moments, name)
        y = _filled(source, recipe, scaling, y_shape, rows)
    known, classes = codes(labels) if labels_path is None else (read_labels(labels_path), ())
    left_out = np.setdiff1d(np.arange(len(moments.mean)), scaling.kept)
    names = recipe.features or tuple(map(str, range(len(moments.mean))))
    constant = tuple(names[column] for column in left_out)
    used = {*recipe.columns, recipe.id_column, recipe.label_column}
    index = tuple(column or "(no name)" for column in source.index() if column not in used)
    counts = tuple(names[column] for column in np.flatnonzero(counting)) if rows >= COUNTED else ()
    made = Preparation(recipe, scaling, likelihood, reason, moments.binary, constant, classes, index, counts)
    return Dataset(name, y, known, preparation=made)


def _survey(
    source: Source, recipe: Recipe
) -> tuple[NDArray[Any], list[Any], Moments, NDArray[np.bool_], int]:
    """All images where they are bytes, or an array of no rows and of the type of the others; the labels of
    all rows; the moments of all columns, and which of them count the rows; and the number of rows."""
    counting, last = np.ones((2, math.prod(recipe.y_shape)), dtype=np.bool_), None
    moments, parts, labels, rows = Moments(math.prod(recipe.y_shape)), [], [], 0
    for block in source.blocks(recipe):
        y = block.y.reshape(len(block.y), -1).astype(np.float64, copy=False)
        moments.add(y)
        if counting.any() and len(y):
            steps = np.diff(y if last is None else np.concatenate((last, y)), axis=0)
            counting &= np.stack(((steps == 1).all(0), (steps == -1).all(0)))
            last = y[-1:].copy()
        parts.append(block.y if block.y.dtype == np.uint8 else block.y[:0])
        rows += len(block.y)
        if block.labels is not None:
            labels += plain(block.labels)
    if not rows:
        raise ValueError(f"{source.path} has no rows: it must have at least two")
    return np.concatenate(parts), labels, moments, counting[0] | counting[1], rows


def _check_digits(moments: Moments, name: str) -> None:
    """``ValueError`` where values that nobody scales would lose their differences in float32."""
    kind = np.finfo(np.float32)
    greatest = np.maximum(abs(moments.least), abs(moments.most))
    fine = (moments.deviation > 1 / FINE * np.maximum(kind.eps * greatest, kind.tiny)) & (greatest < kind.max)
    if not (fine | moments.constant).all():
        column = int(np.argmin(fine | moments.constant))
        raise ValueError(
            f"column {column} of {name} goes from {moments.least[column]:g} to {moments.most[column]:g}, and "
            "float32 does not tell its values apart: standardise it (--standardise), or bring it to another "
            "scale"
        )


def _filled(
    source: Source, recipe: Recipe, scaling: Scaling, y_shape: tuple[int, ...], rows: int
) -> NDArray[np.float32]:
    """All rows in the model's units, shape (rows, *y_shape)."""
    y, done = np.empty((rows, math.prod(y_shape)), dtype=np.float32), 0
    for block in source.blocks(recipe):
        part = scaling.apply(block.y.reshape(len(block.y), -1))
        if done + len(part) > rows:
            break
        y[done : done + len(part)] = part
        done += len(part)
    else:
        if done == rows:
            return y.reshape(-1, *y_shape)
    raise ValueError(f"{source.path} changed while it was read: read it once more")
