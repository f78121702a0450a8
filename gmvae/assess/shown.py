"""The arrays that the pictures of a model show. With them, pictures can be drawn without the model or
torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
SAMPLES = 10
"""Number of samples of each cluster."""
STEPS = np.linspace(-3, 3, 9, dtype=np.float32)
"""Positions on an axis of w, in standard deviations of p(w)."""
PICTURES = ("latent", "recon", "samples", "styles", "shares")
"""Names of the pictures that are drawn from a snapshot."""


@dataclass(frozen=True)
class Snapshot:
    """What a model makes of observations: N of them are shown in the latent space, and R of these are
    reconstructed."""

    y_shape: NDArray[np.int64]
    """Shape of an observation."""
    x: Array
    """Means of x, (N, x_size)."""
    clusters: NDArray[np.int64]
    """Most probable clusters, (N,)."""
    y: Array
    """Observations, (R, size of y)."""
    reconstruction: Array
    """Their reconstructions, (R, size of y)."""
    y_clusters: NDArray[np.int64]
    """Their most probable clusters, (R,)."""
    component_mean: Array
    """Means of p(x | w, z) at w = 0, (K, x_size)."""
    component_variance: Array
    """Variances of p(x | w, z) at w = 0, (K, x_size)."""
    samples: Array
    """Means of p(y | x) at samples x of each cluster, with w = 0 and w ~ p(w): (2, K, SAMPLES, size of y)."""
    styles: Array
    """Means of p(y | x) at the mean of x in each cluster, (2, K, STEPS, size of y). One number of w takes the
    values STEPS and the others are 0, for the two numbers of w with the greatest effect."""
    style_axes: NDArray[np.int64]
    """The indices of these two numbers of w, (2,); the same index twice if w has only one."""
