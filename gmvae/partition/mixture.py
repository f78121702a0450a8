"""Gaussian mixtures: assign rows to components, from scratch or starting from given clusters."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from gmvae.partition.communities import Clusters


def components(
    values: NDArray[np.float64], count: int, seed: int, starts: int = 1, covariance: str = "full"
) -> Clusters:
    """Fit Gaussian mixtures from ``starts`` starts and return the component of each row in the most likely
    one, numbered from 0 without gaps, (n,).

    ``values`` has shape (n, D). Each component has a full covariance of its own, or all share one (``tied``).
    """
    model = GaussianMixture(
        count, covariance_type=covariance, n_init=starts, reg_covar=1e-4, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.unique(model.fit_predict(values), return_inverse=True)[1]


def refine(values: NDArray[np.float64], clusters: Clusters) -> Clusters:
    """Fit a Gaussian mixture with full covariances, starting from given clusters, numbered from 0, and return
    the component of each row of shape (n, D), as (n,)."""
    size = np.bincount(clusters)
    mean = np.stack([values[clusters == k].mean(0) for k in range(len(size))])
    spread = [np.atleast_2d(np.cov(values[clusters == k].T, bias=True)) for k in range(len(size))]
    inverse = np.linalg.inv(np.stack(spread) + 1e-4 * np.eye(values.shape[1]))
    model = GaussianMixture(
        len(size),
        reg_covar=1e-4,
        weights_init=size / size.sum(),
        means_init=mean,
        precisions_init=inverse,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit_predict(values).astype(np.int64)
