"""How good partitions of the same rows are, told without labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from gmvae import communities, manifold
from gmvae.data.rows import Rows
from gmvae.metrics import consensus
from gmvae.rounds import MANIFOLD_FROM

AT_ONCE = 1000
"""Rows that are scaled at once."""


def merits(partitions: Sequence[NDArray[np.int64]], rows: Rows) -> dict[str, NDArray[np.float64]]:
    """What speaks for each of R partitions of the same rows, each of shape (R,); the last is what decides.

    ``agreement`` is that with the others (:func:`gmvae.metrics.consensus`). From 1,000 rows on, of which the
    graph of nearest neighbours tells something, there is ``modularity`` as well, that of the clusters in this
    graph (:func:`gmvae.communities.modularity`): many fits can agree on clusters that part what belongs
    together, links cannot. docs/choosing.md has figures for both.

    Arguments:
        partitions: The cluster of each distinct row, (N,), R times.
        rows: These rows.
    """
    found = {"agreement": consensus(partitions)}
    if len(partitions) > 1 and len(rows.order) >= MANIFOLD_FROM:
        values = torch.cat([batch.float() for batch in rows.batches(AT_ONCE)]).flatten(1).cpu().numpy()
        links = manifold.neighbours(values)[0]
        found["modularity"] = np.array([communities.modularity(each, links) for each in partitions])
    return found
