"""Resolve what a configuration leaves open from the data, before a fit starts."""

from __future__ import annotations

from dataclasses import replace

import torch

from gmvae.config import Config, ModelConfig, whole_epochs
from gmvae.data.observations import Observations
from gmvae.data.prepare import Prepared
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.start.begin import schedule
from gmvae.training.devices import pick_precision

HIDDEN, HIDDEN_IMAGES = 128, 256
"""Units of each hidden layer if their number is left open: for the network fc, and for networks of images."""


def resolve(config: Config, data: Prepared, rows: Observations) -> Config:
    """Resolve likelihood, network, sizes, epochs, learning rate and warm-ups of a configuration. Only the
    number of clusters stays open, since choosing it can take minutes (:mod:`gmvae.fit.clusters`).

    Arguments:
        config: The configuration.
        data: The observations.
        rows: The rows to fit.

    Raises:
        ValueError: if the model does not suit these data.
    """
    model, training, shape = config.model, config.training, data.y_shape
    model = replace(model, likelihood=data.likelihood)  # type: ignore[arg-type]
    if model.network == "auto":
        model = replace(model, network="compact" if _convolves(shape, model) else "fc")
    if not model.hidden_size:
        model = replace(model, hidden_size=HIDDEN if model.network == "fc" else HIDDEN_IMAGES)
    _check_fit(shape, model)
    count = min(training.epoch_size or len(rows), len(rows))
    usual = schedule(training.init, model.assignment, shape)
    epochs = training.epochs or usual.epochs(count, training.batch_size)
    rate = training.learning_rate or usual.learning_rate
    precision = pick_precision(training.precision, rows.device, model.network)
    patience = max(1, whole_epochs(training.n_iter_no_change, epochs))
    return replace(
        config,
        model=model,
        objective=config.objective.resolved(epochs),
        training=replace(
            training,
            epochs=epochs,
            learning_rate=rate,
            n_iter_no_change=patience,
            precision=precision,  # type: ignore[arg-type]
        ),
    )


def parameters(shape: tuple[int, ...], model: ModelConfig) -> int:
    """The number of weights of a model; an open number of clusters counts as 2."""
    with torch.device("meta"):
        made = GaussianMixtureVAE(shape, replace(model, clusters=model.clusters or 2))
    return sum(p.numel() for p in made.parameters())


def _convolves(shape: tuple[int, ...], model: ModelConfig) -> bool:
    """Whether observations are images large enough for convolutions."""
    try:
        _check_fit(shape, replace(model, network="compact", hidden_size=model.hidden_size or 1))
    except ValueError:
        return False
    return True


def _check_fit(shape: tuple[int, ...], model: ModelConfig) -> None:
    parameters(shape, model)
