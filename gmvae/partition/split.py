"""Split a cluster in two, by its rows' means of x."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
ROWS = 5_000
"""Maximum number of rows, evenly spaced, that a split is fitted to."""
NARROW = 0.1
"""Principal directions of x with less than this share of the largest standard deviation are ignored."""
MINIMUM = 10
"""Minimum number of rows of a cluster that can be split."""


@dataclass(frozen=True)
class Split:
    r"""A cluster that is split in two by a plane in the space of x.

    Of the probability that a row belongs to ``cluster``, the share
    :math:`\sigma(a^\top \mu_x + b)` goes to a new cluster, where :math:`\mu_x` is the mean of q(x | y).

    Arguments:
        cluster: The cluster, or an earlier part of one.
        direction: a, of x_size numbers.
        offset: b.
        share: The share of the cluster's rows in the new cluster, from 0 to 1.
    """

    cluster: int
    direction: tuple[float, ...]
    offset: float
    share: float

    def part(self, x: Array) -> Array:
        """The probability of the new cluster, given the cluster, (N,), for means of x, (N, x_size)."""
        from scipy.special import expit

        found: Array = expit(x.astype(np.float64) @ np.array(self.direction) + self.offset)
        return found

    def to_json(self) -> dict[str, Any]:
        """The split as JSON values."""
        return asdict(self) | {"direction": list(self.direction)}


def halves(x: Array, cluster: int) -> Split | None:
    r"""Propose how to split a cluster, given the means of x of its rows, (N, x_size).

    A Gaussian mixture of two components with a common covariance :math:`\Sigma` is fitted to them, along the
    widest principal directions of x. The plane where the two are equally probable is
    :math:`a = \Sigma^{-1}(\mu_2 - \mu_1)`,
    :math:`b = \log\frac{\pi_2}{\pi_1} - \tfrac12 (\mu_1 + \mu_2)^\top a`. The new part is the smaller one.

    ``None`` if the cluster has too few rows, or all rows would be in one part.
    """
    x = x[:: -(-len(x) // ROWS)].astype(np.float64) if len(x) else x
    if len(x) < MINIMUM or not np.ptp(x, axis=0).any():
        return None
    centre = x.mean(0)
    _, sizes, vectors = np.linalg.svd(x - centre, full_matrices=False)
    kept = sizes > NARROW * sizes[0]
    axes = vectors[kept].T / sizes[0] * np.sqrt(len(x))
    found = _mixture((x - centre) @ axes)
    means, weights = found.means_, found.weights_
    scaled = found.precisions_ @ (means[1] - means[0])
    direction = axes @ scaled
    offset = float(np.log(weights[1] / weights[0]) - (means[0] + means[1]) @ scaled / 2 - centre @ direction)
    share = float((x @ direction + offset > 0).mean())
    if not 0 < share < 1:
        return None
    if share > 0.5:
        direction, offset, share = -direction, -offset, 1 - share
    return Split(cluster, tuple(map(_short, direction)), _short(offset), _short(share))


def overlap_of_halves(x: Array) -> float | None:
    """How much the two groups of a cluster overlap, given the means of x of its rows, (N, x_size): 0 if they
    are apart, about 0.3 for two halves of one Gaussian.

    Along its own plane, any few rows fall apart. So the rows are projected on the direction of a split that
    was fitted to the other half of them, and the overlap is that of a mixture of two Gaussians of this one
    number (:func:`gmvae.assess.portrait.overlap`). ``None`` if one of the halves has no split.
    """
    first = np.arange(len(x)) % 2 == 0
    one, other = halves(x[first], 0), halves(x[~first], 0)
    if one is None or other is None:
        return None
    a, b = np.array(one.direction), np.array(other.direction)
    along = np.empty(len(x))
    for rows, direction in ((~first, a), (first, b if a @ b >= 0 else -b)):
        values = x[rows].astype(np.float64) @ direction
        along[rows] = (values - values.mean()) / (values.std() or 1)
    q = _mixture(along[:, None]).predict_proba(along[:, None])
    return float(q.prod(1).sum() / max(q.sum(0).min(), 1e-12))


def _mixture(x: Array) -> Any:
    """A scikit-learn mixture of two Gaussians with a common covariance, fitted to x, (N, size)."""
    from sklearn.exceptions import ConvergenceWarning  # takes seconds, and drawing a split needs none of it
    from sklearn.mixture import GaussianMixture

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a rough plane will do
        return GaussianMixture(2, covariance_type="tied", n_init=3, reg_covar=1e-4, random_state=0).fit(x)


def _short(value: float) -> float:
    """A number with six digits, since people read files of edits."""
    return float(f"{value:.6g}")
