"""Rows of x in two dimensions, to look at."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray

from gmvae.model.isolation import isolated

FITTED = 10_000
"""Rows that UMAP is fitted to, at most, evenly spaced; the others are placed among them."""
NEIGHBOURS = 15
"""Neighbours of a row in UMAP."""

Array = NDArray[np.floating]


def planes(x: Array, seed: int = 0) -> dict[str, Array]:
    """Rows of shape (N, x_size) as points, (N, 2), by the name of the view, the one to begin with first: x
    itself where it has at most two dimensions, else UMAP and the two principal directions."""
    x = np.asarray(x, dtype=np.float32)
    if x.shape[1] <= 2:
        return {"x": np.pad(x, ((0, 0), (0, 2 - x.shape[1])))}
    centred = x - x.mean(0)
    directions = np.linalg.eigh(np.cov(centred.T.astype(np.float64)))[1][:, :-3:-1]
    principal = {"PCA of x": (centred @ directions).astype(np.float32)}
    if len(x) < 2 * NEIGHBOURS or not centred.any():  # too few, or all alike, for a graph of neighbours
        return principal
    return {"UMAP of x": umap(x, seed)} | principal


@isolated
def umap(x: Array, seed: int = 0) -> Array:
    """UMAP (McInnes et al., arXiv 1802.03426) of rows of shape (N, x_size): points, (N, 2)."""
    threads = torch.get_num_threads()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is no TensorFlow, and that a seed means one thread
            from umap import UMAP  # which takes seconds, so not before it is needed

            fitted = np.arange(0, len(x), -(-len(x) // FITTED))
            mapper = UMAP(n_neighbors=NEIGHBOURS, min_dist=0.1, random_state=seed, n_jobs=1)
            points = np.empty((len(x), 2), dtype=np.float32)
            points[fitted] = mapper.fit_transform(x[fitted])
            others = np.setdiff1d(np.arange(len(x)), fitted)
            if len(others):
                points[others] = mapper.transform(x[others])
            return points
    finally:
        torch.set_num_threads(threads)  # numba has set OpenMP's, which are torch's as well
