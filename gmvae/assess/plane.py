"""Rows of x in two dimensions, for pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsRegressor

from gmvae.model.isolation import isolated
from gmvae.partition.neighbours import neighbours
from gmvae.start import reducer

FITTED = 10_000
"""Maximum number of rows, evenly spaced, that UMAP is fitted to. Other rows are placed between these."""
NEIGHBOURS = 15
"""Number of neighbours of a row in UMAP, including the row itself."""
AMONG = 3
"""Each other row is placed at the mean of this many of its nearest fitted rows, weighted by 1 / distance."""

Array = NDArray[np.floating]


def planes(x: Array, seed: int = 0) -> dict[str, Array]:
    """Project rows of shape (N, x_size) to two dimensions. Returns points, (N, 2), by the name of the
    projection, the default first: x itself if it has at most two dimensions, else UMAP and the first two
    principal components."""
    x = np.asarray(x, dtype=np.float32)
    if x.shape[1] <= 2:
        return {"x": np.pad(x, ((0, 0), (0, 2 - x.shape[1])))}
    centred = x - x.mean(0)
    directions = np.linalg.eigh(np.cov(centred.T.astype(np.float64)))[1][:, :-3:-1]
    principal = {"PCA of x": (centred @ directions).astype(np.float32)}
    if len(x) < 2 * NEIGHBOURS or not centred.any():  # too few rows for a neighbour graph, or all equal
        return principal
    return {"UMAP of x": umap(x, seed)} | principal


@isolated
def umap(x: Array, seed: int = 0) -> Array:
    """UMAP (McInnes et al., arXiv 1802.03426) of rows of shape (N, x_size): points, (N, 2)."""
    fitted = np.arange(0, len(x), -(-len(x) // FITTED))
    known = x[fitted]
    itself = np.arange(len(known))[:, None]
    near, distances = neighbours(known, NEIGHBOURS - 1)
    near, distances = np.hstack([itself, near]), np.hstack([np.zeros_like(itself, np.float32), distances])
    points = np.empty((len(x), 2), dtype=np.float32)
    with reducer.umap(
        n_neighbors=near.shape[1], min_dist=0.1, random_state=seed, precomputed_knn=(near, distances)
    ) as mapper:
        points[fitted] = mapper.fit_transform(known)
    others = np.setdiff1d(np.arange(len(x)), fitted)
    if len(others):
        closeness = KNeighborsRegressor(AMONG, weights="distance")
        points[others] = closeness.fit(known, points[fitted]).predict(x[others])
    return points
