"""Conductance: how well the clusters of a partition are separated in a nearest-neighbour graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gmvae.partition.communities import Clusters, Neighbours


def conductance(clusters: Clusters, graph: Neighbours) -> NDArray[np.float64]:
    r"""The conductance of each of K clusters S in a graph. Two rows have an edge if either is a neighbour of
    the other:

    .. math:: \phi(S) = \frac{\mathrm{cut}(S, \bar S)}{\min(\mathrm{vol}\,S, \mathrm{vol}\,\bar S)}

    where cut counts the edges between S and the other rows, and vol the ends of edges (Kannan, Vempala and
    Vetta, 2004). It is 0 if no edge leaves the cluster, and 1 if all do.

    Arguments:
        clusters: The cluster of each row, (n,), numbered from 0 without gaps.
        graph: The nearest neighbours of each row, (n, neighbours).
    """
    count, degree = graph.shape
    ends = np.repeat(np.arange(count), degree), graph.ravel()
    edges = sparse.csr_matrix((np.ones(count * degree), ends), (count, count))
    edges = edges.maximum(edges.T)
    member = sparse.csr_matrix((np.ones(count), (np.arange(count), clusters)))
    between = (member.T @ edges @ member).toarray()
    volume = between.sum(1)
    smaller = np.minimum(volume, volume.sum() - volume)
    leaving = volume - np.diag(between)
    return np.divide(leaving, smaller, out=np.zeros_like(leaving), where=smaller > 0)
