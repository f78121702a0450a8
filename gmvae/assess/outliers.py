"""Outliers, rows that belong to no cluster: their density is too low for their cluster, or they are between
clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

Floats = NDArray[np.float64]

RATE = 0.005
"""Share of the rows that each of the two limits excludes if all rows belong to clusters."""
FEWEST = 20
"""Minimum number of rows for a cluster to have quartiles of its own."""
SHAPES = (1.0, 200.0)
"""Range of the degrees of freedom of the distribution of deficits."""


@dataclass(frozen=True)
class Limits:
    r"""Limits beyond which a row belongs to no cluster.

    The deficit of a row of cluster k is how far its log density is below the median log density of the
    cluster, in units of the distance from the median to the lower quartile:

    .. math:: d(y) = \frac{m_k - \log p(y)}{m_k - l_k}

    If the cluster were a Gaussian, :math:`-2 \log p(y)` would have a :math:`\chi^2` distribution. So such a
    distribution is fitted to the quartiles of all deficits, which outliers hardly change. Its ``1 - RATE``
    quantile is the first limit. The second limit is on the greatest q(z | y): it is at most 1/2, and no more
    than ``RATE`` of the rows are below it.

    Arguments:
        median: The median log density of each cluster, in nats, (K,).
        spread: Its distance to the lower quartile, in nats, (K,).
        deficit: Maximum deficit of a row that belongs to a cluster.
        probability: Minimum probability of its cluster.
    """

    median: tuple[float, ...]
    spread: tuple[float, ...]
    deficit: float
    probability: float

    @classmethod
    def of(cls, density: Floats, probabilities: Floats) -> Self:
        """Compute the limits from the log densities of rows, (n,) in nats, and q(z | y), (n, K)."""
        clusters, median, spread = probabilities.argmax(1), [], []
        for k in range(probabilities.shape[1]):
            own = density[clusters == k]
            low, middle = np.quantile(own if len(own) >= FEWEST else density, (0.25, 0.5))
            median.append(float(middle))
            spread.append(float(max(middle - low, np.finfo(np.float64).tiny)))
        found = cls(tuple(median), tuple(spread), 0.0, 0.0)
        deficits, highest = found.deficits(density, clusters), probabilities.max(1)
        return cls(found.median, found.spread, _tail(deficits), min(0.5, float(np.quantile(highest, RATE))))

    def deficits(self, density: Floats, clusters: NDArray[np.int64]) -> Floats:
        """The deficit of rows with these log densities and clusters, (n,) each."""
        return (np.array(self.median)[clusters] - density) / np.array(self.spread)[clusters]

    def beyond(self, density: Floats, probabilities: Floats) -> NDArray[np.bool_]:
        """Which rows belong to no cluster, (n,), by their log densities, (n,), and q(z | y), (n, K)."""
        far = self.deficits(density, probabilities.argmax(1)) > self.deficit
        return far | (probabilities.max(1) < self.probability)

    def to_json(self) -> dict[str, Any]:
        """The limits as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The limits that :meth:`to_json` wrote."""
        return cls(tuple(values["median"]), tuple(values["spread"]), values["deficit"], values["probability"])


def _tail(deficits: Floats) -> float:
    """The ``1 - RATE`` quantile of the chi-squared distribution, shifted and scaled, with the quartiles of
    these deficits."""
    low, middle, high = np.quantile(deficits, (0.25, 0.5, 0.75))
    skew = (high - middle) / max(middle - low, np.finfo(np.float64).tiny)

    def excess(shape: float) -> float:
        quartiles = chi2.ppf((0.25, 0.5, 0.75), shape)
        return float((quartiles[2] - quartiles[1]) / (quartiles[1] - quartiles[0]) - skew)

    if excess(SHAPES[0]) <= 0:
        shape = SHAPES[0]
    elif excess(SHAPES[1]) >= 0:
        shape = SHAPES[1]
    else:
        shape = float(brentq(excess, *SHAPES))
    usual, upper, far = chi2.ppf((0.5, 0.75, 1 - RATE), shape)
    return float(middle + (high - middle) * (far - usual) / (upper - usual))
