"""What the pictures of a model show, as plain arrays: once taken, nobody needs the model to draw them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from gmvae.data import scaled
from gmvae.evaluation import Array, assign, embed, evaluating, reconstruct
from gmvae.model import GMVAE
from gmvae.networks import FLOAT
from gmvae.random_stream import RandomStream

SAMPLES = 10
"""Samples of each cluster."""
STEPS = np.linspace(-3, 3, 9, dtype=np.float32)
"""Places on an axis of w, in standard deviations of p(w)."""


@dataclass(frozen=True)
class Snapshot:
    """A model and some observations at one moment. N observations are shown in the latent space, R of
    them are reconstructed."""

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
    """Means of p(y | x) at the mean of x in each cluster, where one number of w goes through STEPS and the
    others are 0, for the two axes of w that move it most: (2, K, STEPS, size of y)."""
    style_axes: NDArray[np.int64]
    """Which numbers of w these are, from 0, (2,); twice the same where w has one."""


def snapshot(model: GMVAE, y: Tensor, seed: int = 0) -> Snapshot:
    """A :class:`Snapshot` of a model and of observations of shape (N, *y_shape).

    Images are large: no more than a hundred of them are kept with their reconstructions, evenly spaced.
    """
    clusters = assign(model, y).argmax(1)
    kept = slice(None, None, 1 if len(model.y_shape) == 1 else -(-len(y) // 100))
    with evaluating(model):
        components = model.generative.p_x(torch.zeros(1, model.config.w_size, dtype=FLOAT, device=y.device))
        samples = _samples(model, RandomStream(seed, y.device).local)
        axes, styles = _styles(model, y.device)
    some = reconstruct(model, y[kept])
    return Snapshot(
        y_shape=np.array(model.y_shape),
        x=embed(model, y),
        clusters=clusters,
        y=_flat(y[kept]),
        reconstruction=some,
        y_clusters=clusters[kept],
        component_mean=components.mean[0].cpu().numpy(),
        component_variance=components.variance[0].cpu().numpy(),
        samples=samples.cpu().numpy(),
        styles=styles.cpu().numpy(),
        style_axes=axes.cpu().numpy(),
    )


def _samples(model: GMVAE, noise: Generator) -> Tensor:
    shape = (2, SAMPLES, model.config.w_size)
    w = torch.randn(shape, generator=noise, dtype=FLOAT, device=noise.device)
    w[0] = 0
    x = model.generative.p_x(w).rsample(1, noise)[0].transpose(1, 2)  # (2, K, SAMPLES, x_size)
    return model.generative.p_y(x).mean


def _styles(model: GMVAE, device: torch.device) -> tuple[Tensor, Tensor]:
    size = model.config.w_size
    axis = torch.eye(size, dtype=FLOAT, device=device)
    high, low = model.generative.p_x(torch.stack([2 * axis, -2 * axis])).mean  # (w_size, K, x_size) each
    axes = (high - low).square().sum((1, 2)).argsort(descending=True)[[0, min(1, size - 1)]]
    steps = torch.from_numpy(STEPS).to(device)
    w = steps[:, None] * axis[axes][:, None]  # (2, STEPS, w_size)
    return axes, model.generative.p_y(model.generative.p_x(w).mean.transpose(1, 2)).mean


def _flat(y: Tensor) -> Array:
    return scaled(y).flatten(1).cpu().numpy()
