"""Choose the start of a fit: find pseudo-labels without the paper's model, and teach them to it.

The rows are clustered by several well-known methods, and one partition is chosen without labels
(:mod:`gmvae.start.choice`). Clusters of many images and of wide tables are found in rounds, in the features
that the model learns (:mod:`gmvae.start.rounds`); clusters of few rows by k-means. The clusters are taught to
q(z | y) as pseudo-labels and anchored: training keeps q(z | y) near them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch

from gmvae.data.dataset import scaled
from gmvae.model.isolation import isolated
from gmvae.progress import Progress, part
from gmvae.start.candidates.base import Rows
from gmvae.start.choice import Chosen, choose
from gmvae.start.kmeans import ROWS_EACH, guide, k_means
from gmvae.start.material import Material
from gmvae.start.rounds import MANIFOLD_FROM, WIDE, Rounds
from gmvae.start.teaching import teach
from gmvae.training.augmentation import nearby_view, views

SHOWN = 20_000
"""Maximum number of observations that are clustered along the manifold."""
PARTITIONED = 5_000
"""Maximum number of rows that candidate methods cluster."""
TAUGHT_FROM, TAUGHT_TO, TAUGHT_RATE = 50, 1000, 5e-3
"""Minimum and maximum number of steps in which a partition is taught, with one more step for every four rows,
and their greatest learning rate."""


@dataclass(frozen=True)
class Schedule:
    """Length and learning rate of a fit for which they are left open."""

    steps: int
    """Minimum number of steps."""
    passes: int
    """Minimum number of passes over the data."""
    learning_rate: float
    more: tuple[int, int] = (0, 0)
    """Steps, and passes: at least so many steps are made, or so many passes if these are fewer steps."""
    follows: bool = False
    """Whether a fit can be shorter, if what it learns no longer changes (:mod:`gmvae.fit.length`)."""

    def epochs(self, count: int, batch_size: int) -> int:
        """The number of passes over ``count`` observations."""
        each = -(-count // batch_size)
        steps, passes = self.more
        return max(self.passes, -(-self.steps // each), min(-(-steps // each), passes))


RANDOM, TAUGHT = Schedule(1500, 20, 1e-3), Schedule(800, 4, 1e-3)
"""For a start from random weights, and if q(z | y) has been taught pseudo-labels, which takes steps of its
own."""
TAUGHT_TABLE = Schedule(400, 4, 3e-3, (800, 200), follows=True)
"""Small networks learn as much in fewer steps at three times the rate. With a hundred rows, 800
steps are hundreds of passes, and overfit."""


def schedule(init: str, assignment: str, y_shape: tuple[int, ...]) -> Schedule:
    """The schedule for a start and the shape of an observation."""
    if not teaches(init, assignment):
        return RANDOM
    return TAUGHT if len(y_shape) == 3 else TAUGHT_TABLE


def teaches(init: str, assignment: str) -> bool:
    """Whether a start teaches pseudo-labels to q(z | y)."""
    return assignment == "recogniser" and init != "random"


@dataclass(frozen=True)
class Start:
    """How a fit started."""

    init: str
    """``random``, ``kmeans``, ``candidates`` or ``manifold``."""
    reason: str
    """Why, in a sentence."""
    rounds: tuple[dict[str, float], ...] = ()
    """For each round of the manifold: ``modularity``, that of the clusters in the graph of the embedding, and
    ``changed``, the share of the observations whose cluster differs from the round before (1 in the
    first)."""
    candidates: tuple[dict[str, Any], ...] = ()
    """All candidate partitions (:class:`gmvae.start.choice.Candidate`), the best separated first."""
    chosen: str = ""
    """The method whose clusters were taught: the name of a candidate, or ``manifold``."""

    def to_json(self) -> dict[str, Any]:
        """The start as JSON values."""
        lists = {"rounds": list(self.rounds), "candidates": list(self.candidates)}
        return {"init": self.init, "reason": self.reason, "chosen": self.chosen, **lists}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The start that :meth:`to_json` wrote."""
        candidates = tuple(values.get("candidates", ()))
        return cls(
            values["init"], values["reason"], tuple(values["rounds"]), candidates, values.get("chosen", "")
        )


@dataclass(frozen=True)
class Found:
    """What a fit will start from: ``init``, the reason, and the chosen partition or the manifold's rounds."""

    init: str
    reason: str
    chosen: Chosen | None = None
    rounds: Rounds | None = None


