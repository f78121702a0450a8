"""True classes, as they are in files, as numbers from 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.data.arrays import read_array

Labels = NDArray[np.int64]


def plain(values: Any) -> list[Any]:
    """The labels of a block as Python has them: of an Arrow or a numpy array."""
    return values.to_pylist() if hasattr(values, "to_pylist") else np.asarray(values).tolist()


def codes(labels: Sequence[Any]) -> tuple[Labels | None, tuple[str, ...]]:
    """Labels as numbers from 0, -1 where one is missing, and what these are called: sorted, numbers by their
    size even where they are text. ``None`` where there are none at all.

        >>> codes(["10", "2", None, "2"])
        (array([ 1,  0, -1,  0]), ('2', '10'))
    """
    if not labels:
        return None, ()
    names = [None if label is None or label != label else str(label) for label in labels]
    kinds = sorted({name for name in names if name is not None})
    sizes = [_size(name) for name in kinds]
    if None not in sizes:
        kinds = [name for _, name in sorted(zip(sizes, kinds, strict=True))]
    code = {name: number for number, name in enumerate(kinds)}
    return np.array([-1 if name is None else code[name] for name in names], dtype=np.int64), tuple(kinds)


def read_labels(path: str) -> Labels:
    """The labels in a .npy or .t7 file, whole numbers.

    Raises:
        ValueError: where they are not.
        OSError: where the file cannot be read.
    """
    labels = read_array(path)
    whole = labels.dtype.kind in "biu" or bool((np.isfinite(labels) & (labels == np.rint(labels))).all())
    if not whole:
        raise ValueError(f"{path} holds numbers that are not whole: labels must be whole numbers")
    return labels.astype(np.int64)


def _size(name: str) -> float | None:
    try:
        size = float(name)
    except ValueError:
        return None
    return size if math.isfinite(size) else None
