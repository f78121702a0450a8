"""Take the arrays that the pictures of a model show."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from gmvae.assess.shown import SAMPLES, STEPS, Snapshot
from gmvae.data.dataset import scaled
from gmvae.model.inference import BATCH, Array, evaluating, reconstruct
from gmvae.model.isolation import isolated
from gmvae.model.networks import FLOAT
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.training.random import RandomStream


@isolated
def snapshot(model: GaussianMixtureVAE, y: Tensor, seed: int = 0) -> Snapshot:
    """Take a :class:`Snapshot` of a model and of observations of shape (N, *y_shape).

    Images are large, so at most a hundred of them, evenly spaced, are kept with their reconstructions.
    """
    return _taken(model, y, seed, None, 1.0)


def glance(model: GaussianMixtureVAE, y: Tensor, picture: str, share: float, seed: int = 0) -> Snapshot:
    """Take only the arrays of one picture, at reduced cost. The rest of the :class:`Snapshot` is empty.

    Arguments:
        model: The model.
        y: Observations, shape (N, *y_shape). The cost grows with their number.
        picture: One of :data:`gmvae.assess.shown.PICTURES`.
        share: How many images to decode, as a share of those of a whole snapshot, above 0, at most 1.
        seed: Seed of the samples.
    """
    return _taken(model, y, seed, picture, share)


def _taken(model: GaussianMixtureVAE, y: Tensor, seed: int, picture: str | None, share: float) -> Snapshot:
    def wanted(name: str) -> bool:
        return picture in (None, name)

    pairs = max(20, round(100 * share))
    kept = slice(None, None, 1 if len(model.y_shape) == 1 else -(-len(y) // pairs))
    x, clusters = _placed(model, y)
    samples, axes, styles = _generated(
        model, y.device, share, seed, samples=wanted("samples"), styles=wanted("styles")
    )
    with evaluating(model):
        components = model.generative.p_x(torch.zeros(1, model.config.w_size, dtype=FLOAT, device=y.device))
    pictured = y[kept] if wanted("recon") else y[:0]
    return Snapshot(
        y_shape=np.array(model.y_shape),
        x=x,
        clusters=clusters,
        y=_flat(y[kept]),
        reconstruction=reconstruct(model, pictured) if len(pictured) else _flat(pictured),
        y_clusters=clusters[kept],
        component_mean=components.mean[0].cpu().numpy(),
        component_variance=components.variance[0].cpu().numpy(),
        samples=samples,
        styles=styles,
        style_axes=axes,
    )


def generated(
    model: GaussianMixtureVAE, device: torch.device, share: float = 1.0, seed: int = 0
) -> tuple[Array, Array]:
    """The ``samples`` and the ``styles`` of a :class:`Snapshot`, with a share of the work."""
    samples, _, styles = _generated(model, device, share, seed)
    return samples, styles


def _generated(
    model: GaussianMixtureVAE,
    device: torch.device,
    share: float,
    seed: int,
    *,
    samples: bool = True,
    styles: bool = True,
) -> tuple[Array, NDArray[np.int64], Array]:
    count = max(1, round(SAMPLES * share)) if samples else 0
    steps = STEPS[:: 1 if share > 0.5 else 2 if share > 0.25 else 4] if styles else STEPS[:0]
    with evaluating(model):
        drawn = _samples(model, RandomStream(seed, device).local, count)
        axes, along = _styles(model, device, steps)
    return drawn.cpu().numpy(), axes.cpu().numpy(), along.cpu().numpy()


def _placed(model: GaussianMixtureVAE, y: Tensor) -> tuple[Array, NDArray[np.int64]]:
    """The means of q(x | y), (N, x_size), and the most probable clusters, (N,), in one pass."""
    means, clusters = [], []
    with evaluating(model):
        for batch in y.split(BATCH):
            q_x, _, q_z = model.recognition(scaled(batch))
            probabilities = (model.assign(scaled(batch)) if q_z is None else q_z).probs
            means.append(q_x.mean.cpu())
            clusters.append(probabilities.argmax(1).cpu())
    return torch.cat(means).numpy(), torch.cat(clusters).numpy()


def _samples(model: GaussianMixtureVAE, noise: Generator, count: int) -> Tensor:
    if not count:
        return torch.empty((2, model.config.clusters, 0, math.prod(model.y_shape)), dtype=FLOAT)
    shape = (2, count, model.config.w_size)
    w = torch.randn(shape, generator=noise, dtype=FLOAT, device=noise.device)
    w[0] = 0
    x = model.generative.p_x(w).rsample(1, noise)[0].transpose(1, 2)  # (2, K, count, x_size)
    return model.generative.p_y(x).mean


def _styles(
    model: GaussianMixtureVAE, device: torch.device, values: NDArray[np.float32]
) -> tuple[Tensor, Tensor]:
    size = model.config.w_size
    if not len(values):
        shape = (2, model.config.clusters, 0, math.prod(model.y_shape))
        empty = torch.empty(shape, dtype=FLOAT, device=device)
        return torch.zeros(2, dtype=torch.int64, device=device), empty
    axis = torch.eye(size, dtype=FLOAT, device=device)
    high, low = model.generative.p_x(torch.stack([2 * axis, -2 * axis])).mean  # (w_size, K, x_size) each
    axes = (high - low).square().sum((1, 2)).argsort(descending=True)[[0, min(1, size - 1)]]
    steps = torch.from_numpy(values.copy()).to(device)
    w = steps[:, None] * axis[axes][:, None]  # (2, len(values), w_size)
    return axes, model.generative.p_y(model.generative.p_x(w).mean.transpose(1, 2)).mean


def _flat(y: Tensor) -> Array:
    return scaled(y).flatten(1).cpu().numpy()
