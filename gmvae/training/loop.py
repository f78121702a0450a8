"""The loop: data, model and objective in, one record per epoch out."""

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
from gmvae.model import objective
from gmvae.model.isolation import isolated
from gmvae.model.networks import FLOAT
from gmvae.model.vae import GaussianMixtureVAE, Recognition
from gmvae.training.augmentation import views
from gmvae.training.fast.step import FastStep, covers
from gmvae.training.optimisers import optimiser
from gmvae.training.passes import WindowedBatches
from gmvae.training.random import RandomStream
from gmvae.training.recovery import HUGE, ROLLBACKS, SMALLER, Snapshot, first_odd, greatest
from gmvae.training.workers import ALONE, Workers


class Indexable(Protocol):
    """What the loop trains on: a tensor of shape (N, *y_shape), or anything that is indexed like one."""

    @property
    def device(self) -> torch.device:
        """Where the observations that ``[...]`` gives are."""

    def __len__(self) -> int:
        """The number of observations in a pass."""

    def __getitem__(self, index: Tensor, /) -> Tensor:
        """The observations with these numbers, shape (B, *y_shape)."""


MOMENTUM = 0.02
"""Share of the newest batch in the running statistics of a model whose clusters are anchored."""


class Trainer:
    """Fits a model, one epoch at a time, and can stop after any of them and go on from there.

    Arguments:
        model: The model, on its device already.
        objective_config: Weights of the terms.
        config: Optimiser, batches, epochs.
        stream: Where all chance comes from.
        workers: The processes that share each batch.
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
        # with augment auto, views are for the start only: rows near a border would move it
        self.view = None if config.augment == "auto" else views(config.augment, model.y_shape)
        self.taught: Recognition | None = None
        self.epoch = self.rollbacks = 0
        self._good, self._busy = Snapshot(), False
        self._pass: Pass | None = None

    def anchor(self) -> None:
        """From now on, keep q(z | y), and q(z | v) of views v if there are any, near what it is now: a copy
        of the recogniser is the frozen teacher. Batch statistics are averaged over more of the batches, and
        the learning rate decays, since their noise would shake the borders of many clusters."""
        for module in self.model.modules():
            if isinstance(module, _BatchNorm):
                module.momentum = MOMENTUM
        self.taught = copy.deepcopy(self.model.recognition).requires_grad_(False).eval()

    @property
    def fast(self) -> bool:
        """Whether the gradient is the hand-written one (:mod:`gmvae.training.fast`), not autograd's."""
        return self.workers.size == 1 and by_hand(self.model, self.config)

    @isolated
    def epochs(
        self, y: Indexable, progress: Callable[[float], object] = lambda _: None
    ) -> Iterator[dict[str, float]]:
        """Train on observations until ``config.epochs`` are done.

        Arguments:
            y: The observations; levels of uint8 stand for levels / 255.
            progress: Called after each step with the number of epochs done, of which the last is a part.

        Yields:
            A record of each epoch: its number from 1, the seconds it took, and the means over its
            batches of ``loss``, ``elbo`` and the five terms, in nats per observation.

        Raises:
            FloatingPointError: where a loss or a weight is no finite number any more, and no smaller step
                mends that (:mod:`gmvae.training.recovery`). The model is as it was before that epoch.
        """
        if self.epoch < self.config.epochs:
            self.workers.agree(self.model.state_dict().values())
        while self.epoch < self.config.epochs:
            began = time.perf_counter()
            self._good.take(*self._state())
            self._busy = True
            means = self._epoch(y, progress)
            while not self._sound(means, y):
                if self.rollbacks == ROLLBACKS:
                    raise self._diverged(y)
                self._back(self.rollbacks + 1)
                means = self._epoch(y, progress)
            self.epoch += 1
            self._busy = False
            record = {"epoch": self.epoch, "seconds": time.perf_counter() - began, **means}
            yield record | ({"rollbacks": self.rollbacks} if self.rollbacks else {})

    def _sound(self, means: dict[str, float], y: Indexable) -> bool:
        """Whether an epoch came to finite losses, and to a model that makes finite ones."""
        return all(map(math.isfinite, means.values())) and self._odd_now(y) is None

    def _odd_now(self, y: Indexable) -> str | None:
        """What is not finite in the model as it is: a weight, or a term for some observations."""
        most = greatest(self.model)
        if not math.isfinite(most):
            return "a weight"
        if most < HUGE:
            return None
        self.model.eval()
        with torch.no_grad():
            some = scaled(y[torch.arange(min(len(y), self.config.batch_size), device=y.device)])
            noise = Generator(y.device).manual_seed(0)
            return first_odd(*objective.loss(self.model, some, self.objective, generator=noise))

    def _back(self, rollbacks: int) -> None:
        """Go back to the beginning of this epoch, with another step."""
        self.restore(*self._good.copy())
        self.rollbacks = rollbacks

    def _diverged(self, y: Indexable) -> FloatingPointError:
        """What is said of an epoch that cannot be made; it is made once more to find out where."""
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
            f"the loss is no finite number in epoch {self.epoch + 1}, {where}: lower the learning rate (now "
            f"{self.config.learning_rate:g}, and {ROLLBACKS} steps back and on with a smaller one, {rate:g} "
            "at last, did not help), or bring the data to a scale of about 1"
        )

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next epoch: where clusters are anchored, it decays linearly over the
        second half of all epochs."""
        rest = 1.0 if self.taught is None else 1 - self.epoch / self.config.epochs
        return self.config.learning_rate * SMALLER**self.rollbacks * min(1.0, 2 * rest)

    def _epoch(
        self, y: Indexable, progress: Callable[[float], object], *, inspect: bool = False
    ) -> dict[str, float]:
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate
        names = ("loss", "elbo", *objective.Terms._fields)
        if self._pass is None:
            totals = torch.zeros(len(names), dtype=FLOAT, device=y.device)
            self._pass = Pass(self.stream.cpu.get_state(), totals)
            order = self.stream.cpu
        else:  # the generator has gone on since: the order comes from where it was
            order = Generator("cpu")
            order.set_state(self._pass.order)
        now = self._pass
        steps, count, rows = self._batches(y, order, now.steps)
        epoch, noise, share = self.epoch + 1, self.stream.local, self.workers.share
        fast = FastStep(self.model, self.objective, self.taught) if self.fast and not inspect else None

        def losses() -> Iterator[Tensor | None]:
            for number, batch in enumerate(steps, start=now.steps + 1):
                observed = scaled(y[share(batch).to(y.device)])
                if fast is not None:
                    now.totals.add_(fast(observed, epoch, noise))
                    yield None
                    continue
                view = None if self.view is None else self.view(observed, self.workers.own(noise))
                known = None if self.taught is None else self.taught(observed)[2]
                loss, terms = self.workers.loss(
                    self.model, observed, len(batch), self.objective, epoch, view, known, noise
                )
                if inspect and (odd := first_odd(loss, terms)):
                    raise FloatingPointError(f"batch {number} of {count}, first in {odd}")
                with torch.no_grad():
                    now.totals.add_(torch.stack((loss, objective.elbo(terms), *terms)).sum(1))
                yield loss if self.workers is ALONE else loss.sum() / len(batch)

        with self.workers.global_statistics(self.model):
            for _ in descend(self.optimiser, losses(), self.workers.add_gradients):
                now.steps += 1
                self._busy = False  # between two steps the state is whole
                progress(self.epoch + now.steps / count)
                self._busy = True
        self._pass = None
        return dict(zip(names, (self.workers.added(now.totals) / rows).tolist(), strict=True))

    def _batches(self, y: Indexable, order: Generator, done: int) -> tuple[Iterator[Tensor], int, int]:
        """The batches of a pass that follow so many, the number of all, and the observations in all."""
        size, most = self.config.batch_size, self.config.epoch_size
        if getattr(y, "window", 0):
            windowed = WindowedBatches(y, size, most, order)
            return windowed.after(done), len(windowed), windowed.count
        steps = batches(len(y), size, most, order)
        return iter(steps[done:]), len(steps), sum(map(len, steps))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that the rest depends on, after an epoch or in the middle of one: tensors, the numbers
        of epochs and of steps done, and how often training went back. In the middle of a step, and where the
        epoch so far has led to weights that are not finite, it is as it was when the epoch began, or was gone
        on with."""
        odd = self._pass is not None and not math.isfinite(greatest(self.model))
        tensors, about = self._good.copy() if self._busy or odd else self._state()
        if self.taught is not None:
            tensors |= {f"taught.{name}": value for name, value in self.taught.state_dict().items()}
        return tensors, about

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The state as it is now, but for the frozen teacher, which never changes."""
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
        """Go back to where :meth:`state` was taken.

        On another kind of device than there, noise goes on from the seed's beginning.

        Raises:
            ValueError: where the state is that of another model, or none of a trainer.
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
        if "steps" in about:
            given = parts["pass"]
            self._pass = Pass(given["order"].cpu(), given["totals"].to(self.stream.device), about["steps"])


