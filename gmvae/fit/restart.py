"""A restart: a new model, its start, and its epochs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from gmvae.config import Config, ObjectiveConfig
from gmvae.data.observations import Observations
from gmvae.data.prepare import Prepared
from gmvae.fit.length import Length
from gmvae.fit.state import Record, State, joined, part
from gmvae.fit.stopping import Stopping
from gmvae.model.answers import full_loss
from gmvae.model.networks import train_in
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.progress import Progress
from gmvae.start.begin import SHOWN, Found, Material, Start, begin_start, choose_start, teaches
from gmvae.training.loop import Trainer, load
from gmvae.training.random import RandomStream
from gmvae.training.recovery import ROLLBACKS, SMALLER, Snapshot, greatest, numbers
from gmvae.training.workers import ALONE, Workers


@dataclass(frozen=True)
class Before:
    """A fitted model to continue, in place of a start."""

    model: GaussianMixtureVAE
    epochs: int
    """How many epochs it has had. It does not warm up again."""
    anchored: bool
    """Whether q(z | y) is anchored to its current values."""
    renumber: bool = True
    """Whether its clusters are numbered by size again."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a restart."""

    model: GaussianMixtureVAE
    seed: int
    history: list[Record]
    loss: float
    """The loss with full weights, in nats per observation, on held-out rows or else on the fitted rows."""
    start: Start | None

    def state(self) -> State:
        """The outcome as tensors and JSON values."""
        start = None if self.start is None else self.start.to_json()
        about = {"seed": self.seed, "history": self.history, "loss": self.loss, "start": start}
        return dict(self.model.state_dict()), about


