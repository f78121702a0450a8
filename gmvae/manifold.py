r"""Clusters along the manifold that embedded observations lie on.

The graph of nearest neighbours is laid out in few dimensions by UMAP (McInnes et al., arXiv 1802.03426),
where groups with few links between them come apart, and a Gaussian mixture is fitted there (N2D: McConville
et al., arXiv 1908.05968). No label has a part in it.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from gmvae.communities import Clusters, merge
from gmvae.isolation import isolated

Floats = NDArray[np.float32]
Graph = tuple[NDArray[np.int64], Floats]
"""Nearest neighbours of n observations and their distances, both of shape (n, links)."""
NEIGHBOURS = 20
"""Links of each observation in the graph."""
DIMENSIONS = 10
"""Of the layout, at most."""
MIXTURES = 10
"""Starts of a mixture with as many components as clusters; the one with the greatest likelihood is kept."""
CELLS, LEAST = 6, 50
"""Components for each cluster where components are joined, as long as each can have so many observations."""


@isolated
def neighbours(values: Floats, count: int = NEIGHBOURS) -> Graph:
    """The nearest neighbours of each of n rows among the others, and their Euclidean distances, both of shape
    (n, count), the nearest first: exact, by a tree of rows of few columns, else by all distances, which are
    never in memory together.

    Distances are those of centred rows in 64 bits: in 32 bits, squares of the rows' lengths round away the
    distances in a narrow group.
    """
    rows = np.asarray(values, dtype=np.float64)
    search = NearestNeighbors(n_neighbors=min(count, len(rows) - 1)).fit(rows - rows.mean(0))
    distances, indices = search.kneighbors()  # of the rows that it knows, so that no row is its own
    return indices, distances.astype(np.float32)


@isolated
def layout(values: Floats, graph: Graph, seed: int) -> Floats:
    """UMAP's layout of rows of shape (n, D) whose neighbours are known: shape (n, at most 10)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # that there is no TensorFlow
        from umap import UMAP  # which takes seconds, so not before it is needed

    itself = np.arange(len(values))[:, None]
    indices = np.hstack([itself, graph[0]])
    distances = np.hstack([np.zeros_like(itself, dtype=np.float32), graph[1]])
    reducer = UMAP(
        n_neighbors=indices.shape[1],
        min_dist=0.0,
        n_components=max(1, min(DIMENSIONS, values.shape[1], len(values) - 2)),
        precomputed_knn=(indices, distances),
        random_state=seed,
        n_jobs=1,
    )
    threads = torch.get_num_threads()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a layout without a search index cannot transform
            return reducer.fit_transform(values)
    finally:
        torch.set_num_threads(threads)  # numba has set OpenMP's, which are torch's as well


def components(values: NDArray[np.float64], count: int, seed: int, starts: int = 1) -> Clusters:
    """The components, numbered from 0 without gaps, that rows of shape (n, D) belong to in the likeliest of
    so many Gaussian mixtures with full covariances: (n,)."""
    model = GaussianMixture(count, n_init=starts, reg_covar=1e-4, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.unique(model.fit_predict(values), return_inverse=True)[1]


def refine(values: NDArray[np.float64], clusters: Clusters) -> Clusters:
    """The components of the Gaussian mixture with full covariances that begins with given clusters, numbered
    from 0, of rows of shape (n, D): (n,)."""
    size = np.bincount(clusters)
    mean = np.stack([values[clusters == k].mean(0) for k in range(len(size))])
    spread = [np.atleast_2d(np.cov(values[clusters == k].T, bias=True)) for k in range(len(size))]
    inverse = np.linalg.inv(np.stack(spread) + 1e-4 * np.eye(values.shape[1]))
    model = GaussianMixture(
        len(size),
        reg_covar=1e-4,
        weights_init=size / size.sum(),
        means_init=mean,
        precisions_init=inverse,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit_predict(values).astype(np.int64)


def partition(values: Floats, graph: Graph, clusters: int, seed: int, *, joined: bool) -> Clusters:
    """Part rows of shape (n, D), whose neighbours are known, along their manifold: the cluster of each, (n,).

    Arguments:
        values: The rows.
        graph: Their neighbours.
        clusters: K.
        seed: Seed of layout, mixture and search.
        joined: Fit several components for each cluster and join them to the clusters of the greatest
            modularity, for clusters that are groups of groups, as kinds of images are. Without it each
            component is a cluster, so that long arcs, whose ends have no link, stay whole.
    """
    flat = layout(values, graph, seed).astype(np.float64)
    if not joined:
        return components(flat, clusters, seed, MIXTURES)
    count = max(clusters, min(CELLS * clusters, len(flat) // LEAST))
    return merge(components(flat, count, seed), graph[0], clusters, seed)
