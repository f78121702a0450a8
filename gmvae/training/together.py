"""Epochs of several models of the same shape, side by side. For small models, a step of all of them takes
little longer than one of a single model, since it is the same number of operations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import torch
from torch import nn

from gmvae.data.dataset import scaled
from gmvae.data.transfer import rows_at
from gmvae.training.fast.stack import Stack, common
from gmvae.training.fast.step import FastStep
from gmvae.training.loop import FLOAT, NAMES, Indexable, Trainer, descend
from gmvae.training.optimisers import FUSED, optimiser

ELEMENTWISE = FUSED | {"sign"}
"""Optimisers whose step of a number depends on that number's gradients only."""


def joins(trainer: Trainer) -> bool:
    """Whether a trainer can have epochs together with others of its kind."""
    connected = trainer.model.config.network == "fc"
    return trainer.fast and connected and trainer.config.optimiser in ELEMENTWISE


class Together:
    """Makes the next epoch of several trainers at once. Each keeps its own order of observations, noise,
    state and records, and learns what it would learn alone, but for rounding."""

    def __init__(self) -> None:
        self._joint: Joint | None = None

    def epoch(self, given: Sequence[tuple[Trainer, Indexable]], progress: Callable[[float], object]) -> None:
        """Make the next epoch of those trainers that agree: in the epoch, the number of all epochs, the
        weights of the terms, the learning rate and the number of observations. If there are several sets of
        them, it is the largest. They find its result in ``ahead``. All others make their epoch themselves.

        Arguments:
            given: Trainers that :func:`joins` accepts, with their observations.
            progress: As in :meth:`gmvae.training.loop.Trainer.epochs`.
        """
        keys = [key(*one) for one in given]
        usual = max(keys, key=keys.count)
        same = [one for one, own in zip(given, keys, strict=True) if own == usual]
        trainers = [trainer for trainer, _ in same]
        if self._joint is not None and (self._joint.trainers != trainers or self._joint.outdated):
            self.close()
        if len(same) > 1:
            self._joint = self._joint or Joint(trainers)
            self._joint.epoch([y for _, y in same], progress)

    def close(self) -> None:
        """Give each trainer tensors of its own again."""
        if self._joint is not None:
            for trainer in self._joint.trainers:
                separate(trainer)
        self._joint = None


def key(trainer: Trainer, y: Indexable) -> tuple[object, ...]:
    """What trainers must have in common for an epoch together."""
    about = trainer.epoch, trainer.last, trainer.rollbacks, trainer.objective, trainer.taught is None
    # an epoch that was interrupted has an order of its own
    return (*about, id(trainer) if trainer.interrupted else None, len(y))


class Joint:
    """Some trainers whose weights, statistics and moments are parts of common tensors.

    Arguments:
        trainers: The trainers, with the same configuration.
    """

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        self.trainers = list(trainers)
        first = trainers[0]
        self.stack = Stack([one.model for one in trainers])
        names = [name for name, _ in first.model.named_parameters()]
        self.parameters = {name: nn.Parameter(self.stack[name]) for name in names}
        for name, _ in first.model.named_buffers():
            self.stack[name]
        self.optimiser = optimiser(
            first.config.optimiser, self.parameters.values(), first.config.learning_rate
        )
        self._own = list(zip(*(one.model.parameters() for one in trainers), strict=True))
        if first.optimiser.state:
            self._join_moments()
        self._restored = [trainer.restored for trainer in trainers]
        self._step: FastStep | None = None
        self._made_for: tuple[object, ...] = ()
        for trainer in trainers:
            trainer.moved()

    @property
    def outdated(self) -> bool:
        """Whether a trainer has gone back to another state, with moments of its own."""
        return self._restored != [trainer.restored for trainer in self.trainers]

    def _join_moments(self) -> None:
        """Let the optimiser continue from the states of the trainers' optimisers."""
        for whole, own in zip(self.parameters.values(), self._own, strict=True):
            states = [one.optimiser.state[p] for one, p in zip(self.trainers, own, strict=True)]
            for kind, value in states[0].items():
                moment = value.shape == own[0].shape
                self.optimiser.state[whole][kind] = (
                    common([state[kind] for state in states]) if moment else value.clone()
                )

    def _share_moments(self) -> None:
        """Give the trainers' optimisers the state of this one."""
        for whole, own in zip(self.parameters.values(), self._own, strict=True):
            for kind, value in self.optimiser.state[whole].items():
                for number, (trainer, p) in enumerate(zip(self.trainers, own, strict=True)):
                    state = trainer.optimiser.state[p]
                    if value.shape != whole.shape:
                        state[kind] = value.clone()
                    elif kind not in state:
                        state[kind] = value[number]

    def epoch(self, data: Sequence[Indexable], progress: Callable[[float], object]) -> None:
        """Make an epoch on the observations of each trainer."""
        began, first = time.perf_counter(), self.trainers[0]
        for trainer in self.trainers:
            trainer.begin()
            trainer.model.train()
        step = self._fast_step()
        for group in self.optimiser.param_groups:
            group["lr"] = first.learning_rate
        orders = [one.batches(y) for one, y in zip(self.trainers, data, strict=True)]
        count, rows = len(orders[0]), sum(map(len, orders[0]))
        noise = [one.stream.local for one in self.trainers]
        totals = torch.zeros(len(orders), len(NAMES), dtype=FLOAT, device=data[0].device)

        def gradients() -> Iterator[None]:
            for batches in zip(*orders, strict=True):
                observed = [rows_at(y, batch) for y, batch in zip(data, batches, strict=True)]
                totals.add_(step(scaled(torch.stack(observed)), first.epoch + 1, noise))
                yield None

        for number in descend(self.optimiser, gradients()):
            progress(first.epoch + number / count)
        self._share_moments()
        seconds = (time.perf_counter() - began) / len(self.trainers)
        for trainer, means in zip(self.trainers, (totals / rows).tolist(), strict=True):
            trainer.ahead = dict(zip(NAMES, means, strict=True)), seconds

    def _fast_step(self) -> FastStep:
        """The step, made anew if weights of the terms or teachers are new."""
        taught = [one.taught for one in self.trainers if one.taught is not None]
        made_for = (self.trainers[0].objective, *map(id, taught))
        if self._step is None or self._made_for != made_for:
            self._step, self._made_for = FastStep(self.stack, self.trainers[0].objective, taught), made_for
            for name, parameter in self.parameters.items():
                parameter.grad = self.stack.gradients[name]
        return self._step


def separate(trainer: Trainer) -> None:
    """Copy all tensors of a trainer out of common ones."""
    trainer.model.zero_grad()
    for tensor in chain(trainer.model.parameters(), trainer.model.buffers()):
        tensor.data = tensor.data.clone()
    for state in trainer.optimiser.state.values():
        for kind, value in state.items():
            state[kind] = value.clone()
    trainer.moved()
