"""How well the clusters of a partition are described by one Gaussian each."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import oas

from gmvae.partition.communities import Clusters

Floats = NDArray[np.float64]
RIDGE = 1e-4
"""Added to variances, so that equal rows have a finite density. Columns have variances of about 1."""


def criterion(values: Floats, clusters: Clusters) -> float:
    r"""The Bayesian information criterion of a Gaussian classification model, in nats per row (greater is
    better):

    .. math:: \frac1n \Big[ \sum_i \log \pi_{c_i} \mathcal N(y_i; \mu_{c_i}, \Sigma_{c_i})
        - \frac p2 \log n \Big]

    for the better of two models: each cluster has its own covariance, or all share one (Fraley and Raftery,
    "Model-based clustering, discriminant analysis, and density estimation", 2002). Covariances are estimated
    with oracle approximating shrinkage (Chen et al., 2010).

    Arguments:
        values: The rows, (n, D).
        clusters: Their clusters, (n,), numbered from 0 without gaps.
    """
    rows, columns = values.shape
    members = [values[clusters == k] for k in range(int(clusters.max()) + 1)]
    centred = [own - own.mean(0) for own in members]
    common = [_covariance(np.concatenate(centred))] * len(members)
    apart = [_covariance(own) if len(own) > 1 else RIDGE * np.eye(columns) for own in centred]
    free, each = len(members) * (columns + 1) - 1, columns * (columns + 1) / 2
    shares = sum(len(own) * math.log(len(own) / rows) for own in members)
    return max(
        (shares + sum(map(_log_density, centred, covariances)) - (free + count * each) * math.log(rows) / 2)
        / rows
        for covariances, count in ((common, 1), (apart, len(members)))
    )


def _covariance(centred: Floats) -> Floats:
    return oas(centred, assume_centered=True)[0] + RIDGE * np.eye(centred.shape[1])


def _log_density(centred: Floats, covariance: Floats) -> float:
    """The sum of log N(y; 0, covariance) over rows."""
    root = np.linalg.cholesky(covariance)
    scaled = np.linalg.solve(root, centred.T)
    log_det = 2 * np.log(np.diag(root)).sum() + centred.shape[1] * math.log(2 * math.pi)
    return float(-0.5 * (np.square(scaled).sum() + len(centred) * log_det))