@isolated
def choose_start(given: Material, progress: Progress = lambda _: None) -> Found:
    """Decide what a fit starts from, by comparing candidates or searching for the manifold. Nothing here
    depends on the number of epochs.

    Arguments:
        given: Model, data and settings of the start.
        progress: Called with the share of the start that is done.

    Raises:
        ValueError: if the start teaches pseudo-labels but the model has no q(z | y), or if it needs more than
            2 observations.
    """
    asked: str = given.training.init
    init, reason = (asked, f"init {asked} was asked for") if asked != "auto" else _suited(given)
    recogniser = given.model.recognition.z is not None
    if init in ("manifold", "candidates"):
        if len(given.subset) < 3:
            raise ValueError(
                f"init is {init!r}, but there are only {len(given.subset)} different observations, so take "
                "init kmeans"
            )
        if not recogniser:
            raise ValueError(
                f"init is {init!r}, which teaches q(z | y): assignment must be recogniser, or init kmeans"
            )
    if init == "candidates":
        chosen = choose(_rows(given, PARTITIONED), image=_image(given), progress=part(progress, 0, 0.5))
        return Found(init, f"{reason}: {chosen.reason}", chosen)
    if init == "manifold":
        return Found(init, reason, rounds=Rounds(given, progress))
    if init == "kmeans" and recogniser:
        rows = _rows(given, SHOWN)
        clusters = k_means(rows.values, rows.clusters, rows.seed, rows.weights).clusters
        return Found(init, reason, Chosen("k-means", clusters, (), reason))
    return Found(init, reason)


@isolated
def begin_start(given: Material, found: Found, progress: Progress = lambda _: None) -> Start:
    """Bring the model to the start that was found: teach it the pseudo-labels, or make another start."""
    if found.chosen is not None:
        clusters = torch.from_numpy(found.chosen.clusters).to(given.subset.device)
        subset, augment = given.subset[: len(clusters)], given.training.augment
        near = augment == "auto" and not _image(given)
        view = nearby_view if near else views(augment, given.model.y_shape)
        steps = min(TAUGHT_TO, TAUGHT_FROM + len(clusters) // 4)
        done = 0.5 if found.init == "candidates" else 0.0
        rest = given.stream, part(progress, done, 1 - done), TAUGHT_RATE
        teach(given.model, given.y, subset, clusters, view, steps, *rest)
        candidates = tuple(candidate.to_json() for candidate in found.chosen.candidates)
        return Start(found.init, found.reason, candidates=candidates, chosen=found.chosen.name)
    if found.rounds is not None:
        return Start(found.init, found.reason, tuple(found.rounds.teach()), chosen="manifold")
    if found.init == "kmeans":
        guide(given)
        return Start(found.init, found.reason, chosen="k-means")
    return Start(found.init, found.reason)


def _suited(given: Material) -> tuple[str, str]:
    """The init that suits the observations, with a reason."""
    rows, columns, image = len(given.subset), math.prod(given.model.y_shape), _image(given)
    if given.model.recognition.z is None:
        return "kmeans", "assignment is posterior, so init=auto chose kmeans"
    if image and rows < 3:
        return "kmeans", f"there are {rows} different images, so init=auto chose kmeans"
    if image:
        kinds = ("manifold", "images") if rows >= MANIFOLD_FROM else ("candidates", "few images")
        return kinds[0], f"there are {rows:,} {kinds[1]}, so init=auto chose {kinds[0]}"
    if rows < max(3, ROWS_EACH * columns):
        return "kmeans", f"there are {rows:,} rows of {columns} columns, so init=auto chose kmeans"
    if columns > WIDE and rows >= MANIFOLD_FROM:
        return "manifold", f"there are {rows:,} rows of {columns} columns, so init=auto chose manifold"
    return "candidates", f"there are {rows:,} rows of {columns} columns, so init=auto chose candidates"


def _image(given: Material) -> bool:
    return len(given.model.y_shape) == 3


def _rows(given: Material, maximum: int) -> Rows:
    """The first rows, in the form that candidates take."""
    values = scaled(given.subset[:maximum]).flatten(1).cpu().double().numpy()
    weights = None if given.weights is None else given.weights[:maximum]
    return Rows(values, min(given.model.config.clusters, len(values)), given.seed, weights)
