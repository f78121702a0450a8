"""Where a fit starts: from clusters that are found without the model, and taught to it.

Either k-means leads q(z | y) for the first steps; or the manifold of the data does, in rounds: embed the
observations, part them along the manifold of the embedding, teach the parts to q(z | y), and embed them
anew with the features that it has learned. Which of the two the data support, and how many rounds, is told by
the graph of nearest neighbours and by how much the clusters still change, never by labels.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from torch import Tensor, nn

from gmvae import manifold
from gmvae.config import ObjectiveConfig, TrainingConfig
from gmvae.data import scaled
from gmvae.evaluation import BATCH, evaluating
from gmvae.guidance import guide
from gmvae.metrics import hungarian_accuracy
from gmvae.model import GMVAE
from gmvae.teaching import reconstruct, teach
from gmvae.training import Observations
from gmvae.views import views

SHOWN = 20_000
"""Observations that k-means, or the manifold, is made of at most."""
MANIFOLD_FROM = 1_000
"""Observations from which on a manifold is looked for: the graph of fewer is too thin."""
CUT = 0.75
"""Share of the links which k-means cuts that clusters along a manifold may cut."""
RECONSTRUCTING, TEACHING = 1_400, 500
"""Steps of the auto-encoder, and of each round of teaching; the last round has twice as many."""
FEW, BEGINNINGS, LAYOUTS = 5_000, 4, 2
"""Up to so many observations so many auto-encoders are tried, else one, and of each so many layouts: the
clusters of the greatest modularity count."""
SETTLED = 0.005
"""Share of the observations that change their cluster in a round, below which it is the last."""

AUTO_STEPS, AUTO_PASSES, AUTO_PASSES_ON = 1500, 20, 4
"""A fit that is not told how long makes at least so many steps, and at least so many passes over the data:
fewer where the manifold, in steps of its own, has taught q(z | y) already."""

Told = Callable[[float], object]


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


def begin(
    model: GMVAE,
    y: Observations,
    some: Tensor,
    objective: ObjectiveConfig,
    training: TrainingConfig,
    *,
    seed: int,
    weights: NDArray[np.float64] | None = None,
    told: Told = lambda _: None,
) -> Start:
    """Bring a new model to where its fit starts.

    Arguments:
        model: The model, which has not been trained yet; changed in place.
        y: The observations.
        some: Those that clusters are looked for in, (n, *y_shape).
        objective: Weights of the terms.
        training: ``init``, ``augment`` and ``rounds``; optimiser and batches, where k-means leads.
        seed: Seed of k-means and of the manifold.
        weights: Weights of ``some``, (n,), to k-means.
        told: Called with the share of the start that is done, where the manifold takes its time.

    Raises:
        ValueError: where the manifold is to teach a model without a recogniser of z.
    """
    init: str = training.init
    reason = f"init {training.init} was asked for"
    if init == "manifold" and model.recognition.z is None:
        raise ValueError(
            "init is 'manifold', which teaches q(z | y): assignment must be recogniser, or init kmeans"
        )
    if init == "auto" and (len(some) < MANIFOLD_FROM or model.recognition.z is None):
        few = f"there are fewer than {MANIFOLD_FROM} observations"
        reason = few if len(some) < MANIFOLD_FROM else "assignment is posterior"
        init, reason = "kmeans", f"{reason}, so init auto is kmeans"
    if init == "random":
        return Start(init, reason)
    found = None
    if init != "kmeans":
        found = Rounds(model, y, some, training, seed, told)
        if init == "auto":
            init, reason = found.better()
    if found is None or init == "kmeans":
        guide(model, y, some, objective, training, seed=seed, weights=weights)
        return Start("kmeans", reason)
    return Start("manifold", reason, tuple(found.teach()))


class Rounds:
    """Clusters along the manifold of what a model has learned, and what it learns from them, in turn.

    Arguments:
        model: The model, which becomes an auto-encoder at once.
        y: The observations.
        some: Those that clusters are looked for in.
        training: ``augment`` and ``rounds``.
        seed: Seed of layouts and mixtures.
        told: Called with the share of all of this that is done.
    """

    def __init__(
        self, model: GMVAE, y: Observations, some: Tensor, training: TrainingConfig, seed: int, told: Told
    ) -> None:
        self.model, self.some, self.seed, self.told, self.rounds = model, some, seed, told, training.rounds
        self.view = views(training.augment, model.y_shape)
        beginnings = BEGINNINGS if len(some) <= FEW else 1
        self.steps, self.done = beginnings * RECONSTRUCTING + (training.rounds + 1) * TEACHING, 0
        self.clusters, self.modularity, best = np.zeros(0, np.int64), -math.inf, model.state_dict()
        # links between rows of a table say more of clusters than those between features; of images it is less
        self.values = None if len(model.y_shape) == 3 else scaled(some).flatten(1).float().cpu().numpy()
        self.graph = None if self.values is None else manifold.neighbours(self.values)
        for _ in range(beginnings):
            forget(model)
            reconstruct(model, y, self.view, RECONSTRUCTING, self._stage(RECONSTRUCTING))
            clusters, modularity = self._part(LAYOUTS, self.graph)
            if modularity > self.modularity:
                self.clusters, self.modularity = clusters, modularity
                best = copy.deepcopy(model.state_dict())
        model.load_state_dict(best)

    def better(self) -> tuple[str, str]:
        """Whether links between neighbours support k-means or a manifold, the observations' own or that of
        the auto-encoder's features: ``kmeans`` or ``manifold``, and why in a sentence."""
        if self.values is None or self.graph is None:
            return "manifold", "images lie on a manifold, so init auto is manifold"
        values, graph, k = self.values, self.graph, self.model.config.clusters
        means = KMeans(k, n_init=10, random_state=self.seed).fit_predict(values).astype(np.int64)
        own = manifold.partition(values, graph, k, self.seed).clusters
        candidates = (means, own, self.clusters)
        clear = [manifold.modularity(clusters, graph[0]) for clusters in candidates]
        if clear[1] > clear[2]:
            self.clusters, self.modularity = own, clear[1]
        cut = [manifold.cut(clusters, graph[0]) for clusters in (means, self.clusters)]
        chosen = "manifold" if max(clear[1:]) > clear[0] and cut[1] < CUT * cut[0] else "kmeans"
        return chosen, (
            f"of the links between nearest neighbours k-means cuts {cut[0]:.1%}, the manifold {cut[1]:.1%}, "
            f"so init auto is {chosen}"
        )

    def teach(self) -> Iterator[dict[str, float]]:
        """Teach the clusters, and find them anew in what was learned, until they settle: a record of each
        round."""
        changed = 1.0
        for number in range(1, self.rounds + 1):
            last = number == self.rounds or changed < SETTLED
            yield {"modularity": self.modularity, "changed": changed}
            clusters = torch.from_numpy(self.clusters).to(self.some.device)
            steps = TEACHING * (2 if last else 1)
            teach(self.model, self.some, clusters, self.view, steps, self._stage(steps))
            if last:
                break
            before = self.clusters
            self.clusters, self.modularity = self._part(1)
            changed = 1 - hungarian_accuracy(before, self.clusters)
        self.told(1.0)

    def _part(self, layouts: int, judge: manifold.Graph | None = None) -> tuple[NDArray[np.int64], float]:
        """Of so many layouts of what the model makes of the observations the clusters of the greatest
        modularity, and that, in the graph of these features or in another."""
        values = features(self.model, self.some)
        graph = manifold.neighbours(values)
        found = []
        for _ in range(layouts):
            self.seed += 1
            clusters = manifold.partition(values, graph, self.model.config.clusters, self.seed).clusters
            found.append((manifold.modularity(clusters, (judge or graph)[0]), clusters))
        modularity, clusters = max(found, key=lambda pair: pair[0])
        return clusters, modularity

    def _stage(self, steps: int) -> Told:
        begun, self.done = self.done, self.done + steps
        return lambda share: self.told((begun + share * steps) / self.steps)


def forget(model: nn.Module) -> None:
    """Draw all weights of a module anew."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.modules.conv._ConvNd | nn.modules.batchnorm._BatchNorm):
            module.reset_parameters()


def features(model: GMVAE, y: Tensor) -> NDArray[np.float32]:
    """What the recogniser's body makes of observations of shape (N, *y_shape), on the unit sphere: (N, H)."""
    with evaluating(model):
        parts = [F.normalize(model.recognition.body(scaled(batch)), dim=1) for batch in y.split(BATCH)]
    return torch.cat(parts).cpu().numpy()
