"""Gaussian mixtures: rows to components, from nothing or from clusters that are given."""

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
    """The components, numbered from 0 without gaps, that rows of shape (n, D) belong to in the likeliest of
    so many Gaussian mixtures with full covariances of their own, or with one in common (``tied``): (n,)."""
    model = GaussianMixture(
        count, covariance_type=covariance, n_init=starts, reg_covar=1e-4, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.unique(model.fit_predict(values), return_inverse=True)[1]


def refine(values: NDArray[np.float64], clusters: Clusters) -> Clusters:
    """The components of the Gaussian mixture with full covariances that begins with given clusters, numbered
    from 0, of rows of shape (n, D): (n,)."""
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
