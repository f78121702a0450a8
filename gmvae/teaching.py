"""Stages of a start: reconstruct first, then learn given clusters, from views of the observations."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gmvae.data import scaled
from gmvae.model import GMVAE
from gmvae.training import Observations
from gmvae.views import View

RATE = 2e-3
"""Learning rate at the top of its cycle (Smith and Topin, arXiv 1708.07120)."""
DECAY = 1e-3
"""Weight decay."""
BATCH = 256
"""Observations per step."""
DROPOUT = 0.3
"""Share of the features that are hidden from the head of q(z | y) while it learns."""
MEMORY = 0.99
"""Share of the averaged weights that a step keeps, once there have been many."""

Told = Callable[[float], object]


def reconstruct(model: GMVAE, y: Observations, view: View | None, steps: int, told: Told) -> None:
    r"""Warm up recogniser and decoder as an auto-encoder, whose code is the mean of q(x | y):

    .. math:: \min_{\theta, \phi}\; -\mathbb E_{v \sim \mathrm{views}(y)} \log p_\theta(y \mid x =
        \mathbb E_{q_\phi(x|v)}[x])

    It is shown a view v and asked for the observation itself, so that the code forgets what views change.

    Arguments:
        model: The model, changed in place.
        y: The observations.
        view: Makes views; without it the observation is shown.
        steps: Steps of ``BATCH`` observations.
        told: Called after each step with the share of them that is done.
    """

    def loss(observed: Tensor) -> Tensor:
        q_x = model.recognition(observed if view is None else view(observed))[0]
        p_y = model.generative.p_y(q_x.mean.unsqueeze(0))
        return -p_y.log_prob(observed.flatten(1)).mean()

    descend(model, lambda: loss(_draw(y)), steps, told)


def teach(model: GMVAE, some: Tensor, clusters: Tensor, view: View | None, steps: int, told: Told) -> None:
    r"""Bring q(z | y) to given clusters c:

    .. math:: \min_\phi\; -\mathbb E_{v \sim \mathrm{views}(y)} \log q_\phi(z = c \mid v)

    What it learns of them is what views do not change, and half a cycle of learning is too short for single
    mistakes, so that q(z | y) ends nearer to the truth than the clusters that it was given. Its weights are
    averages over the last steps (Polyak and Juditsky, 1992).

    Arguments:
        model: The model, whose recogniser is changed in place.
        some: Observations, (n, *y_shape).
        clusters: The cluster of each, (n,).
        view: Makes views; without it the observation is shown.
        steps: Steps of ``BATCH`` observations.
        told: Called after each step with the share of them that is done.

    Raises:
        ValueError: where the model has no q(z | y).
    """
    recognition, average = model.recognition, Averaged(model.recognition)
    head = recognition.z
    if head is None:
        raise ValueError("the model has no q(z | y) to teach: assignment must be recogniser")

    def loss() -> Tensor:
        batch = torch.randint(len(some), (BATCH,), device=some.device)
        shown = scaled(some[batch])
        hidden = recognition.body(shown if view is None else view(shown))
        return F.cross_entropy(head(F.dropout(hidden, DROPOUT)), clusters[batch])

    descend(recognition, loss, steps, told, after=average.update)
    recognition.load_state_dict(average.module.state_dict())


def descend(
    module: nn.Module,
    loss: Callable[[], Tensor],
    steps: int,
    told: Told = lambda _: None,
    after: Callable[[], object] = lambda: None,
) -> None:
    """Train a module for some steps of AdamW under one cycle of the learning rate.

    Arguments:
        module: What is trained.
        loss: The loss of a new batch, each time it is called.
        steps: How often.
        told: Called after each step with the share of them that is done.
        after: Called after each step.
    """
    optimiser = torch.optim.AdamW(module.parameters(), RATE, weight_decay=DECAY, fused=True)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    module.train()
    for step in range(1, steps + 1):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
        if step < steps:
            cycle.step()
        after()
        told(step / steps)


class Averaged:
    """A moving average of the weights, and the statistics, of a module."""

    def __init__(self, module: nn.Module) -> None:
        self.of, self.module, self.updates = module, copy.deepcopy(module), 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights of now."""
        self.updates += 1
        keep = min(MEMORY, self.updates / (self.updates + 10))
        for mean, value in zip(self.module.state_dict().values(), self.of.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)


def _draw(y: Observations) -> Tensor:
    return scaled(y[torch.randint(len(y), (BATCH,)).to(y.device)])
