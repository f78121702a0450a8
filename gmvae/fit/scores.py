"""Scores of restarts, which decide which one is kept: partitions of the same rows, compared without
labels."""

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
"""R partitions, each the cluster of each distinct row, (N,)."""


def restart_scores(partitions: Partitions, rows: Observations) -> dict[str, NDArray[np.float64]]:
    """The scores of R partitions of the same rows, each of shape (R,). The last one decides.

    ``agreement`` is that with the other partitions (:func:`gmvae.partition.metrics.consensus`). With at least
    1,000 rows the nearest-neighbour graph is informative, and there is :func:`modularity` as well: many fits
    can agree on clusters that split a natural group, but such clusters have a low modularity.
    docs/choosing.md has figures for both.

    Arguments:
        partitions: The partitions.
        rows: Their rows, without duplicates, which would only be each other's neighbours.
    """
    found = {"agreement": consensus(partitions)}
    if len(partitions) > 1 and len(rows.order) >= MANIFOLD_FROM:
        found["modularity"] = modularity(partitions, rows)
    return found


def modularity(partitions: Partitions, rows: Observations) -> NDArray[np.float64]:
    """The modularity of each of R partitions in the nearest-neighbour graph of their rows, (R,)
    (:func:`gmvae.partition.communities.modularity`)."""
    graph = neighbours(rows.tensor().flatten(1).cpu().numpy())[0]
    return np.array([communities.modularity(clusters, graph) for clusters in partitions])


def best(
    partitions: Partitions, losses: Sequence[float], rows: Observations
) -> tuple[int, list[dict[str, float]]]:
    """Choose which of several fits to keep, without labels; returns its number and the scores of all fits
    (:func:`restart_scores`).

    It is the fit with the greatest deciding score: modularity in the nearest-neighbour graph if there is one,
    else agreement with the others. Ties (two fits always agree equally) go to the smallest loss.

    Arguments:
        partitions: The clusters of each fit.
        losses: The loss of each fit, in nats per observation.
        rows: The distinct rows on which the clusters are compared.
    """
    found = restart_scores(partitions, rows)
    each = [{name: float(values[i]) for name, values in found.items()} for i in range(len(losses))]
    *_, decisive = found
    return max(range(len(losses)), key=lambda i: (round(each[i][decisive], 9), -losses[i])), each
