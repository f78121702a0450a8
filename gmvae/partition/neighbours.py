"""The exact nearest-neighbour graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

Floats = NDArray[np.float32]

Graph = tuple[NDArray[np.int64], Floats]
"""Nearest neighbours of n observations and their distances, both of shape (n, neighbours)."""

NEIGHBOURS = 20
"""How many neighbours each observation has in the graph."""


def neighbours(values: Floats, count: int = NEIGHBOURS) -> Graph:
    """Find the nearest neighbours of each of n rows among the others, and their Euclidean distances, both of
    shape (n, count), nearest first.

    The result is exact. Rows with few columns are searched with a tree. Otherwise all distances are computed,
    but they are never in memory all at once. Rows are in 64 bits, minus the medians of the columns, which
    rows far away do not move: the squares of long rows would round away distances within a tight group.
    """
    rows = np.asarray(values, dtype=np.float64)
    search = NearestNeighbors(n_neighbors=min(count, len(rows) - 1)).fit(rows - np.median(rows, axis=0))
    distances, indices = search.kneighbors()  # without arguments, no row is its own neighbour
    return indices, distances.astype(np.float32)
