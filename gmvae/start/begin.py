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

from gmvae.model.isolation import isolated
from gmvae.progress import Progress
from gmvae.start.kmeans import guide
from gmvae.start.material import Material
from gmvae.start.rounds import MANIFOLD_FROM, Rounds

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


@dataclass(frozen=True)
class Found:
    """What a fit will start from: ``init``, why, and the manifold's rounds, where it was looked for."""

    init: str
    reason: str
    rounds: Rounds | None = None


@isolated
def choose_start(given: Material, progress: Progress = lambda _: None) -> Found:
    """Decide what a fit starts from, after a look for the manifold where that may be it. Nothing here depends
    on the number of epochs.

    Arguments:
        given: What the start is made of.
        progress: Called with the share of the start that is done, where the manifold takes its time.

    Raises:
        ValueError: where the manifold is to teach a model without a recogniser of z, or of two rows.
    """
    training, rows = given.training, len(given.subset)
    init: str = training.init
    reason = f"init {training.init} was asked for"
    recogniser = given.model.recognition.z is not None
    if init == "manifold" and rows < 3:
        raise ValueError("init is 'manifold', but there are only 2 observations, so take init kmeans")
    if init == "manifold" and not recogniser:
        raise ValueError(
            "init is 'manifold', which teaches q(z | y): assignment must be recogniser, or init kmeans"
        )
    if init == "auto" and (rows < MANIFOLD_FROM or not recogniser):
        few = f"fewer than {MANIFOLD_FROM} observations are looked at"
        reason = few if rows < MANIFOLD_FROM else "assignment is posterior"
        init, reason = "kmeans", f"{reason}, so init auto is kmeans"
    if init in ("random", "kmeans"):
        return Found(init, reason)
    rounds = Rounds(given, progress)
    if init == "auto":
        init, reason = rounds.better()
    return Found(init, reason, rounds)


@isolated
def begin_start(given: Material, found: Found) -> Start:
    """Bring the model to what was found."""
    if found.init == "kmeans":
        guide(given)
    if found.init != "manifold" or found.rounds is None:
        return Start(found.init, found.reason)
    return Start(found.init, found.reason, tuple(found.rounds.teach()))