class Restart:
    """One restart of a fit.

    Arguments:
        config: The resolved configuration.
        data: The observations.
        rows: The rows to fit.
        held_out: Held-out observations for early stopping, if there are any.
        seed: Seed of all its random numbers.
        before: A model to continue.
        workers: The processes that train it together.
        follows: The weights of the terms, with warm-ups that can be shares of all epochs, if its length
            follows what still changes (:class:`gmvae.fit.length.Length`); ``None`` if it is fixed.
    """

    def __init__(
        self,
        config: Config,
        data: Prepared,
        rows: Observations,
        held_out: Observations | None,
        seed: int,
        before: Before | None = None,
        workers: Workers = ALONE,
        *,
        follows: ObjectiveConfig | None = None,
    ) -> None:
        self.workers = workers
        self.data, self.held_out, self.seed, self.before = data, held_out, seed, before
        self.log_det = data.log_det
        self.stream = RandomStream(seed, rows.device)
        self.rows = rows.drawing(self.stream.cpu)
        self.follows = follows
        self.length = None if follows is None else Length(self.rows, config.training, seed)
        self._found: Found | None = None
        objective, training = config.objective, config.training
        if before is None:
            build = lambda: GaussianMixtureVAE(rows.y_shape, config.model)  # noqa: E731
            self.model = fresh(build, self.stream.cpu).to(rows.device)
        else:
            self.model = before.model
            objective = replace(objective, warm_up=0, cv_warm_up=0)
            training = replace(training, epochs=before.epochs + training.epochs)
        train_in(self.model, config.training.precision)
        edges = map(torch.from_numpy, data.edges)
        self.model.recognition.take_range(*edges, widen=before is not None)
        self.renew(replace(config, objective=objective, training=training))
        if before is not None:
            self.trainer.epoch = before.epochs
            if before.anchored:
                self.trainer.anchor()

    def renew(self, config: Config) -> None:
        """Go back to the first epoch, with another configuration. The model is not changed."""
        self.config = config
        self.trainer = Trainer(self.model, config.objective, config.training, self.stream, self.workers)
        self.stopping = Stopping(config.objective, config.training)
        self.start: Start | None = None
        self.history: list[Record] = []
        self.stopped = False
        self.last = 0

    @property
    def started(self) -> bool:
        """Whether its start is done."""
        return self.start is not None or self.before is not None

    def look(self, progress: Progress = lambda _: None) -> Found:
        """Decide what the new model starts from. This does not depend on the number of epochs."""
        self._found = choose_start(self._material, progress)
        return self._found

    def begin(self, progress: Progress = lambda _: None) -> Start:
        """Bring the new model to its start."""
        found = self._found or self.look(progress)
        training, before = self.config.training, Snapshot()
        before.take(*self.trainer.state())
        for rollbacks in range(ROLLBACKS + 1):
            rate = training.learning_rate * SMALLER**rollbacks
            config = replace(self.config, training=replace(training, learning_rate=rate))
            start = begin_start(self._material_of(config), found, progress)
            if math.isfinite(greatest(numbers(self.model))):
                self.start, self.trainer.rollbacks = start, rollbacks
                self.anchor()
                return start
            self.trainer.restore(*before.copy())
        raise FloatingPointError(
            f"the start does not lead to finite weights: lower the learning rate (now "
            f"{training.learning_rate:g}; {ROLLBACKS} more attempts with smaller ones, down to {rate:g}, did "
            "not help), or scale the data to about 1"
        )

    @property
    def taught(self) -> bool:
        """Whether the start teaches pseudo-labels to q(z | y)."""
        return teaches(self.config.training.init, self.config.model.assignment)

    def anchor(self) -> None:
        """Keep q(z | y) near what the start has taught it."""
        if self.taught:
            self.trainer.anchor()

    @cached_property
    def subset(self) -> Observations:
        """The rows in which the start looks for clusters."""
        return self.rows.sample(SHOWN)

    @property
    def _material(self) -> Material:
        return self._material_of(self.config)

    def _material_of(self, c: Config) -> Material:
        subset, y = self.subset, self.rows.at_hand.drawing(self.stream.cpu)
        return Material(
            self.model, y, subset.tensor(), subset.weights, c.objective, c.training,
            self.seed % 2**31, self.stream,
        )  # fmt: skip

    def epochs(self, progress: Progress = lambda _: None) -> Iterator[Record]:
        """Train until the last epoch is done, or until held-out rows show that more would not help. Yields
        the record of each epoch."""
        while not self.over:
            yield from self._epochs(progress)

    @property
    def fitted(self) -> Observations:
        """The rows that the next epoch fits: all, unless some are held out from the first half."""
        return self.rows if self.length is None or self.last else self.length.rest

    def _epochs(self, progress: Progress) -> Iterator[Record]:
        """The epochs until the last one or, if rows are held out from the first half, until its end."""
        halved = self.length is not None and not self.last
        for record in self.trainer.epochs(self.fitted, progress):
            for name, sign in (("loss", -1), ("elbo", 1), ("reconstruction", 1)):
                record[name] += sign * self.log_det
            if self.held_out is not None:
                loss = full_loss(self.model, self.held_out, self.config)
                record["validation_loss"] = loss - self.log_det
                self.stopped = self.stopping.after(self.trainer.epoch, loss, self.model)
            self.history.append(record)
            if halved:
                self._follow()
            yield record
            if self.stopped or (halved and self.last):
                return

    def _follow(self) -> None:
        """End the first half of the fit, once what it learns no longer changes."""
        epoch, planned = self.trainer.epoch, self.config.training.epochs
        found = self.length.enough(epoch, self.model)  # type: ignore[union-attr]
        enough = torch.tensor(found, device=self.rows.device)
        self.workers.agree([enough])
        if enough or 2 * epoch >= planned:
            self._end_after(min(2 * epoch, planned))

    def _end_after(self, epochs: int) -> None:
        """Set the number of all epochs, which warm-ups can be shares of."""
        self.last = self.trainer.last = epochs
        if self.follows is not None:
            self.trainer.weigh(self.follows.resolved(epochs))

    def outcome(self) -> Outcome:
        """The outcome of this restart. With early stopping it is that of the best epoch."""
        if self.stopping.best is not None:
            self.model.load_state_dict(self.stopping.best)
        if self.held_out is None and not self.data.own:
            loss = self.history[-1]["loss"]  # for many images, computing the loss exactly would take minutes
        else:
            rows = self.rows if self.held_out is None else self.held_out
            loss = full_loss(self.model, rows, self.config) - self.log_det
        return Outcome(self.model.eval(), self.seed, self.history, loss, self.start)

    def past(self, state: State) -> Outcome:
        """The outcome that :meth:`Outcome.state` came from, loaded into the model of this restart."""
        tensors, about = state
        load(self.model, tensors)
        start = None if about["start"] is None else Start.from_json(about["start"])
        return Outcome(self.model.eval(), about["seed"], list(about["history"]), about["loss"], start)

    @property
    def over(self) -> bool:
        """Whether it has had its last epoch."""
        return self.stopped or self.trainer.epoch >= self.trainer.last

    def state(self) -> State:
        """Everything that the rest of the restart depends on."""
        start = None if self.start is None else self.start.to_json()
        about = {"history": self.history, "start": start, "stopped": self.stopped, "last": self.last}
        if self.length is not None:
            about["looks"] = self.length.state()
        return joined(trainer=self.trainer.state(), stopping=self.stopping.state(), about=({}, about))

    def restore(self, state: State) -> None:
        """Restore the state that :meth:`state` returned.

        Raises:
            ValueError: if it is the state of another model.
        """
        self.trainer.restore(*part(state, "trainer"))
        self.stopping.restore(*part(state, "stopping"))
        about = part(state, "about")[1]
        self.start = None if about["start"] is None else Start.from_json(about["start"])
        self.history, self.stopped = list(about["history"]), about["stopped"]
        if self.length is not None:
            self.length.restore(about["looks"])
        if self.length is not None or self.config.training.restarts > 1:  # else epochs may have been added
            self._end_after(about.get("last", 0) or self.config.training.epochs)
            self.last = about.get("last", 0)
