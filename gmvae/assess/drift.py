"""Drift: new rows that are not like those that a model was fitted to."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.doctor import Finding
from gmvae.assess.outliers import RATE

OUTLIERS = 5 * RATE
"""Share of rows that belong to no cluster, from which on they are new."""
MOVED = 0.2
"""Share of all rows that would have to change clusters for the clusters to be as large as they were."""


def drift(
    outliers: NDArray[np.bool_] | None, probabilities: NDArray[np.floating], weights: NDArray[np.float64]
) -> Finding | None:
    r"""What new rows say of a model; ``None`` where they are like the old ones.

    Of rows like the old ones a share ``RATE`` is beyond the limits of their clusters
    (:mod:`gmvae.assess.outliers`), and the total variation of cluster sizes,

    .. math:: \frac12 \sum_k |\bar q_k - \pi_k|

    has a mean of at most :math:`\frac12 \sqrt{K / n}` by chance alone. Both must be exceeded by three times
    that chance.

    Arguments:
        outliers: Whether each row belongs to no cluster, (n,), where the model says so.
        probabilities: q(z | ...) of each row, (n, K).
        weights: The shares of the clusters in the old rows, (K,).
    """
    count, clusters = probabilities.shape
    found = []
    if outliers is not None:
        share, chance = float(outliers.mean()), math.sqrt(OUTLIERS * (1 - OUTLIERS) / count)
        if share > OUTLIERS + 3 * chance:
            found.append(f"{share:.0%} of them belong to no cluster, where {RATE:.1%} did")
    moved = 0.5 * float(abs(probabilities.mean(0) - weights).sum())
    if moved > MOVED + 1.5 * math.sqrt(clusters / count):
        change = probabilities.mean(0) - weights
        most = int(abs(change).argmax())
        share, before = float(probabilities[:, most].mean()), float(weights[most])
        found.append(f"cluster {most} has {share:.0%} of them, where it had {before:.0%}")
    if not found:
        return None
    return Finding(
        "drift",
        "warning",
        f"The new rows are not like those that the model was fitted to: {'; '.join(found)}.",
        "Look at them with gmvae report, and fit anew to old and new rows together where they are to stay.",
    )
