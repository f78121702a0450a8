"""A whole file or folder of data as one :class:`Dataset`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.data.arrays import read_array
from gmvae.data.dataset import Dataset, Preparation
from gmvae.data.recipe import Recipe, Wish
from gmvae.data.scaling import Moments, Scaling, choose, dividing
from gmvae.data.source import Source, open_source

Labels = NDArray[np.int64]


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
        path: What to read; :func:`gmvae.data.source.open_source` lists what it can be.
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
    first, labels, moments = _survey(source, recipe)
    shape = recipe.y_shape if len(recipe.y_shape) == 3 else None
    name = Path(path).name
    likelihood, reason, scaling, y_shape = choose(moments, first.dtype, likelihood, shape, name)
    if first.dtype == np.uint8:
        scaling, y = dividing(len(moments.mean), 255.0), first.reshape(-1, *y_shape)
    else:
        if not standardise:
            scaling, y_shape = dividing(math.prod(recipe.y_shape)), recipe.y_shape
        y = _filled(source, recipe, scaling, y_shape)
    if labels_path is None:
        codes, classes = _codes(labels)
    else:
        codes, classes = _read_labels(labels_path), ()
    left_out = np.setdiff1d(np.arange(len(moments.mean)), scaling.kept)
    names = recipe.features or tuple(map(str, range(len(moments.mean))))
    constant = tuple(names[column] for column in left_out)
    made = Preparation(recipe, scaling, likelihood, reason, moments.binary, constant, classes)
    return Dataset(name, y, codes, preparation=made)


def _survey(source: Source, recipe: Recipe) -> tuple[NDArray[Any], list[Any], Moments]:
    """All images where they are bytes, or an array of no rows and of the type of the others; the labels of
    all rows; and the moments of all columns."""
    moments, parts, labels = Moments(math.prod(recipe.y_shape)), [], []
    for block in source.blocks(recipe):
        moments.add(block.y.reshape(len(block.y), -1).astype(np.float64, copy=False))
        parts.append(block.y if block.y.dtype == np.uint8 else block.y[:0])
        if block.labels is not None:
            labels += np.asarray(block.labels).tolist()
    if not parts:
        raise ValueError(f"{source.path} has no rows: it must have at least two")
    return np.concatenate(parts), labels, moments


def _filled(
    source: Source, recipe: Recipe, scaling: Scaling, y_shape: tuple[int, ...]
) -> NDArray[np.float32]:
    parts = [
        scaling.apply(block.y.reshape(len(block.y), -1)).astype(np.float32) for block in source.blocks(recipe)
    ]
    return np.concatenate(parts).reshape(-1, *y_shape)


def _codes(labels: Sequence[Any]) -> tuple[Labels | None, tuple[str, ...]]:
    """Labels as numbers from 0, -1 where one is missing, and what these are called, in their order."""
    if not labels:
        return None, ()
    known = [label for label in labels if not _missing(label)]
    kinds = sorted(set(known)) if _comparable(known) else sorted(set(known), key=str)
    code = {kind: number for number, kind in enumerate(kinds)}
    codes = [-1 if _missing(label) else code[label] for label in labels]
    return np.array(codes), tuple(map(str, kinds))


def _missing(label: Any) -> bool:
    return label is None or label != label


def _comparable(labels: Sequence[Any]) -> bool:
    return len({isinstance(label, str) for label in labels}) < 2


def _read_labels(path: str) -> Labels:
    labels = read_array(path)
    whole = labels.astype(np.int64)
    if not np.array_equal(whole, labels):
        raise ValueError(f"{path} holds numbers that are not whole: labels must be whole numbers")
    return whole
