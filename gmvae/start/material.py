"""What every start is made of."""

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
    """What a start is made of.

    Arguments:
        model: The model, which has not been trained yet; changed in place.
        y: The observations.
        subset: Those that clusters are looked for in, (n, *y_shape).
        weights: Their weights, (n,), to k-means.
        objective: Weights of the terms.
        training: ``init``, ``augment`` and ``rounds``; optimiser and batches of the k-means start.
        seed: Seed of k-means and of the manifold.
        stream: Where all other chance comes from.
    """

    model: GaussianMixtureVAE
    y: Indexable
    subset: Tensor
    weights: NDArray[np.float64] | None
    objective: ObjectiveConfig
    training: TrainingConfig
    seed: int
    stream: RandomStream