def by_hand(model: GaussianMixtureVAE, config: TrainingConfig) -> bool:
    """Whether the gradient is the hand-written one where one process trains this model so."""
    return covers(model, views=config.augment not in ("auto", "none"))


@dataclass
class Pass:
    """An epoch in progress."""

    order: Tensor
    """The state of the generator that its order comes from."""
    totals: Tensor
    """Sums over its observations of what is recorded."""
    steps: int = 0
    """Steps done."""


def descend(
    optimiser: Optimizer,
    losses: Iterable[Tensor | None],
    gradients: Callable[[Iterable[Tensor]], object] | None = None,
) -> Iterator[int]:
    """Take a step of an optimiser down each loss, or the mean of losses of shape (B,): the one loop that
    everything is trained in. A loss is asked for once the step before it is done; ``None`` says that the
    parameters have their gradients already. ``gradients`` is called with the parameters once they have their
    gradients.

    Yields:
        The number of steps so far, after each.
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
    """Give a module its weights back.

    Raises:
        ValueError: where they are those of another module.
    """
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"the checkpoint is of another model: {' '.join(str(error).split())}") from error


def batches(count: int, size: int, most: int = 0, generator: Generator | None = None) -> list[Tensor]:
    """A random order of ``count`` observations, or of ``most`` of them, in batches of ``size``, drawn from a
    generator of the CPU, torch's global one unless given.

    What is left over makes a smaller last batch; a single observation, from which batch norm could
    not tell a variance, joins the batch before it.
    """
    parts = list(torch.randperm(count, generator=generator)[: most or count].split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts
