r"""Clusters along the manifold that embedded observations lie on.

The graph of nearest neighbours is embedded in few dimensions by UMAP (McInnes et al., arXiv 1802.03426),
where groups with few edges between them come apart, and a Gaussian mixture is fitted there (N2D: McConville
et al., arXiv 1908.05968). No label has a part in it.
"""

from __future__ import annotations

import numpy as np

from gmvae.model.isolation import isolated
from gmvae.partition.communities import Clusters, merge
from gmvae.partition.mixture import components
from gmvae.partition.neighbours import Floats, Graph
from gmvae.start.reducer import umap

DIMENSIONS = 10
"""Of the layout, at most."""

MIXTURES = 10
"""Starts of a mixture with as many components as clusters; the one with the greatest likelihood is kept."""

CELLS, LEAST = 6, 50
"""Components for each cluster where components are joined, as long as each can have so many observations."""


@isolated
def layout(values: Floats, graph: Graph, seed: int) -> Floats:
    """UMAP's layout of rows of shape (n, D) whose neighbours are known: shape (n, at most 10)."""
    itself = np.arange(len(values))[:, None]
    indices = np.hstack([itself, graph[0]])
    distances = np.hstack([np.zeros_like(itself, dtype=np.float32), graph[1]])
    with umap(
        n_neighbors=indices.shape[1],
        min_dist=0.0,
        n_components=max(1, min(DIMENSIONS, values.shape[1], len(values) - 2)),
        precomputed_knn=(indices, distances),
        random_state=seed,
    ) as reducer:
        found: Floats = reducer.fit_transform(values)
    return found


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
