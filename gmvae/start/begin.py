"""Where a fit starts: from clusters that are found without the model, and taught to it.

Either k-means leads q(z | y) for the first steps; or the manifold of the data does, in rounds: embed the
observations, part them along the manifold of the embedding, teach the parts to q(z | y), and embed them
anew with the features that it has learned. Which of the two the data support, and how many rounds, is told by
the graph of nearest neighbours and by how much the clusters still change, never by labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gmvae.config import ObjectiveConfig, TrainingConfig
from gmvae.model.isolation import isolated
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.progress import Progress
from gmvae.start.kmeans import guide
from gmvae.start.rounds import MANIFOLD_FROM, Rounds
from gmvae.training.loop import Observations
from gmvae.training.random import RandomStream

SHOWN = 20_000
"""Observations that k-means, or the manifold, is made of at most."""
AUTO_STEPS, AUTO_PASSES, AUTO_PASSES_ON = 1500, 20, 4
"""A fit that is not told how long makes at least so many steps, and at least so many passes over the data:
fewer where the manifold, in steps of its own, has taught q(z | y) already."""


def auto_epochs(count: int, batch_size: int, *, taught: bool) -> int:
    """The passes over so many observations of a fit that is not told how long."""
    least = AUTO_PASSES_ON if taught else AUTO_PASSES
    return max(least, -(-AUTO_STEPS // max(1, round(count / batch_size))))


def may_teach(init: str, assignment: str, count: int, *, image: bool) -> bool:
    """Whether the manifold of so many observations may teach q(z | y), as far as can be said beforehand."""
    if init == "auto":
        return image and assignment == "recogniser" and count >= MANIFOLD_FROM
    return init == "manifold"


@dataclass(frozen=True)
class Start:
    """How a fit started."""

    init: str
    """``random``, ``kmeans`` or ``manifold``."""
    reason: str
    """Why, in a sentence."""
    rounds: tuple[dict[str, float], ...] = ()
    """Of each round ``modularity`` of the clusters in the graph of the embedding, and ``changed``, the share
    of the observations that are in other clusters than in the round before (1 in the first)."""

    def to_json(self) -> dict[str, Any]:
        """The start as JSON values."""
        return {"init": self.init, "reason": self.reason, "rounds": list(self.rounds)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The start that :meth:`to_json` wrote."""
        return cls(values["init"], values["reason"], tuple(values["rounds"]))


@isolated
def begin(
    model: GaussianMixtureVAE,
    y: Observations,
    some: Tensor,
    objective: ObjectiveConfig,
    training: TrainingConfig,
    *,
    seed: int,
    stream: RandomStream,
    weights: NDArray[np.float64] | None = None,
    progress: Progress = lambda _: None,
) -> Start:
    """Bring a new model to where its fit starts.

    Arguments:
        model: The model, which has not been trained yet; changed in place.
        y: The observations.
        some: Those that clusters are looked for in, (n, *y_shape).
        objective: Weights of the terms.
        training: ``init``, ``augment`` and ``rounds``; optimiser and batches, where k-means leads.
        seed: Seed of k-means and of the manifold.
        stream: Where all other chance comes from.
        weights: Weights of ``some``, (n,), to k-means.
        progress: Called with the share of the start that is done, where the manifold takes its time.

    Raises:
        ValueError: where the manifold is to teach a model without a recogniser of z, or of two rows.
    """
    found = look(model, y, some, training, seed=seed, stream=stream, weights=weights, progress=progress)
    return lead(found, model, y, some, objective, training, seed=seed, stream=stream, weights=weights)


@dataclass(frozen=True)
class Found:
    """What a fit will start from: ``init``, why, and the manifold's rounds, where it was looked for."""

    init: str
    reason: str
    rounds: Rounds | None = None


@isolated
def look(
    model: GaussianMixtureVAE,
    y: Observations,
    some: Tensor,
    training: TrainingConfig,
    *,
    seed: int,
    stream: RandomStream,
    weights: NDArray[np.float64] | None = None,
    progress: Progress = lambda _: None,
) -> Found:
    """The first half of :func:`begin`, with its arguments: decide, after a look for the manifold where that
    may be it. Nothing here depends on the number of epochs."""
    init: str = training.init
    reason = f"init {training.init} was asked for"
    if init == "manifold" and len(some) < 3:
        raise ValueError("init is 'manifold', but there are only 2 observations, so take init kmeans")
    if init == "manifold" and model.recognition.z is None:
        raise ValueError(
            "init is 'manifold', which teaches q(z | y): assignment must be recogniser, or init kmeans"
        )
    if init == "auto" and (len(some) < MANIFOLD_FROM or model.recognition.z is None):
        few = f"fewer than {MANIFOLD_FROM} observations are looked at"
        reason = few if len(some) < MANIFOLD_FROM else "assignment is posterior"
        init, reason = "kmeans", f"{reason}, so init auto is kmeans"
    if init in ("random", "kmeans"):
        return Found(init, reason)
    rounds = Rounds(model, y, some, training, seed, stream, progress, weights)
    if init == "auto":
        init, reason = rounds.better()
    return Found(init, reason, rounds)


@isolated
def lead(
    found: Found,
    model: GaussianMixtureVAE,
    y: Observations,
    some: Tensor,
    objective: ObjectiveConfig,
    training: TrainingConfig,
    *,
    seed: int,
    stream: RandomStream,
    weights: NDArray[np.float64] | None = None,
) -> Start:
    """The second half of :func:`begin`, with its arguments: bring the model to what was found."""
    if found.init == "kmeans":
        guide(model, y, some, objective, training, seed=seed, stream=stream, weights=weights)
    if found.init != "manifold" or found.rounds is None:
        return Start(found.init, found.reason)
    return Start(found.init, found.reason, tuple(found.rounds.teach()))
