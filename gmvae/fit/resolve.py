"""What a configuration leaves open is decided by the data, before a run begins."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from gmvae.config import Config, DataConfig, ModelConfig, ObjectiveConfig
from gmvae.data.dataset import Dataset, scaled
from gmvae.fit.clusters import choose_clusters
from gmvae.fit.holdout import SHARE, Holdout, choose_epochs, few
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.partition.stability import LOOKED_AT, Choice
from gmvae.progress import Told
from gmvae.start.begin import SHOWN, auto_epochs, may_teach
from gmvae.training.devices import cpu_threads, pick_device, pick_threads
from gmvae.training.random import RandomStream


def settle(config: Config, data: Dataset) -> Config:
    """The configuration with likelihood, network, epochs and warm-ups decided, which a run keeps; all but the
    number of clusters, which may take minutes (:func:`choice_for`).

    Raises:
        ValueError: where the model is not one for these data.
    """
    made = data.preparation
    likelihood, network = config.model.likelihood, config.model.network
    if likelihood == "auto":
        suits = "bernoulli" if data.y.dtype == np.uint8 else "gaussian"
        likelihood = made.likelihood if made else suits  # type: ignore[assignment]
    model = replace(config.model, likelihood=likelihood)
    if network == "auto":
        model = replace(model, network="compact" if _convolves(data, model) else "fc")
    training = config.training
    count = min(training.epoch_size or len(data), len(data))
    taught = may_teach(training.init, model.assignment, count, image=len(data.y_shape) == 3)
    epochs = training.epochs or auto_epochs(count, training.batch_size, taught=taught)
    _check_fit(data, model)
    return replace(
        config,
        model=model,
        objective=config.objective.settled(epochs),
        training=replace(training, epochs=epochs),
    )


def choice_for(config: Config, data: Dataset, told: Told) -> Choice:
    """The number of clusters of data for a configuration that is settled but for that.

    Raises:
        ValueError: where there are too few rows for two clusters.
    """
    training = config.training
    device = pick_device(training.device)
    stream = RandomStream(training.seed, device)
    work = training.batch_size * config.model.hidden_size**2
    seed = training.seed % 2**31  # from which it counts on, below 2**32
    with cpu_threads(pick_threads(training.threads, work)):
        y, some = data.tensor(device), data.tensor(device, LOOKED_AT)
        return choose_clusters(y, some, config.model, training, seed=seed, stream=stream, told=told)


def holdout_for(config: Config, data: Dataset, objective: ObjectiveConfig, told: Told) -> Holdout | None:
    """What held-out rows say of the number of epochs of a settled configuration; ``None`` where there are
    rows enough for the columns.

    Arguments:
        config: The configuration, with the number of epochs that it has without this.
        data: The observations; copies of a row are held out together.
        objective: The weights of the terms before they were settled: warm-ups may be shares of the epochs.
        told: Called with the share of this that is done.
    """
    prints = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in data.y + data.y.dtype.type(0)]
    distinct, which = np.unique(np.frombuffer(b"".join(prints), np.uint64), return_inverse=True)
    if not few(len(distinct), data.y_shape):
        return None
    training = config.training
    device, seed = pick_device(training.device), training.seed % 2**31
    chosen = np.random.RandomState(seed).permutation(len(distinct))[: round(SHARE * len(distinct))]
    unseen = np.isin(which, chosen)
    work = training.batch_size * objective.mc_samples * config.model.hidden_size**2
    with cpu_threads(pick_threads(training.threads, work)):
        used, held_out = (replace(data, y=data.y[part], labels=None, test=None) for part in (~unseen, unseen))
        y = used.tensor(device)
        return choose_epochs(
            lambda _: y,
            used.tensor(device, SHOWN),
            held_out.tensor(device),
            config.model,
            objective.settled,
            training,
            seed=seed,
            edges=edges(data),
            told=told,
        )


def edges(data: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    """The least and the greatest of each number of an observation."""
    least, most = (scaled(torch.from_numpy(edge)) for edge in (data.y.min(0), data.y.max(0)))
    return least, most


def absolute(config: DataConfig) -> DataConfig:
    """The same data, wherever the run is gone on with."""
    path, labels = (path and str(Path(path).resolve()) for path in (config.path, config.labels_path))
    return replace(config, path=path, labels_path=labels)


def _convolves(data: Dataset, model: ModelConfig) -> bool:
    """Whether observations are images that are large enough for convolutions."""
    try:
        with torch.device("meta"):
            GaussianMixtureVAE(data.y_shape, replace(model, network="compact", clusters=2))
    except ValueError:
        return False
    return True


def _check_fit(data: Dataset, model: ModelConfig) -> None:
    with torch.device("meta"):
        GaussianMixtureVAE(data.y_shape, replace(model, clusters=model.clusters or 2))
    if model.likelihood == "bernoulli" and data.y.dtype != np.uint8:
        least, most = data.y.min(), data.y.max()
        if least < 0 or most > 1:
            raise ValueError(
                f"{data.name} has numbers from {least:g} to {most:g}, but likelihood bernoulli is for "
                "numbers from 0 to 1: bring them there, or choose --likelihood gaussian"
            )
