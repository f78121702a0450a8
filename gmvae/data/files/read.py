"""A whole file or folder of data as one :class:`Dataset`."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.data.counting import Counting
from gmvae.data.dataset import Dataset, Origin
from gmvae.data.files.base import Source
from gmvae.data.files.labels import codes, plain, read_labels
from gmvae.data.files.open import open_source
from gmvae.data.schema import ReadOptions, Schema


def read_file(
    path: str | Path, options: ReadOptions | None = None, labels_path: str | None = None
) -> Dataset:
    """Read the rows of a file or folder, unscaled, and their labels: numbers of a table in 64 bits, levels of
    images as bytes.

    The file is read twice: once for the labels and the number of rows, and once to fill an array.

    Arguments:
        path: What to read; :func:`gmvae.data.files.open.open_source` lists what it can be.
        options: How to read it.
        labels_path: A file with a whole number for each row, in place of a label column.

    Raises:
        ValueError: if the content of the file is not valid.
        OSError: if it cannot be read.
    """
    source = open_source(path)
    schema = source.schema(options or ReadOptions())
    images, labels, given, counts, rows = _survey(source, schema)
    y = images if images.dtype == np.uint8 else _filled(source, schema, rows)
    known, classes = codes(labels) if labels_path is None else (read_labels(labels_path), ())
    weights = None if schema.weight_column is None else _weights(given, source.path, schema.weight_column)
    names = schema.features or tuple(map(str, range(math.prod(schema.y_shape))))
    origin = Origin(schema, classes, left_out(source, schema), tuple(names[column] for column in counts))
    return Dataset(Path(path).name, y.reshape(-1, *schema.y_shape), known, weights=weights, origin=origin)


def left_out(source: Source, schema: Schema) -> tuple[str, ...]:
    """The columns of a file that name its rows, and so are not features."""
    used = {*schema.columns} | schema.beside
    return tuple(column or "(no name)" for column in source.index() if column not in used)


def _survey(source: Source, schema: Schema) -> tuple[NDArray[Any], list[Any], list[Any], list[int], int]:
    """Read a source once.

    Returns all images if they are bytes, else an empty array of the type of the rows; the labels and the
    weights of all rows; which columns count the rows; and the number of rows.
    """
    counting = Counting(math.prod(schema.y_shape))
    parts, labels, weights, rows = [], [], [], 0
    for block in source.blocks(schema):
        counting.add(block.y.reshape(len(block.y), -1))
        parts.append(
            block.y if block.y.dtype == np.uint8 else block.y[:0].copy()
        )  # a view would keep the block
        rows += len(block.y)
        if block.labels is not None:
            labels += plain(block.labels)
        if block.weights is not None:
            weights += plain(block.weights)
    if not rows:
        raise ValueError(f"{source.path} has no rows: it must have at least two")
    return np.concatenate(parts), labels, weights, counting.found, rows


def _weights(values: list[Any], path: Path, column: str) -> NDArray[np.float64]:
    """Check and return the weights of all rows.

    Raises:
        ValueError: if one is not a finite number of at least 0, or all are 0.
    """
    found = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        with suppress(TypeError, ValueError):  # a gap, or a word
            found[row] = float(value)
        if not 0 <= found[row] < np.inf:
            given = "no value" if value is None or value == "" else value
            raise ValueError(
                f"{path} has {given} in row {row} of its weight column {column}, counted from 0: a weight "
                "must be a finite number of at least 0"
            )
    if not found.any():
        raise ValueError(f"{path} has only zeros in its weight column {column}: a weight must be above 0")
    return found


def _filled(source: Source, schema: Schema, rows: int) -> NDArray[np.float64]:
    """Read all rows into one array, (rows, numbers in each)."""
    y, done = np.empty((rows, math.prod(schema.y_shape))), 0
    for block in source.blocks(schema):
        part = block.y.reshape(len(block.y), -1)
        if done + len(part) > rows:
            break
        y[done : done + len(part)] = part
        done += len(part)
    else:
        if done == rows:
            return y
    raise ValueError(f"{source.path} changed while it was read: read it again")
