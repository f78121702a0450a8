"""Spectral clustering."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import SpectralClustering

from gmvae.partition.communities import Clusters
from gmvae.start.candidates.base import Rows

NEIGHBOURS = 10
"""How many neighbours of each row are used, including the row itself."""
LOOSE = 1e-4
"""Weight of the edges that connect the components of a graph."""


def candidates(rows: Rows) -> Iterator[tuple[str, Clusters]]:
    """The clusters of the nearest-neighbour graph (Shi and Malik, 2000), found from its eigenvectors with a
    pivoted QR decomposition (Damle, Minden and Ying, 2019)."""
    count = len(rows.values)
    if rows.clusters >= count - 1:
        return
    indices = np.hstack([np.arange(count)[:, None], rows.neighbours(NEIGHBOURS - 1)[0]])
    ends = np.repeat(np.arange(count), indices.shape[1]), indices.ravel()
    edges = sparse.csr_matrix((np.ones(indices.size), ends), (count, count))
    graph = (edges + edges.T) / 2
    first = np.unique(connected_components(graph)[1], return_index=True)[1]
    loose = sparse.csr_matrix((np.full(len(first), LOOSE), (first, np.roll(first, 1))), (count, count))
    if len(first) > 1:  # scikit-learn needs a connected graph
        graph = graph + loose + loose.T
    model = SpectralClustering(
        rows.clusters, affinity="precomputed", assign_labels="cluster_qr", random_state=rows.seed
    )
    yield "spectral", model.fit_predict(graph)
