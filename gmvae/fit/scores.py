"""Scores of restarts: how good partitions of the same rows are, without labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gmvae.data.observations import Observations
from gmvae.partition import communities
from gmvae.partition.metrics import consensus
from gmvae.partition.neighbours import neighbours
from gmvae.start.rounds import MANIFOLD_FROM

Partitions = Sequence[NDArray[np.int64]]
"""The cluster of each distinct row, (N,), R times."""


def merits(partitions: Partitions, rows: Observations) -> dict[str, NDArray[np.float64]]:
    """What speaks for each of R partitions of the same rows, each of shape (R,); the last is what decides.

    ``agreement`` is that with the others (:func:`gmvae.partition.metrics.consensus`). From 1,000 rows on, of
    which the graph of nearest neighbours tells something, there is :func:`modularity` as well: many fits can
    agree on clusters that part what belongs together, links cannot. docs/choosing.md has figures for both.

    Arguments:
        partitions: The partitions.
        rows: These rows, no two of them the same: copies would have links to each other only.
    """
    found = {"agreement": consensus(partitions)}
    if len(partitions) > 1 and len(rows.order) >= MANIFOLD_FROM:
        found["modularity"] = modularity(partitions, rows)
    return found


def modularity(partitions: Partitions, rows: Observations) -> NDArray[np.float64]:
    """The modularity of each of R partitions in the graph of nearest neighbours of their rows, (R,)
    (:func:`gmvae.partition.communities.modularity`)."""
    links = neighbours(rows.tensor().flatten(1).cpu().numpy())[0]
    return np.array([communities.modularity(clusters, links) for clusters in partitions])


def best(
    partitions: Partitions, losses: Sequence[float], rows: Observations
) -> tuple[int, list[dict[str, float]]]:
    """Which of several fits to keep, without labels, and the scores of each (:func:`merits`): the fit whose
    clusters agree most with those of the others or have the greatest modularity in the graph of nearest
    neighbours and, of those with the same (two always agree as much), the one with the least loss.

    Arguments:
        partitions: The clusters of each fit.
        losses: Its loss, nats per observation.
        rows: The distinct rows that clusters are compared on.
    """
    found = merits(partitions, rows)
    each = [{name: float(values[i]) for name, values in found.items()} for i in range(len(losses))]
    *_, decisive = found
    return max(range(len(losses)), key=lambda i: (round(each[i][decisive], 9), -losses[i])), each
