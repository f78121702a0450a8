"""The engine: it takes a configuration and observations, and returns a fitted model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gmvae.assess.holdout import Holdout
from gmvae.assess.moment import Moment
from gmvae.config import Config
from gmvae.data.prepare import Prepared
from gmvae.fit.clusters import choose_clusters
from gmvae.fit.group import side_by_side
from gmvae.fit.holdout import MINIMUM_ROWS, choose_epochs, few_rows
from gmvae.fit.observer import Observer
from gmvae.fit.resampling import resample
from gmvae.fit.resolve import resolve
from gmvae.fit.restart import Before, Outcome, Restart
from gmvae.fit.result import Result, conclude
from gmvae.fit.state import CURRENT, Record, State, beside, joined, part
from gmvae.model.isolation import isolated
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.partition.stability import MAXIMUM_ROWS, Choice
from gmvae.start.begin import schedule
from gmvae.training.devices import cpu_threads, pick_threads
from gmvae.training.loop import by_hand
from gmvae.training.memory import memory_kept
from gmvae.training.random import RandomStream
from gmvae.training.together import joins
from gmvae.training.workers import ALONE, Workers

SIDE_BY_SIDE = 8
"""Maximum number of restarts that are trained side by side. With more, a step is no faster for each model."""


class Engine:
    """Fits a model: it chooses K if that is open, makes each restart, and keeps the best of them.

    It is a state machine. :meth:`state`, taken between any two events, has everything that the rest of the
    fit depends on. An engine with the same configuration and observations that restores it continues to the
    same result, bit for bit.

    Arguments:
        config: The configuration; what it leaves open is resolved here.
        data: The observations.
        observers: The observers it reports to, in this order.
        before: A model to continue, in place of a start.
        choice: How the number of clusters was chosen, if a resumed fit had left it open.
        holdout: What held-out rows showed about the number of epochs, if a resumed fit had left it open.
        workers: The processes that make the fit together, each with an engine of its own.

    Attributes:
        config: The resolved configuration.
        seeds: The seed of each restart.
        outcomes: The outcomes of the finished restarts.
        group: The restarts in progress: none, one, or several side by side. Observers follow the first.
        result: The result of the fit, once it is over.

    Raises:
        ValueError: if the model does not suit these data.
    """

    def __init__(
        self,
        config: Config,
        data: Prepared,
        observers: Sequence[Observer] = (),
        before: Before | None = None,
        choice: Choice | None = None,
        holdout: Holdout | None = None,
        workers: Workers = ALONE,
    ) -> None:
        self.workers = workers
        self.data, self.observers, self.before = data, tuple(observers), before
        self.asked, self.choice, self.holdout = config, choice, holdout
        training = config.training
        rng = np.random.RandomState(training.seed % 2**32)
        share = training.validation_fraction if training.early_stopping else 0.0
        self.rows, self.held_out = data.rows, None
        if share:
            self.rows, self.held_out = data.rows.split(share, rng)
        self.config = resolve(config, data, self.rows)
        was_open = choice is not None or not config.model.clusters
        self._choice_seed = int(rng.randint(2**31 - 1)) if was_open else 0
        count = training.restarts if before is None else 1
        self.seeds = [int(seed) for seed in rng.randint(2**31 - 1, size=count)]
        if not data.own:
            self.seeds[0] = training.seed  # experiments of the paper use the given seed itself
        self.outcomes: list[Outcome] = []
        self.group: list[Restart] = []
        self.result: Result | None = None

    def fit(self) -> Result:
        """Run to the end."""
        for _ in self.run():
            pass
        return self.result  # type: ignore[return-value]

    @isolated
    def run(self) -> Iterator[Record]:
        """Run to the end, from the beginning or from the restored state, and yield the record of each epoch.

        Raises:
            FloatingPointError: if the loss is no longer a finite number.
        """
        with memory_kept():
            with self.threads():
                self._report("begin", self)
            if not self.config.model.clusters:
                self._choose()
            if self.searches:
                self._search()
            while len(self.outcomes) < len(self.seeds):
                yield from self._round() if self.spread else self._restarts()
            with self.threads():
                self.result = self._resample(self.conclude())
            if self.follows:
                epochs = max(outcome.history[-1]["epoch"] for outcome in self.outcomes)
                training = replace(self.config.training, epochs=epochs)
                self.config = replace(self.config, training=training)
                self.result = replace(self.result, config=self.config)
            self._report("finished", self.result)

    def conclude(self) -> Result:
        """The result of the fit so far. Restarts in progress count as they are, once they have had
        an epoch."""
        outcomes = self.outcomes + [one.outcome() for one in self.group if one.history]
        parts = self.rows, self.held_out
        renumber = self.before is None or self.before.renumber
        return conclude(self.config, self.data, outcomes, parts, self.choice, self.holdout, renumber=renumber)

    def _resample(self, result: Result) -> Result:
        """The result, with the stability under resampling if that was asked for."""
        if not self.config.training.resamples or result.start is None:
            return result
        progress = partial(self._report, "progress", "stability")
        found = resample(result.model, self.config, self.data, result.start, progress)
        return replace(result, resampling=found)

    @property
    def current(self) -> Restart | None:
        """The restart in progress that observers follow, if there is one."""
        return self.group[0] if self.group else None

    @property
    def restart(self) -> int:
        """The number of the restart in progress, from 1."""
        return len(self.outcomes) + bool(self.group)

    @property
    def beside(self) -> int:
        """How many more restarts are trained beside the one in progress."""
        return max(0, len(self.group) - 1)

    @property
    def epoch(self) -> int:
        """How many epochs of the restart in progress are done, or of the last one once all are over."""
        if self.current is None:
            return self.outcomes[-1].history[-1]["epoch"] if self.over else 0
        return self.current.trainer.epoch

    @property
    def epochs(self) -> int:
        """The number of epochs that the restart in progress will have, with those before this fit. It can
        become smaller."""
        if self.current is not None:
            return self.current.trainer.last
        return self.epochs_before + self.config.training.epochs

    @property
    def epochs_before(self) -> int:
        """How many epochs the continued model had before this fit; 0 for a new model."""
        return 0 if self.before is None else self.before.epochs

    @property
    def started(self) -> bool:
        """Whether the start of the restart in progress is done, so that its epochs follow."""
        return self.current is not None and self.current.started

    @property
    def over(self) -> bool:
        """Whether the restart in progress has had its last epoch, or there are no more restarts."""
        all_done = len(self.outcomes) == len(self.seeds)
        return all_done or (self.current is not None and self.current.over)

    @property
    def hand_written(self) -> bool:
        """Whether models are trained with the hand-written gradient (:mod:`gmvae.training.fast`)."""
        alone = self.workers.size == 1 or self.spread
        return alone and by_hand(self._model(), self.config.training)

    @property
    def spread(self) -> bool:
        """Whether each process makes restarts of its own, since the model is too small to be shared."""
        return self.workers.size > 1 and len(self.seeds) > 1 and pick_threads(0, self._work) == 1

    def build(self) -> None:
        """Make the first model now, so that a model too large for the memory fails at once."""
        if self.config.model.clusters and not self.searches and not self.restart:
            self.group = [self._new()]

    def moment(self) -> Moment:
        """The model that is being trained or, after training, the last one."""
        return Moment(self._model(), self.data)

    def _model(self) -> GaussianMixtureVAE:
        if self.current is not None:
            return self.current.model
        return self.result.model if self.result is not None else self.outcomes[-1].model

    def threads(self, models: int = 1) -> Any:
        """A context in which torch uses a number of CPU threads that suits this number of models."""
        return cpu_threads(pick_threads(self.config.training.threads, models * self._work))

    @property
    def _work(self) -> int:
        """The number of multiplications in a layer, for a batch."""
        c = self.config
        return c.training.batch_size * c.objective.mc_samples * c.model.hidden_size**2

    def _choose(self) -> None:
        """Choose the number of clusters."""
        stream = RandomStream(self._choice_seed, self.rows.device)
        with self.threads():
            self.choice = choose_clusters(
                self.rows.at_hand.drawing(stream.cpu),
                self.rows.sample(MAXIMUM_ROWS).tensor(),
                self.config.model,
                self.config.training,
                seed=self._choice_seed,
                stream=stream,
                progress=lambda share: self._report("progress", "clusters", share),
            )
        self.config = replace(self.config, model=replace(self.config.model, clusters=self.choice.clusters))
        self._report("chosen", self.choice)

    @property
    def searches(self) -> bool:
        """Whether held-out rows have yet to determine the number of epochs."""
        rows, shape = len(self.data.rows.order), self.data.y_shape
        return self._is_open and few_rows(rows, shape) and self.holdout is None

    @property
    def follows(self) -> bool:
        """Whether the number of epochs follows what still changes in held-out rows, while it trains."""
        rows, shape = len(self.data.rows.order), self.data.y_shape
        usual = schedule(self.asked.training.init, self.asked.model.assignment, shape)
        epochs = self.config.training.epochs
        enough = rows >= MINIMUM_ROWS and not few_rows(rows, shape)
        return self._is_open and usual.follows and enough and epochs > usual.passes

    @property
    def seeks(self) -> bool:
        """Whether the number of epochs has yet to be found."""
        return self.searches or self.follows

    @property
    def _is_open(self) -> bool:
        """Whether the number of epochs was left open, and rows can be held out to find it."""
        training, new = self.asked.training, self.data.own and self.before is None
        return new and self.rows.at_hand is self.rows and not training.epochs and not training.early_stopping

    def _search(self) -> None:
        """Find the number of epochs. The fit itself uses all rows."""
        asked, clusters, seed = self.asked, self.config.model.clusters, self.seeds[0]
        used, unseen = self.data.rows.split(asked.training.validation_fraction, np.random.RandomState(seed))
        restart = Restart(self.config, self.data, used, None, seed)
        with self.threads():
            found = choose_epochs(
                restart,
                unseen,
                asked.objective.resolved,
                lambda share: self._report("progress", "length", share),
            )
        self.holdout = found.shifted(self.data.log_det)
        asked = replace(asked, training=replace(asked.training, epochs=found.epochs))
        resolved = resolve(asked, self.data, self.rows)
        self.config = replace(resolved, model=replace(resolved.model, clusters=clusters))
        self._report("searched", self.holdout)

    def _round(self) -> Iterator[Record]:
        """Let each process make the restarts that are its own in this round, and give their outcomes to
        all."""
        before, rank, size = len(self.outcomes), self.workers.rank, self.workers.size
        left = len(self.seeds) - before
        share = min(self._side_by_side, math.ceil(left / size))
        if self.started:  # by a run with another number of processes, perhaps
            share = len(self.group)
        if rank:
            self.group = []  # restarts in progress are those of the first process
        if rank * share < left:
            yield from self._restarts(rank * share, share)
        own = self.outcomes[before:]
        states = [outcome.state() for outcome in own]
        states = [({name: value.cpu() for name, value in named.items()}, about) for named, about in states]
        self.outcomes = self.outcomes[:before]
        arrived: list[int] = []
        for other, states_of_other in enumerate(self.workers.gathered(states)):
            if other == rank:
                self.outcomes += own
                continue
            arrived += range(len(self.outcomes), len(self.outcomes) + len(states_of_other))
            self.outcomes += [self._new().past(state) for state in states_of_other]
        self._arrive(arrived)

    def _arrive(self, numbers: Sequence[int]) -> None:
        """Report restarts, counted from 0, that observers have not followed."""
        for number in numbers:
            outcome = self.outcomes[number]
            for record in outcome.history:
                record["restart"] = number + 1
            records = [dict(record) for record in outcome.history]
            self._report("arrived", number + 1, outcome.start, records, Moment(outcome.model, self.data))

    @property
    def _side_by_side(self) -> int:
        """The maximum number of restarts that are trained side by side: one, unless the model is small."""
        if self.before is not None or self.rows.window or pick_threads(0, self._work) != 1:
            return 1
        return SIDE_BY_SIDE if joins((self.current or self._new()).trainer) else 1

    def _restarts(self, ahead: int = 0, limit: int = SIDE_BY_SIDE) -> Iterator[Record]:
        """Make restarts, or continue those in progress: the next ones, or ones that are ``ahead``."""
        first = len(self.outcomes) + ahead
        if not self.started:
            count = min(limit, len(self.seeds) - first, self._side_by_side)
            self.group += [self._new(ahead + number) for number in range(len(self.group), count)]
        with self.threads():
            self._begin(first + 1)
        records = side_by_side(self.group, self._progress_of_epochs)
        while True:
            with self.threads(len(self.group)):
                record = next(records, None)
            if record is None:
                break
            with self.threads():
                record["restart"] = first + 1
                self._report("epoch", record, self.moment())
            yield record
        with self.threads():
            found = [one.outcome() for one in self.group]
            self.group = []
            self.outcomes += found
            self._arrive(range(first - ahead + 1, first - ahead + len(found)))

    def _begin(self, number: int) -> None:
        """Make the starts of the restarts in progress, the first of which has this number."""
        waiting = [one for one in self.group if not one.started]
        for done, one in enumerate(waiting):
            one.begin(partial(self._progress_of_start, done, len(waiting)))
        if waiting:
            self._report("started", number, self.group[0].start)

    def _progress_of_start(self, done: int, count: int, share: float) -> None:
        self._report("progress", "start", (done + share) / count)

    def _progress_of_epochs(self, done: float) -> None:
        # restarts beside the first can take longer
        self._report("progress", "epochs", min(done, self.epochs))

    def _new(self, ahead: int = 0) -> Restart:
        seed, workers = self.seeds[len(self.outcomes) + ahead], ALONE if self.spread else self.workers
        given = self.config, self.data, self.rows, self.held_out, seed, self.before, workers
        return Restart(*given, follows=self.asked.objective if self.follows else None)

    def _report(self, event: str, *given: Any) -> None:
        for observer in self.observers:
            getattr(observer, event)(*given)

    def state(self) -> State:
        """Everything that the rest of the fit depends on, apart from configuration and observations."""
        parts = {f"outcome{i}": outcome.state() for i, outcome in enumerate(self.outcomes)}
        parts |= {beside(i): one.state() for i, one in enumerate(self.group)}
        return joined(**parts)

    @isolated
    def restore(self, state: State) -> None:
        """Restore the state that :meth:`state` returned.

        Raises:
            ValueError: if it is the state of another fit.
        """
        if not {CURRENT, "outcome0"} & state[1].keys():
            raise ValueError(
                "the checkpoint is not one that training wrote: put back the file that belongs here"
            )
        self.outcomes = []
        while f"outcome{len(self.outcomes)}" in state[1]:
            self.outcomes.append(self._new().past(part(state, f"outcome{len(self.outcomes)}")))
        self.group = []
        while beside(len(self.group)) in state[1]:
            restart = self._new(len(self.group))
            restart.restore(part(state, beside(len(self.group))))
            self.group.append(restart)
