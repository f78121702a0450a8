"""The training loop: it takes data, model and objective, and yields one record per epoch."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from gmvae.config import ObjectiveConfig, TrainingConfig
from gmvae.data.dataset import scaled
from gmvae.data.transfer import rows_at
from gmvae.model import objective
from gmvae.model.isolation import isolated
from gmvae.model.networks import FLOAT
from gmvae.model.vae import GaussianMixtureVAE, Recognition
from gmvae.training.augmentation import views
from gmvae.training.fast.stack import Stack
from gmvae.training.fast.step import FastStep, covers
from gmvae.training.optimisers import optimiser
from gmvae.training.passes import batches, one_pass
from gmvae.training.random import RandomStream
from gmvae.training.recovery import HUGE, ROLLBACKS, SMALLER, Snapshot, first_odd, greatest, numbers
from gmvae.training.workers import ALONE, Workers


class Indexable(Protocol):
    """Training data: a tensor of shape (N, *y_shape), or anything that can be indexed like one."""

    @property
    def device(self) -> torch.device:
        """The device of the observations that ``[...]`` gives."""

    def __len__(self) -> int:
        """The number of observations in a pass."""

    def __getitem__(self, index: Tensor, /) -> Tensor:
        """The observations with these numbers, shape (B, *y_shape)."""


NAMES = ("loss", "elbo", *objective.Terms._fields)
"""The values of an epoch's record that are means over its observations."""
MOMENTUM = 0.02
"""Share of the newest batch in the running statistics of a model with anchored clusters."""


