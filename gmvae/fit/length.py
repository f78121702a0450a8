"""Follow what still changes in a fit, and decide how long it must be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.holdout import trimmed_mean
from gmvae.config import TrainingConfig
from gmvae.data.observations import Observations
from gmvae.model.inference import assign, bound
from gmvae.model.vae import GaussianMixtureVAE

FIRST = 50
"""Number of steps before the first look."""
APART = math.sqrt(2)
"""Factor between the numbers of epochs at two looks."""
GAIN = 0.25
"""A fit goes on while the bound on held-out rows rises by at least so many nats as its epochs double."""
MOVED = 0.01
"""A fit goes on while more than this share of the held-out rows change clusters as its epochs double."""
HELD_OUT, DRAWS = 200, 10
"""Maximum number of held-out rows, and the number of samples of x and w for each. If more rows were held out,
many clusters would have less exact borders."""


@dataclass(frozen=True)
class Look:
    """What held-out rows are like after some epochs."""

    epochs: int
    bound: float
    """Trimmed mean of their bounds, in nats, in the units of the model."""
    clusters: tuple[int, ...]
    """The most probable cluster of each."""


class Length:
    r"""Decides how many epochs a fit with anchored clusters needs.

    Such a fit has two halves: its learning rate is constant in the first, and decays in the second. Some rows
    are held out from the first half, and are looked at after :math:`e_1 < e_2 < \dots` epochs, each at least
    :math:`\sqrt 2` times the one before. The first half ends after e epochs if, compared with the looks up to
    e / 2,

    - the best bound on the held-out rows has risen by less than a quarter of a nat,
    - and at most 1 % of their weight has changed clusters.

    The second half, with all rows, is as long as the first. The best bounds are compared, since at a constant
    rate a single one can be low by chance.

    Arguments:
        rows: The rows of the fit.
        training: The share to hold out, and the batches.
        seed: Seed of the choice of held-out rows.
    """

    def __init__(self, rows: Observations, training: TrainingConfig, seed: int) -> None:
        rng = np.random.RandomState(seed % 2**32)
        share = min(training.validation_fraction, HELD_OUT / len(rows.order))
        self.rest, self.held_out = rows.split(share, rng)
        self._tensor = self.held_out.tensor()
        count = len(self.rest)
        self._each = -(-min(training.epoch_size or count, count) // training.batch_size)
        self.looks: list[Look] = []

    def enough(self, epochs: int, model: GaussianMixtureVAE) -> bool:
        """Whether the first half can end after this number of epochs."""
        next_look = max(FIRST / self._each, self.looks[-1].epochs * APART if self.looks else 0)
        if epochs < next_look:
            return False
        nats = trimmed_mean(bound(model, self._tensor, DRAWS), self.held_out.weights)
        clusters = assign(model, self._tensor).argmax(1)
        self.looks.append(Look(epochs, nats, tuple(clusters.tolist())))
        earlier = [look for look in self.looks if 2 * look.epochs <= epochs]
        if not earlier:
            return False
        later = self.looks[len(earlier) :]
        gain = max(look.bound for look in later) - max(look.bound for look in earlier)
        return gain < GAIN and self._moved(earlier[-1], clusters) <= MOVED

    def _moved(self, look: Look, clusters: NDArray[np.int64]) -> float:
        """The share of the weight of the held-out rows that has changed clusters since a look."""
        weights = self.held_out.weights
        return float(weights[np.array(look.clusters) != clusters].sum() / weights.sum())

    def state(self) -> list[dict[str, Any]]:
        """The looks so far, as JSON values."""
        return [{"epochs": x.epochs, "bound": x.bound, "clusters": list(x.clusters)} for x in self.looks]

    def restore(self, looks: list[Mapping[str, Any]]) -> None:
        """Restore the looks that :meth:`state` returned."""
        self.looks = [Look(x["epochs"], x["bound"], tuple(x["clusters"])) for x in looks]
