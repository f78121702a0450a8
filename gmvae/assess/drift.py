"""Drift: new rows that differ from the rows that a model was fitted to."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.doctor import Finding
from gmvae.assess.outliers import RATE

OUTLIERS = 5 * RATE
"""Share of rows in no cluster above which rows count as different."""
MOVED = 0.2
"""The same for the share of rows that would have to change clusters to restore the old cluster sizes."""


def drift(
    outliers: NDArray[np.bool_] | None,
    probabilities: NDArray[np.floating],
    weights: NDArray[np.float64],
    row_weights: NDArray[np.float64] | None = None,
) -> Finding | None:
    r"""Compare new rows with those that a model was fitted to; ``None`` if they are alike.

    Of rows like the old ones, a share ``RATE`` is beyond the limits of their clusters
    (:mod:`gmvae.assess.outliers`), and the total variation of cluster sizes,

    .. math:: \frac12 \sum_k |\bar q_k - \pi_k|

    has a mean of at most :math:`\frac12 \sqrt{K / n}` by chance alone. There is a finding if the share
    exceeds ``OUTLIERS``, or the total variation exceeds ``MOVED``, by more than three times the deviation due
    to chance.

    Arguments:
        outliers: Whether each row belongs to no cluster, (n,), if the model has such limits.
        probabilities: q(z | ...) of each row, (n, K).
        weights: The shares of the clusters in the old rows, (K,).
        row_weights: The weight of each new row, (n,); equal by default. The number of rows in the formulas is
            then Kish's effective one, :math:`(\sum_i w_i)^2 / \sum_i w_i^2`.
    """
    rows, clusters = probabilities.shape
    each = np.full(rows, 1 / rows) if row_weights is None else row_weights / row_weights.sum()
    count, shares, found = 1 / float(each @ each), each @ probabilities, []
    if outliers is not None:
        share, chance = float(each @ outliers), math.sqrt(OUTLIERS * (1 - OUTLIERS) / count)
        if share > OUTLIERS + 3 * chance:
            found.append(f"{share:.0%} of them belong to no cluster, compared with {RATE:.1%} before")
    change = shares - weights
    if 0.5 * float(abs(change).sum()) > MOVED + 1.5 * math.sqrt(clusters / count):
        k = int(abs(change).argmax())
        share, before = float(shares[k]), float(weights[k])
        found.append(f"cluster {k} has {share:.0%} of them, compared with {before:.0%} before")
    if not found:
        return None
    return Finding(
        "drift",
        "warning",
        f"The new rows are not like those that the model was fitted to: {'; '.join(found)}.",
        "Look at them with gmvae report. If such rows will keep coming, fit again to old and new "
        "rows together.",
    )
