"""The graph of nearest neighbours, exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

Floats = NDArray[np.float32]

Graph = tuple[NDArray[np.int64], Floats]
"""Nearest neighbours of n observations and their distances, both of shape (n, links)."""

NEIGHBOURS = 20
"""Links of each observation in the graph."""


def neighbours(values: Floats, count: int = NEIGHBOURS) -> Graph:
    """The nearest neighbours of each of n rows among the others, and their Euclidean distances, both of shape
    (n, count), the nearest first: exact, by a tree of rows of few columns, else by all distances, which are
    never in memory together.

    Distances are those of rows in 64 bits, less the medians of the columns, which rows far away do not move:
    squares of long rows would round away the distances in a narrow group.
    """
    rows = np.asarray(values, dtype=np.float64)
    search = NearestNeighbors(n_neighbors=min(count, len(rows) - 1)).fit(rows - np.median(rows, axis=0))
    distances, indices = search.kneighbors()  # of the rows that it knows, so that no row is its own
    return indices, distances.astype(np.float32)
