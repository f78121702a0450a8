"""Confidence in the cluster of a row: the probability that the row keeps its cluster if the fit starts from
another sample of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from gmvae.partition.communities import Clusters

Floats = NDArray[np.float64]

SURE = 1e-6
"""Probabilities are clipped to this distance from 0 and 1."""
FREEDOM = 100.0
"""Inverse strength of the regularisation of the logistic regression."""


@dataclass(frozen=True)
class Confidence:
    r"""The probability that a row keeps its cluster, given q(z | y):

    .. math:: P(y) = \sigma\big(b_k + a \operatorname{logit} \max_k q(z = k \mid y)\big)

    with the most probable cluster k. It is a logistic regression on the stability of rows (Platt scaling with
    an intercept for each cluster; Platt, 1999).

    Arguments:
        slope: a.
        intercepts: b, (K,).
    """

    slope: float
    intercepts: tuple[float, ...]

    @classmethod
    def of(cls, probabilities: Floats, stability: Floats) -> Self:
        """Calibrate q(z | y), (n, K), with the stability of the same rows, (n,)."""
        size = probabilities.shape[1]
        inputs = np.hstack([_evidence(probabilities)[:, None], np.eye(size)[probabilities.argmax(1)]])
        kept = np.repeat([1, 0], len(inputs))
        if not 0 < stability.sum() < len(stability):  # all rows keep their clusters, or none do
            return cls(0.0, (float(logit(np.clip(stability[0], SURE, 1 - SURE))),) * size)
        model = LogisticRegression(C=FREEDOM, fit_intercept=False, max_iter=1000)
        model.fit(np.vstack([inputs, inputs]), kept, np.concatenate([stability, 1 - stability]))
        slope, *intercepts = model.coef_[0].tolist()
        return cls(slope, tuple(intercepts))

    def __call__(self, probabilities: Floats) -> Floats:
        """The probability that rows with q(z | y), (n, K), keep their cluster, (n,)."""
        intercepts = np.array(self.intercepts)[probabilities.argmax(1)]
        return expit(intercepts + self.slope * _evidence(probabilities))

    def to_json(self) -> dict[str, Any]:
        """The parameters as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The calibration that :meth:`to_json` wrote."""
        return cls(values["slope"], tuple(values["intercepts"]))


def stability(clusters: Clusters, others: Sequence[Clusters]) -> Floats:
    """The share of other partitions in which each row is in the same cluster, (n,). The clusters of each
    other partition are first matched one to one with those of the partition, to agree on as many rows as
    possible.

    Arguments:
        clusters: The partition, (n,).
        others: Other partitions of the same rows, (n,) each.
    """
    size = 1 + max(int(partition.max()) for partition in (clusters, *others))
    kept = np.zeros(len(clusters))
    for other in others:
        shared = np.zeros((size, size))
        np.add.at(shared, (other, clusters), 1.0)
        kept += linear_sum_assignment(-shared)[1][other] == clusters
    return kept / max(1, len(others))


def _evidence(probabilities: Floats) -> Floats:
    return logit(np.clip(probabilities.max(1), SURE, 1 - SURE))
