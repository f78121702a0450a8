r"""Inference with a fitted model: clusters, embeddings, bounds, likelihoods and measures.

Clusters, embeddings and reconstructions are deterministic and do not depend on the other rows of a batch:
they use means in place of samples, and batch norm uses its running statistics. Bounds and likelihoods are
estimates from samples, which have a seed of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gmvae.data.dataset import scaled
from gmvae.model import objective
from gmvae.model.isolation import own_modes
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.partition import metrics

Array = NDArray[np.float32]
BATCH = 1000
"""How many observations, or Monte Carlo samples of them, are computed at once."""


def assign(model: GaussianMixtureVAE, y: Tensor) -> Array:
    """q(z | ...) of observations of shape (N, *y_shape): probabilities of shape (N, K)."""
    return _batched(model, y, lambda batch: model.assign(batch).probs)


def embed(model: GaussianMixtureVAE, y: Tensor) -> Array:
    """The means of q(x | y): shape (N, x_size)."""
    return _batched(model, y, lambda batch: model.recognition(batch)[0].mean)


def reconstruct(model: GaussianMixtureVAE, y: Tensor) -> Array:
    """The means of p(y | x) at the means of q(x | y): shape (N, size of y)."""

    def reconstruction(batch: Tensor) -> Tensor:
        q_x = model.recognition(batch)[0]
        return model.generative.p_y(q_x.mean).mean

    return _batched(model, y, reconstruction)


def bound(model: GaussianMixtureVAE, y: Tensor, mc_samples: int = 1, seed: int = 0) -> Array:
    """The lower bound on log p(y) of each observation, in nats, with M samples of x and w: shape (N,)."""

    noise = torch.Generator(y.device).manual_seed(seed)

    def of_batch(batch: Tensor) -> Tensor:
        return objective.elbo(objective.five_terms(model, batch, mc_samples, generator=noise))

    return _batched(model, y, of_batch, BATCH // mc_samples)


def log_likelihood(model: GaussianMixtureVAE, y: Tensor, samples: int = 100, seed: int = 0) -> Array:
    r"""An estimate of log p(y) of each observation, in nats, shape (N,):

    .. math:: \log \frac1S \sum_s \frac{p_\theta(y|x_s)\, p_\beta(x_s|w_s)\, p(w_s)}{q(x_s|y)\, q(w_s|y)},
        \qquad p_\beta(x|w) = \sum_k p(z{=}k)\, p_\beta(x|w, z{=}k),

    with :math:`x_s \sim q(x|y)` and :math:`w_s \sim q(w|y)`. In expectation it is a lower bound, which rises
    to log p(y) with S (Burda et al., arXiv 1509.00519). z is summed over, not sampled.

    Arguments:
        model: The model.
        y: Observations, shape (N, *y_shape).
        samples: The number S of samples for each observation.
        seed: Seed of the samples.

    Raises:
        ValueError: if ``samples`` is below 1.
    """
    if samples < 1:
        raise ValueError(f"samples is {samples}: it must be a whole number of at least 1")
    at_once, noise = min(samples, 10), torch.Generator(y.device).manual_seed(seed)

    def log_weights(batch: Tensor, count: int) -> Tensor:
        given = model.infer(batch, count, noise)
        log_p_x = (model.generative.p_z().log_probs + given.p_x.log_prob(given.x.unsqueeze(-2))).logsumexp(-1)
        log_p = given.p_y.log_prob(batch.flatten(1)) + log_p_x + model.generative.p_w().log_prob(given.w)
        return log_p - given.q_x.log_prob(given.x) - given.q_w.log_prob(given.w)  # (count, B)

    def of_batch(batch: Tensor) -> Tensor:
        total = torch.full((len(batch),), -math.inf, dtype=batch.dtype, device=batch.device)
        for start in range(0, samples, at_once):
            weights = log_weights(batch, min(at_once, samples - start))
            total = torch.logaddexp(total, weights.logsumexp(0))
        return total - math.log(samples)

    return _batched(model, y, of_batch, BATCH // at_once)


def bits_per_dimension(model: GaussianMixtureVAE, nats: float) -> float:
    r"""The log-probability of an image, or a bound on it, as bits per number,
    :math:`-\mathrm{nats} / (D \ln 2)`.

    It is meant for the Bernoulli likelihood. A Gaussian density at the few levels of an image is unbounded: a
    single pixel that never changes can make it arbitrarily large (Theis et al., arXiv 1511.01844, section
    3.1).
    """
    return -nats / (math.prod(model.y_shape) * math.log(2))


def agreement(probabilities: NDArray[Any], labels: NDArray[np.int64] | None = None) -> dict[str, float]:
    """``clusters_used`` of q(z | ...), (N, K). With labels also ``acc``, ``acc_aae``, ``nmi`` and ``ari``
    over the observations whose label is known, that is, at least 0."""
    used = metrics.clusters_used(probabilities.argmax(1))
    scores = {}
    if labels is not None and (known := labels >= 0).any():
        scores = metrics.agreement(labels[known], probabilities[known])
    return {"clusters_used": used, **scores}


def measure(
    model: GaussianMixtureVAE, y: Tensor, labels: NDArray[np.int64] | None = None
) -> dict[str, float]:
    """The :func:`agreement` of a model on observations of shape (N, *y_shape)."""
    return agreement(assign(model, y), labels)


@contextmanager
def evaluating(model: GaussianMixtureVAE) -> Iterator[None]:
    """Put the model into evaluation mode within the ``with`` block: no gradients, batch norm's running
    statistics, and torch's default modes."""
    training = model.training
    model.eval()
    try:
        with own_modes(), torch.inference_mode():
            yield
    finally:
        model.train(training)


def _batched(
    model: GaussianMixtureVAE, y: Tensor, function: Callable[[Tensor], Tensor], size: int | None = None
) -> Array:
    with evaluating(model):
        batches = y.split(BATCH if size is None else max(1, size))
        return torch.cat([function(scaled(batch)).cpu() for batch in batches]).numpy()
