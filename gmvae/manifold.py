r"""Clusters along the manifold that embedded observations lie on.

The graph of nearest neighbours is laid out in few dimensions by UMAP (McInnes et al., arXiv 1802.03426),
where groups with few links between them come apart, and a Gaussian mixture is fitted there (N2D: McConville
et al., arXiv 1908.05968). No label has a part in it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

Floats = NDArray[np.float32]
Graph = tuple[NDArray[np.int64], Floats]
"""Nearest neighbours of n observations and their distances, both of shape (n, links)."""
NEIGHBOURS = 20
"""Links of each observation in the graph."""
DIMENSIONS = 10
"""Of the layout, at most."""
MIXTURES = 10
"""Starts of the mixture; the one with the greatest likelihood is kept."""


@dataclass(frozen=True)
class Partition:
    """A way to part n observations into K clusters."""

    probabilities: NDArray[np.float64]
    """Responsibilities of the clusters, (n, K)."""

    @property
    def clusters(self) -> NDArray[np.int64]:
        """The most probable cluster of each observation, (n,)."""
        return self.probabilities.argmax(1)


def neighbours(values: Floats, count: int = NEIGHBOURS) -> Graph:
    """The nearest neighbours of each of n rows among the others, and their Euclidean distances, both of shape
    (n, count): exact, in memory for 1,000 rows at a time."""
    rows = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    count, found = min(count, len(rows) - 1), []
    for start in range(0, len(rows), 1000):
        part = rows[start : start + 1000]
        distance = torch.cdist(part, rows)
        distance[torch.arange(len(part)), torch.arange(start, start + len(part))] = torch.inf
        found.append(distance.topk(count, largest=False))
    return torch.cat([f.indices for f in found]).numpy(), torch.cat([f.values for f in found]).numpy()


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
        n_components=min(DIMENSIONS, values.shape[1]),
        precomputed_knn=(indices, distances),
        random_state=seed,
        n_jobs=1,
    )
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a layout without a search index cannot transform
        found = reducer.fit_transform(values)
    torch.set_num_threads(threads)  # numba has set OpenMP's, which are torch's as well
    return found


def mixture(values: NDArray[np.float64], clusters: int, seed: int) -> GaussianMixture:
    """The likeliest of ``MIXTURES`` Gaussian mixtures with full covariances."""
    model = GaussianMixture(clusters, n_init=MIXTURES, reg_covar=1e-4, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(values)


def partition(values: Floats, graph: Graph, clusters: int, seed: int) -> Partition:
    """Part rows of shape (n, D), whose neighbours are known, along their manifold."""
    flat = layout(values, graph, seed).astype(np.float64)
    model = mixture(flat, clusters, seed)
    return Partition(model.predict_proba(flat))


def modularity(clusters: NDArray[np.int64], graph: NDArray[np.int64]) -> float:
    r"""Newman's modularity of a partition, of n observations with a graph of shape (n, links):
    :math:`\sum_k e_{kk} - a_k^2`, where :math:`e_{jk}` is the share of links from cluster j to k and
    :math:`a_k = \sum_j e_{jk}` (Newman and Girvan, 2004). At most 1; 0 where clusters are drawn blindly."""
    size = int(clusters.max()) + 1
    links = np.zeros((size, size))
    np.add.at(links, (np.repeat(clusters, graph.shape[1]), clusters[graph].ravel()), 1.0)
    links = (links + links.T) / (2 * graph.size)
    return float(np.trace(links) - np.square(links.sum(0)).sum())


def cut(clusters: NDArray[np.int64], graph: NDArray[np.int64]) -> float:
    """The share of links, in a graph of shape (n, links), that go from one cluster to another."""
    return float((clusters[graph] != clusters[:, None]).mean())
