"""Tables of any kind, read a chunk of rows at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gmvae.data.scales.moments import Floats

CHUNK = 1 << 20
"""How many numbers are looked at together: the memory that a survey needs besides the table."""


def chunks(source: Any, order: NDArray[np.int64] | None = None) -> Iterator[tuple[int, Floats]]:
    """Yield a table of shape (N, D) in pieces of whole rows: how many rows came before, and the values. With
    ``order``, only the rows with these numbers, in this order."""
    rows = max(1, CHUNK // math.prod(source.shape[1:]))
    for start in range(0, source.shape[0] if order is None else len(order), rows):
        part = slice(start, start + rows)
        yield start, dense(source[part if order is None else order[part]])


def dense(values: Any) -> Floats:
    """Rows of an array or of a sparse matrix as 64-bit floats."""
    return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float64)
