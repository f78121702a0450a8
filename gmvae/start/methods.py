"""Methods that cluster the same rows into several numbers of clusters, to compare their stability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import linkage
from sklearn.cluster import KMeans

from gmvae.partition.communities import Clusters, merge
from gmvae.partition.mixture import components, refine
from gmvae.partition.neighbours import neighbours
from gmvae.partition.stability import Floats
from gmvae.partition.trees import cut
from gmvae.start.embedding import CELL_ROWS, embed


def means(values: Floats, counts: Sequence[int], seed: int) -> list[Clusters]:
    """Cluster by k-means."""
    exact = values.astype(np.float64)  # in 32 bits k-means rounds away small distances
    return [KMeans(k, n_init=5, random_state=seed).fit_predict(exact).astype(np.int64) for k in counts]


def arcs(values: Floats, counts: Sequence[int], seed: int) -> list[Clusters]:
    """Cluster by Gaussian mixtures on UMAP's embedding of the rows, each starting from Ward's clusters."""
    flat = embed(values, neighbours(values), seed).astype(np.float64)
    merges = linkage(flat, "ward")
    return [refine(flat, cut(merges, k)) for k in counts]


def groups(values: Floats, counts: Sequence[int], seed: int) -> list[Clusters]:
    """Cluster by joining cells of UMAP's embedding of the rows."""
    graph = neighbours(values)
    flat = embed(values, graph, seed).astype(np.float64)
    maximum = max(counts)
    cells = components(flat, max(maximum, min(4 * maximum, len(flat) // CELL_ROWS)), seed)
    return [merge(cells, graph[0], k, seed) for k in counts]
