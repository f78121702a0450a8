"""Results for rows, computed in 64 bits, so that the result of a row does not depend on the other rows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from gmvae.config import Config
from gmvae.data.observations import Observations
from gmvae.model import objective
from gmvae.model.far import drawn_in
from gmvae.model.inference import assign, evaluating
from gmvae.model.noise import noise
from gmvae.model.objective import Terms
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import copied

DRAWS = 16
"""How many samples of x and w the bound of an observation takes."""
MEASURED = 10_000
"""Maximum number of distinct rows that values and bounds are averaged over."""
AT_ONCE = 1000
"""How many observations are computed at once."""


def precise(model: GaussianMixtureVAE) -> GaussianMixtureVAE:
    """A copy of a model in 64 bits; the model itself if it has 64 bits already. At that precision, the
    other rows of a batch do not affect the rounded result. Devices without 64-bit floats (mps) keep 32."""
    zero = model.generative.zero
    dtype = torch.float32 if zero.device.type == "mps" else torch.float64
    return model if zero.dtype == dtype else copied(model, dtype)


def batches(rows: Observations) -> torch.Tensor:
    """All rows at once, in 64 bits, (n, *y_shape)."""
    return torch.cat(list(rows.batches(AT_ONCE)))


def probabilities(model: GaussianMixtureVAE, rows: Observations) -> NDArray[np.float64]:
    """q(z | ...) of each row, (n, K)."""
    exact = precise(model)
    return np.concatenate([assign(exact, y) for y in rows.batches(AT_ONCE)])


def most_probable(model: GaussianMixtureVAE, rows: Observations) -> NDArray[np.int64]:
    """The clusters of at most ``MEASURED`` distinct rows, (n,)."""
    return probabilities(model, rows.sample(MEASURED)).argmax(1)


def each_terms(model: GaussianMixtureVAE, rows: Observations, seed: int = 0) -> Terms:
    """The five terms of each observation, in nats, each of shape (N,), on the CPU.

    Every observation has ``DRAWS`` noise samples of its own (:func:`gmvae.model.noise.noise`). So its terms
    do not depend on the other observations, and the sampling error averages out over them.
    """
    exact, at_once = precise(model), AT_ONCE // DRAWS
    found = torch.empty(len(Terms._fields), len(rows.order), dtype=exact.generative.zero.dtype)
    with evaluating(exact):
        for part, batch in zip(found.split(at_once, 1), rows.batches(at_once), strict=True):
            terms = batch_terms(exact, batch, DRAWS, straight=rows.scaling.affine, seed=seed)
            part.copy_(torch.stack(terms))  # small new results would fragment memory
    return Terms(*found)


def batch_terms(
    model: GaussianMixtureVAE, y: torch.Tensor, draws: int, *, straight: bool, seed: int = 0
) -> Terms:
    """The five terms of observations of shape (B, *y_shape), in nats, (B,) each, with noise of their own.

    Arguments:
        model: The model.
        y: The observations.
        draws: Samples of x and w for each.
        straight: Whether the model's units are those of the data, apart from an origin and a factor. If so, q
            sees far observations moved towards the data; otherwise it sees their numbers clipped.
        seed: Seed of the noise.
    """
    seen = drawn_in(model.recognition, y) if straight else model.recognition.inside(y)
    drawn = noise(seen, draws, model.config.x_size + model.config.w_size, seed).to(seen)
    return objective.terms_of(model.infer(seen, draws, noise=drawn), model, y)


def full_loss(model: GaussianMixtureVAE, rows: Observations, config: Config) -> float:
    """The mean loss with full weights (warm-up over), in nats per observation, on at most ``MEASURED``
    distinct rows."""
    sample = rows.sample(MEASURED)
    terms, weights = each_terms(model, sample), torch.from_numpy(sample.weights)
    loss = objective.weigh(
        terms, config.objective, config.model.assignment, weights=weights.to(terms.z_prior)
    )
    return float(np.average(loss.numpy(), weights=sample.weights))
