"""Read true classes from files, as numbers from 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.data.files.arrays import read_array

Labels = NDArray[np.int64]
UNKNOWN = ("", "nan", "NaN", "<NA>", "#N/A")
"""Texts that never name a class: programs write them for missing values."""
UNKNOWN_NUMBERS = ("NA", "N/A", "null", "NULL", "None")
"""Texts that are missing values if all other classes are numbers. Among words they are classes."""


def plain(values: Any) -> list[Any]:
    """The labels of a block, an Arrow or numpy array, as Python values."""
    return values.to_pylist() if hasattr(values, "to_pylist") else np.asarray(values).tolist()


def codes(labels: Sequence[Any]) -> tuple[Labels | None, tuple[str, ...]]:
    """Return labels as numbers from 0, with -1 for missing ones, and the names of the classes.

    The names are sorted; numbers by size, even if they are text. Without any labels the first is ``None``.

    Classes do not depend on the format of the file: a whole number has the same name whether it is written as
    1, as 1.0 or, if all classes are numbers, as text. Blanks around a string are ignored.

        >>> codes(["10", "2", None, "2"])
        (array([ 1,  0, -1,  0]), ('2', '10'))
        >>> codes([1, 2.0, None, 1.0])[1], codes(["1", "2.0", "NA"])[1], codes(["None", "mild", "NA"])[1]
        (('1', '2'), ('1', '2'), ('NA', 'None', 'mild'))
    """
    if not labels:
        return None, ()
    names = [_name(label) for label in labels]
    sizes = {name: _size(name) for name in {*names} if name not in (None, *UNKNOWN_NUMBERS)}
    if sizes and None not in sizes.values():
        kinds = sorted({size for size in sizes.values() if size is not None})
        rank = {size: number for number, size in enumerate(kinds)}
        place: dict[str | None, int] = {name: rank[size] for name, size in sizes.items() if size is not None}
        called = tuple(str(int(size)) if size == int(size) else str(size) for size in kinds)
    else:
        called = tuple(sorted({name for name in names if name is not None}))
        place = {name: number for number, name in enumerate(called)}
    return np.array([place.get(name, -1) for name in names], dtype=np.int64), called


def read_labels(path: str) -> Labels:
    """Read the labels in a .npy or .t7 file: whole numbers; those below 0 are unknown.

    Raises:
        ValueError: if they are not whole numbers.
        OSError: if the file cannot be read.
    """
    labels = read_array(path)
    whole = labels.dtype.kind in "biu" or bool((np.isfinite(labels) & (labels == np.rint(labels))).all())
    if not whole:
        raise ValueError(f"{path} holds numbers that are not whole: labels must be whole numbers")
    return labels.astype(np.int64)


def _name(label: Any) -> str | None:
    """The name of a label; ``None`` if it is missing."""
    if isinstance(label, np.generic):
        label = label.item()
    if isinstance(label, bytes):
        label = label.decode(errors="replace")
    if isinstance(label, str):
        name = label.strip()
        return None if name in UNKNOWN else name
    if label is None or type(label).__name__ in ("NAType", "NaTType") or label != label:
        return None
    if isinstance(label, bool):
        return str(label)
    size = _size(str(label))
    # whole numbers come as 1.0 or 1.00 from a column with gaps or decimals
    return str(int(size)) if size is not None and size == int(size) else str(label)


def _size(name: str) -> float | None:
    """The finite number that a string spells, exact if it is whole; else ``None``."""
    for kind in (int, float):
        try:
            size = kind(name)
        except ValueError:
            continue
        return size if math.isfinite(size) and "_" not in name else None
    return None