class Trainer:
    """Fits a model, one epoch at a time. It can stop after any epoch and continue from there.

    Arguments:
        model: The model, already on its device.
        objective_config: Weights of the terms.
        config: Optimiser, batches, epochs.
        stream: Source of all randomness.
        workers: The processes that share each batch.

    Attributes:
        epoch: The number of epochs done.
        last: The number of all epochs. It can be changed between two epochs.
        restored: How often it has gone back to another state.
        ahead: Means and seconds of the next epoch, if it has been made together with those of other trainers
            (:mod:`gmvae.training.together`).
    """

    def __init__(
        self,
        model: GaussianMixtureVAE,
        objective_config: ObjectiveConfig,
        config: TrainingConfig,
        stream: RandomStream,
        workers: Workers = ALONE,
    ) -> None:
        self.workers = workers
        self.model, self.objective, self.config, self.stream = model, objective_config, config, stream
        self.optimiser = optimiser(config.optimiser, model.parameters(), config.learning_rate)
        # with augment auto, only the start uses views: here, moved rows would move the borders of clusters
        self.view = None if config.augment == "auto" else views(config.augment, model.y_shape)
        self.taught: Recognition | None = None
        self.epoch = self.rollbacks = self.restored = 0
        self.last = config.epochs
        self.ahead: tuple[dict[str, float], float] | None = None
        self._good, self._busy = Snapshot(), False
        self._pass: Pass | None = None
        self._step: FastStep | None = None
        self._numbers = numbers(model)

    def weigh(self, objective_config: ObjectiveConfig) -> None:
        """From now on, give the terms these weights."""
        self.objective, self._step = objective_config, None

    def anchor(self) -> None:
        """From now on, keep q(z | y), and q(z | v) of augmented views v, near its current values.

        A copy of the recogniser is the frozen teacher. Batch statistics are averaged over more batches, and
        the learning rate decays, since noise in both would move the borders of many clusters.
        """
        for module in self.model.modules():
            if isinstance(module, _BatchNorm):
                module.momentum = MOMENTUM
        self.taught = copy.deepcopy(self.model.recognition).requires_grad_(False).eval()
        self._step = None

    @property
    def fast(self) -> bool:
        """Whether the hand-written gradient (:mod:`gmvae.training.fast`) is used in place of autograd's."""
        return self.workers.size == 1 and by_hand(self.model, self.config)

    @isolated
    def epochs(
        self, y: Indexable, progress: Callable[[float], object] = lambda _: None
    ) -> Iterator[dict[str, float]]:
        """Train on observations until ``last`` epochs are done.

        Arguments:
            y: The observations; levels of uint8 stand for levels / 255.
            progress: Called after each step with the number of epochs done, including the part of the current
                one.

        Yields:
            A record of each epoch: its number from 1, the seconds it took, and the means over its
            batches of ``loss``, ``elbo`` and the five terms, in nats per observation.

        Raises:
            FloatingPointError: if a loss or a weight is no longer finite, and smaller steps do not help
                (:mod:`gmvae.training.recovery`). The model is then as it was before that epoch.
        """
        if self.epoch < self.last:
            self.workers.agree(self.model.state_dict().values())
        while self.epoch < self.last:
            began = time.perf_counter()
            if self.ahead is None:
                self.begin()
                means = self._epoch(y, progress)
            else:
                (means, seconds), self.ahead = self.ahead, None
                began -= seconds
            while not self._sound(means, y):
                if self.rollbacks == ROLLBACKS:
                    raise self._diverged(y)
                self._back(self.rollbacks + 1)
                means = self._epoch(y, progress)
            self.epoch += 1
            self._busy = False
            record = {"epoch": self.epoch, "seconds": time.perf_counter() - began, **means}
            yield record | ({"rollbacks": self.rollbacks} if self.rollbacks else {})

    def begin(self) -> None:
        """Keep the state from before an epoch. It counts until the epoch, or the step in it, is whole."""
        self._good.take(*self._state())
        self._busy = True

    def moved(self) -> None:
        """The tensors of the model are in another place."""
        self._step = None

    @property
    def interrupted(self) -> bool:
        """Whether it stopped in the middle of an epoch."""
        return self._pass is not None

    def _sound(self, means: dict[str, float], y: Indexable) -> bool:
        """Whether an epoch had finite losses, and the model after it still gives finite ones."""
        return all(map(math.isfinite, means.values())) and self._odd_now(y) is None

    def _odd_now(self, y: Indexable) -> str | None:
        """The name of what is not finite in the current model: a weight, or a term for some observations."""
        largest = greatest(self._numbers)
        if not math.isfinite(largest):
            return "a weight"
        if largest < HUGE:
            return None
        self.model.eval()
        with torch.no_grad():
            batch = scaled(rows_at(y, torch.arange(min(len(y), self.config.batch_size))))
            noise = Generator(y.device).manual_seed(0)
            return first_odd(*objective.loss(self.model, batch, self.objective, generator=noise))

    def _back(self, rollbacks: int) -> None:
        """Go back to the beginning of this epoch, with a smaller step."""
        self.restore(*self._good.copy())
        self.rollbacks = rollbacks

    def _diverged(self, y: Indexable) -> FloatingPointError:
        """The error about an epoch that diverges. The epoch is repeated to find out where."""
        rate = self.learning_rate
        self._back(self.rollbacks)
        try:
            self._epoch(y, lambda _: None, inspect=True)
            where = f"after the last update, in {self._odd_now(y)}"
        except FloatingPointError as found:
            where = str(found)
        self._back(self.rollbacks)
        self._busy = False
        return FloatingPointError(
            f"the loss is not a finite number in epoch {self.epoch + 1}, {where}: lower the learning rate "
            f"(now {self.config.learning_rate:g}; {ROLLBACKS} more attempts with smaller ones, down to "
            f"{rate:g}, did not help), or scale the data to about 1"
        )

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next epoch. If clusters are anchored, it decays linearly over the second
        half of all epochs."""
        rest = 1.0 if self.taught is None else 1 - self.epoch / self.last
        return self.config.learning_rate * SMALLER**self.rollbacks * min(1.0, 2 * rest)

    def _epoch(
        self, y: Indexable, progress: Callable[[float], object], *, inspect: bool = False
    ) -> dict[str, float]:
        if not self.model.training:  # with small tables, train() is a tenth of an epoch
            self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate
        if self._pass is None:
            totals = torch.zeros(len(NAMES), dtype=FLOAT, device=y.device)
            self._pass = Pass(self.stream.cpu.get_state(), totals)
            order = self.stream.cpu
        else:  # the generator has moved on since: the order comes from its state at the start of the pass
            order = Generator("cpu")
            order.set_state(self._pass.order)
        now = self._pass
        steps, count, rows = one_pass(y, self.config, order, self.workers.share, now.steps)
        epoch, noise = self.epoch + 1, self.stream.local
        fast = self._fast_step() if self.fast and not inspect else None
        alone = self.workers.size == 1
        own = now.totals if alone else torch.zeros_like(now.totals)  # sums of this process's share

        def add_up(parameters: Iterable[Tensor]) -> None:
            self.workers.add_gradients(parameters, own)
            now.totals.add_(own)  # of all processes, since any number of them can resume from here
            own.zero_()

        if inspect:  # autograd replaces the tensors of gradients
            self._step = None

        def losses() -> Iterator[Tensor | None]:
            for number, (size, batch) in enumerate(steps, start=now.steps + 1):
                observed = scaled(batch)
                if fast is not None:
                    now.totals.add_(fast(observed.unsqueeze(0), epoch, [noise])[0])
                    yield None
                    continue
                view = None if self.view is None else self.view(observed, self.workers.own(noise))
                known = None if self.taught is None else self.taught(observed)[2]
                loss, terms = self.workers.loss(
                    self.model, observed, size, self.objective, epoch, view, known, noise
                )
                if inspect and (odd := first_odd(loss, terms)):
                    raise FloatingPointError(f"batch {number} of {count}, first in {odd}")
                with torch.no_grad():
                    own.add_(torch.stack((loss, objective.elbo(terms), *terms)).sum(1))
                yield loss if self.workers is ALONE else loss.sum() / size

        with self.workers.global_statistics(self.model):
            for _ in descend(self.optimiser, losses(), None if alone else add_up):
                now.steps += 1
                self._busy = False  # between two steps the state is whole
                progress(self.epoch + now.steps / count)
                self._busy = True
        self._pass = None
        return dict(zip(NAMES, (now.totals / rows).tolist(), strict=True))

    def _fast_step(self) -> FastStep:
        """The step with the hand-written gradient, made once: with small tables, an epoch is a few steps."""
        if self._step is None:
            taught = [] if self.taught is None else [self.taught]
            self._step = FastStep(Stack([self.model]), self.objective, taught)
        return self._step

    def batches(self, y: Indexable) -> list[Tensor]:
        """The batches of the next pass over observations in memory."""
        return batches(len(y), self.config.batch_size, self.config.epoch_size, self.stream.cpu)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that further training depends on, after an epoch or in the middle of one: tensors, the
        numbers of epochs and of steps done, and the number of rollbacks.

        In the middle of a step, or if weights are no longer finite, it is the state from when the epoch was
        started or resumed.
        """
        odd = self._pass is not None and not math.isfinite(greatest(self._numbers))
        tensors, about = self._good.copy() if self._busy or odd else self._state()
        if self.taught is not None:
            tensors |= {f"taught.{name}": value for name, value in self.taught.state_dict().items()}
        return tensors, about

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The current state, without the frozen teacher, which never changes."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for index, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in values.items()}
        tensors |= {f"random.{name}": value for name, value in self.stream.states.items()}
        about: dict[str, Any] = {"epoch": self.epoch, "rollbacks": self.rollbacks}
        if self._pass is not None:
            tensors |= {"pass.order": self._pass.order, "pass.totals": self._pass.totals.clone()}
            about["steps"] = self._pass.steps
        return tensors, about

    def restore(self, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        """Go back to the state that :meth:`state` returned.

        On another kind of device, the noise starts again from the seed.

        Raises:
            ValueError: if it is the state of another model, or not that of a trainer.
        """
        epoch, rollbacks = about.get("epoch"), about.get("rollbacks", 0)
        if type(epoch) is not int or epoch < 0 or rollbacks not in range(ROLLBACKS + 1):
            raise ValueError(
                "the checkpoint is not one that training wrote: put back the file that belongs here"
            )
        parts: dict[str, dict[str, Tensor]] = {
            "model": {},
            "optimiser": {},
            "random": {},
            "taught": {},
            "pass": {},
        }
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = value
        load(self.model, parts["model"])
        if parts["taught"]:
            self.anchor()
            load(self.taught, parts["taught"])  # type: ignore[arg-type]
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["optimiser"].items():
            index, _, key = name.partition(".")
            state.setdefault(int(index), {})[key] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        drawn = {name: value.cpu() for name, value in parts["random"].items()}
        self.stream.states = drawn
        self.epoch, self.rollbacks, self._pass = epoch, rollbacks, None
        self.restored += 1
        if "steps" in about:
            given = parts["pass"]
            self._pass = Pass(given["order"].cpu(), given["totals"].to(self.stream.device), about["steps"])


def by_hand(model: GaussianMixtureVAE, config: TrainingConfig) -> bool:
    """Whether a single process trains this model with the hand-written gradient."""
    return covers(model, views=config.augment not in ("auto", "none"))


@dataclass
class Pass:
    """An epoch in progress."""

    order: Tensor
    """The generator's state that the order of observations comes from."""
    totals: Tensor
    """Sums of the recorded values over its observations."""
    steps: int = 0
    """Number of steps done."""


def descend(
    optimiser: Optimizer,
    losses: Iterable[Tensor | None],
    gradients: Callable[[Iterable[Tensor]], object] | None = None,
) -> Iterator[int]:
    """Take one optimiser step for each loss, or for the mean of losses of shape (B,). All training uses this
    loop.

    A loss is requested once the previous step is done. ``None`` in place of a loss means that the
    parameters already have their gradients. ``gradients`` is called with the parameters before each step.

    Yields:
        The number of steps so far, after each step.
    """
    for step, loss in enumerate(losses, start=1):
        if loss is not None:
            optimiser.zero_grad()
            loss.mean().backward()
        if gradients is not None:
            gradients(p for group in optimiser.param_groups for p in group["params"])
        optimiser.step()
        yield step


def load(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load the weights of a module.

    Raises:
        ValueError: if they belong to another module.
    """
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"the checkpoint is of another model: {' '.join(str(error).split())}") from error
