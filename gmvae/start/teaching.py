"""Stages of a start: first reconstruct observations, then learn pseudo-labels, from augmented views."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from gmvae.data.dataset import scaled
from gmvae.data.transfer import rows_at
from gmvae.model.inference import BATCH as EVALUATED
from gmvae.model.inference import evaluating
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import initialise
from gmvae.progress import Progress
from gmvae.training.adversarial import inconsistency, reach
from gmvae.training.augmentation import View
from gmvae.training.fast.stages import FastReconstruction, FastTeaching
from gmvae.training.fast.step import covers
from gmvae.training.loop import Indexable, descend
from gmvae.training.optimisers import light
from gmvae.training.random import RandomStream

RATE = 2e-3
"""Learning rate at the top of its cycle (Smith and Topin, arXiv 1708.07120)."""
DECAY = 1e-3
"""Weight decay."""
BATCH = 256
"""Observations per step."""
DROPOUT = 0.3
"""Share of the features that are hidden from the head of q(z | y) during teaching."""
MEMORY = 0.99
"""Share of the averaged weights that a step keeps, after the first steps."""

ROBUSTNESS = 0.7
"""Exponent r of the loss of pseudo-labels, between the cross-entropy (0) and the error rate (1)."""


def reconstruct(
    model: GaussianMixtureVAE,
    y: Indexable,
    view: View | None,
    steps: int,
    stream: RandomStream,
    progress: Progress,
) -> None:
    r"""Warm up recogniser and decoder as an autoencoder, whose code is the mean of q(x | y):

    .. math:: \min_{\theta, \phi}\; -\mathbb E_{v \sim \mathrm{views}(y)} \log p_\theta(y \mid x =
        \mathbb E_{q_\phi(x|v)}[x])

    The input is an augmented view v and the target the observation itself, so the code ignores what differs
    between views.

    Arguments:
        model: The model, changed in place.
        y: The observations.
        view: Makes augmented views; without it the input is the observation.
        steps: Steps of ``BATCH`` observations.
        stream: Source of randomness.
        progress: Called after each step with the share of all steps that is done.
    """

    by_hand = FastReconstruction(model) if covers(model, views=False) else None

    def loss(observed: Tensor) -> Tensor | None:
        shown = observed if view is None else view(observed, stream.local)
        if by_hand is not None:
            return by_hand(shown, observed)
        q_x = model.recognition(shown)[0]
        p_y = model.generative.p_y(q_x.mean.unsqueeze(0))
        return -p_y.log_prob(observed.flatten(1)).mean()

    one_cycle(model, lambda: loss(draw(y, stream)), steps, progress)


def teach(
    model: GaussianMixtureVAE,
    y: Indexable,
    subset: Tensor,
    clusters: Tensor,
    view: View | None,
    steps: int,
    stream: RandomStream,
    progress: Progress,
    rate: float = RATE,
) -> None:
    r"""Teach q(z | y) the pseudo-labels c of some observations:

    .. math:: \min_\phi\; \mathbb E_{v \sim \mathrm{views}(y)} \frac{1 - q_\phi(z = c \mid v)^r}{r}

    q(z | y) learns features that do not depend on the augmentation. The loss (generalised cross-entropy with
    r = ``ROBUSTNESS``: Zhang and Sabuncu, arXiv 1805.07836) is robust: it gives up on single rows that do not
    fit. So q(z | y) ends nearer to the truth than the pseudo-labels. If it has given up on a whole cluster,
    teaching is repeated with r = 0, the cross-entropy. Without augmented views, q(z | y) must not change
    under small perturbations of any observation (:mod:`gmvae.training.adversarial`). The final weights are
    averages over the last steps (Polyak and Juditsky, 1992).

    Arguments:
        model: The model, whose recogniser is changed in place.
        y: The observations.
        subset: The observations with a pseudo-label, (n, *y_shape).
        clusters: The pseudo-label of each, (n,).
        view: Makes augmented views; without it the input is the observation.
        steps: Steps of ``BATCH`` observations.
        stream: Source of randomness.
        progress: Called after each step with the share of all steps that is done.
        rate: The learning rate at the top of its cycle.

    Raises:
        ValueError: if the model has no q(z | y).
    """
    recognition, head = model.recognition, model.recognition.z
    if head is None:
        raise ValueError("the model has no q(z | y) to teach: assignment must be recogniser")
    radius = reach(scaled(subset), stream.local) if view is None else 0.0
    before = copy.deepcopy(recognition.state_dict())
    by_hand = FastTeaching(recognition) if view is not None and covers(model, views=False) else None

    def loss(robustness: float) -> Tensor | None:
        batch = torch.randint(len(subset), (BATCH,), generator=stream.local, device=subset.device)
        shown = scaled(subset[batch])
        shown = shown if view is None else view(shown, stream.local)
        dropout = kept(shown.new_empty(BATCH, head.in_features), stream.local)
        if by_hand is not None:
            return by_hand(shown, clusters[batch], dropout, robustness)
        wrong = mistaken(head(recognition.body(shown) * dropout), clusters[batch], robustness)
        if view is not None:
            return wrong
        near = draw(y, stream)
        return wrong + inconsistency(lambda v: head(recognition.body(v)), near, radius, stream.local)

    for robustness in (ROBUSTNESS, 0.0):
        recognition.load_state_dict(before)
        initialise(head, stream.local)  # weights learned for other cluster numbers would get in the way
        average = Averaged(recognition)
        # a second try is rare, and the progress bar is at its end by then
        heard = progress if robustness else (lambda _: None)
        one_cycle(recognition, partial(loss, robustness), steps, heard, average.update, rate)
        recognition.load_state_dict(average.module.state_dict())
        if not gave_up(model, subset, clusters):
            break


def mistaken(logits: Tensor, clusters: Tensor, robustness: float) -> Tensor:
    r"""The mean of :math:`(1 - q_c^r) / r` over a batch, shape (), from logits of shape (B, K) and clusters c
    of shape (B,). With r = 0 it is the limit, the cross-entropy :math:`-\log q_c`."""
    if not robustness:
        return F.cross_entropy(logits, clusters)
    chosen = F.log_softmax(logits, -1).gather(1, clusters.unsqueeze(1))
    return ((1 - (robustness * chosen).exp()) / robustness).mean()


def gave_up(model: GaussianMixtureVAE, subset: Tensor, clusters: Tensor) -> bool:
    """Whether q(z | y) misses more than half of the rows of one of the clusters that it was taught."""
    with evaluating(model):
        found = torch.cat([model.assign(scaled(batch)).probs.argmax(-1) for batch in subset.split(EVALUATED)])
    same = (found == clusters).to(torch.float32)
    size = torch.bincount(clusters)
    kept = torch.zeros(len(size), dtype=same.dtype, device=same.device).index_add_(0, clusters, same)
    return bool((kept < 0.5 * size).any())


def one_cycle(
    module: nn.Module,
    loss: Callable[[], Tensor | None],
    steps: int,
    progress: Progress = lambda _: None,
    after: Callable[[], object] = lambda: None,
    rate: float = RATE,
) -> None:
    """Train a module for some steps of AdamW under one cycle of the learning rate.

    Arguments:
        module: The module to train.
        loss: Returns the loss of a new batch at each call, or ``None`` if it has already set the gradients of
            the parameters.
        steps: The number of steps.
        progress: Called after each step with the share of all steps that is done.
        after: Called after each step.
        rate: The learning rate at the top of its cycle.
    """
    optimiser = light(torch.optim.AdamW)(module.parameters(), rate, weight_decay=DECAY, fused=True)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    module.train()
    for step in descend(optimiser, (loss() for _ in range(steps))):
        if step < steps:
            cycle.step()
        after()
        progress(step / steps)


class Averaged:
    """A moving average of the weights and the batch-norm statistics of a module."""

    def __init__(self, module: nn.Module) -> None:
        self.module, self.updates = copy.deepcopy(module), 0
        states = self.module.state_dict(), module.state_dict()
        pairs = list(zip(*(state.values() for state in states), strict=True))
        self.counts = [pair for pair in pairs if not pair[0].dtype.is_floating_point]
        self.means, self.values = zip(
            *(pair for pair in pairs if pair[0].dtype.is_floating_point), strict=True
        )

    @torch.no_grad()
    def update(self) -> None:
        """Add the current weights to the average."""
        self.updates += 1
        keep = min(MEMORY, self.updates / (self.updates + 10))
        torch._foreach_lerp_(self.means, self.values, 1 - keep)
        for mean, value in self.counts:
            mean.copy_(value)


def draw(y: Indexable, stream: RandomStream) -> Tensor:
    """Draw a batch of observations, (BATCH, *y_shape)."""
    return scaled(rows_at(y, torch.randint(len(y), (BATCH,), generator=stream.cpu)))


def kept(features: Tensor, generator: Generator) -> Tensor:
    """Dropout factors of features, in place: 0 for a random share ``DROPOUT``, and 1 / (1 - ``DROPOUT``) for
    the others. (torch's own dropout can only use the global generator.)"""
    return features.bernoulli_(1 - DROPOUT, generator=generator).div_(1 - DROPOUT)
