"""A fitted model at work: clusters, embeddings, measures, and what pictures are drawn from.

Nothing here is random, nor does it depend on how observations are batched: batch norm uses its running
statistics, and means stand for samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gmvae import metrics
from gmvae.model import GMVAE

Array = NDArray[np.float32]
BATCH = 1000


def assign(model: GMVAE, y: Tensor) -> Array:
    """q(z | ...) of observations of shape (N, *y_shape): probabilities of shape (N, K)."""
    return _batched(model, y, lambda batch: model.assign(batch).probs)


def embed(model: GMVAE, y: Tensor) -> Array:
    """The means of q(x | y): shape (N, x_size)."""
    return _batched(model, y, lambda batch: model.recognition(batch)[0].mean)


def reconstruct(model: GMVAE, y: Tensor) -> Array:
    """The means of p(y | x) at the means of q(x | y): shape (N, size of y)."""

    def reconstruction(batch: Tensor) -> Tensor:
        q_x = model.recognition(batch)[0]
        return model.generative.p_y(q_x.mean).mean

    return _batched(model, y, reconstruction)


def measure(model: GMVAE, y: Tensor, labels: NDArray[np.int64] | None = None) -> dict[str, float]:
    """``clusters_used`` and, where there are labels, ``acc``, ``acc_aae``, ``nmi`` and ``ari``."""
    probabilities = assign(model, y)
    used = metrics.clusters_used(probabilities.argmax(1), model.config.clusters)
    scores = {} if labels is None else metrics.agreement(labels, probabilities)
    return {"clusters_used": used, **scores}


@dataclass(frozen=True)
class Snapshot:
    """What the pictures of the latent space and of the reconstructions show, as plain arrays."""

    y: Array
    """Observations, (N, size of y)."""
    reconstruction: Array
    """Their reconstructions, (N, size of y)."""
    x: Array
    """Their means of x, (N, x_size)."""
    clusters: NDArray[np.int64]
    """Their most probable clusters, (N,)."""
    component_mean: Array
    """Means of p(x | w, z) at w = 0, (K, x_size)."""
    component_variance: Array
    """Variances of p(x | w, z) at w = 0, (K, x_size)."""


def snapshot(model: GMVAE, y: Tensor, most: int = 5000) -> Snapshot:
    """A :class:`Snapshot` of at most so many observations, evenly spaced in the data."""
    y = y[:: -(-len(y) // most)]
    with evaluating(model):
        components = model.generative.p_x(torch.zeros(1, model.config.w_size, device=y.device))
    return Snapshot(
        y=y.flatten(1).cpu().numpy(),
        reconstruction=reconstruct(model, y),
        x=embed(model, y),
        clusters=assign(model, y).argmax(1),
        component_mean=components.mean[0].cpu().numpy(),
        component_variance=components.variance[0].cpu().numpy(),
    )


@contextmanager
def evaluating(model: GMVAE) -> Iterator[None]:
    """Within the ``with`` block the model evaluates: no gradients, batch norm's running statistics."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)


def _batched(model: GMVAE, y: Tensor, function: Callable[[Tensor], Tensor]) -> Array:
    with evaluating(model):
        return torch.cat([function(batch).cpu() for batch in y.split(BATCH)]).numpy()
