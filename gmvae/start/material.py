"""The inputs of every start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gmvae.config import ObjectiveConfig, TrainingConfig
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.training.loop import Indexable
from gmvae.training.random import RandomStream


@dataclass(frozen=True)
class Material:
    """The inputs of a start: model, data and settings.

    Arguments:
        model: The model, not trained yet; changed in place.
        y: The observations.
        subset: The observations that the start clusters, (n, *y_shape).
        weights: Weights of the subset, (n,), for k-means.
        objective: Weights of the terms.
        training: ``init``, ``augment`` and ``rounds``; optimiser and batches of the k-means start.
        seed: Seed of k-means and of the manifold.
        stream: Source of all other randomness.
    """

    model: GaussianMixtureVAE
    y: Indexable
    subset: Tensor
    weights: NDArray[np.float64] | None
    objective: ObjectiveConfig
    training: TrainingConfig
    seed: int
    stream: RandomStream
