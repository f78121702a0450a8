r"""Find clusters along the manifold of the observations.

UMAP embeds the nearest-neighbour graph in a few dimensions (McInnes et al., arXiv 1802.03426). Groups with
few edges between them are far apart in this embedding. A Gaussian mixture is fitted there (N2D: McConville et
al., arXiv 1908.05968). No labels are used.
"""

from __future__ import annotations

import numpy as np

from gmvae.model.isolation import isolated
from gmvae.partition.communities import Clusters, merge
from gmvae.partition.mixture import components
from gmvae.partition.neighbours import Floats, Graph
from gmvae.start.reducer import umap

DIMENSIONS = 10
"""Maximum number of dimensions of UMAP's embedding."""

MIXTURES = 10
"""Starts of a mixture with as many components as clusters; the one with the greatest likelihood is kept."""

CELLS, CELL_ROWS = 6, 50
"""Number of components for each cluster if components are joined, and the minimum number of observations for
each component on average; fewer observations mean fewer components."""


@isolated
def embed(values: Floats, graph: Graph, seed: int, passes: int | None = None) -> Floats:
    """Embed rows of shape (n, D), with known neighbours, by UMAP: shape (n, at most 10). ``passes`` over the
    edges are, by default, UMAP's: 500, or 200 with more than 10,000 rows."""
    itself = np.arange(len(values))[:, None]
    indices = np.hstack([itself, graph[0]])
    distances = np.hstack([np.zeros_like(itself, dtype=np.float32), graph[1]])
    with umap(
        n_neighbors=indices.shape[1],
        min_dist=0.0,
        n_components=max(1, min(DIMENSIONS, values.shape[1], len(values) - 2)),
        precomputed_knn=(indices, distances),
        random_state=seed,
        n_epochs=passes,
    ) as reducer:
        found: Floats = reducer.fit_transform(values)
    return found


def partition(
    values: Floats, graph: Graph, clusters: int, seed: int, *, joined: bool, passes: int | None = None
) -> Clusters:
    """Cluster rows of shape (n, D), with known neighbours, along their manifold: the cluster of each, (n,).

    Arguments:
        values: The rows.
        graph: Their neighbours.
        clusters: K.
        seed: Seed of the embedding, the mixture and the search.
        joined: Fit several components for each cluster and join them into clusters with the greatest
            modularity. This suits clusters that consist of several groups, as classes of images do. Without
            it each component is a cluster. Then long arcs, whose ends are not neighbours, stay in one piece.
        passes: As for :func:`embed`.
    """
    flat = embed(values, graph, seed, passes).astype(np.float64)
    if not joined:
        return components(flat, clusters, seed, MIXTURES)
    count = max(clusters, min(CELLS * clusters, len(flat) // CELL_ROWS))
    return merge(components(flat, count, seed), graph[0], clusters, seed)
