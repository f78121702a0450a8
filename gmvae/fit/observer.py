"""The observers of a fit: a few events, which do nothing unless a subclass overrides them."""

from __future__ import annotations

from typing import Protocol

from gmvae.assess.holdout import Holdout
from gmvae.assess.moment import Moment
from gmvae.config import Config
from gmvae.data.observations import Observations
from gmvae.data.prepare import Prepared
from gmvae.fit.result import Result
from gmvae.fit.state import Record, State
from gmvae.partition.stability import Choice
from gmvae.start.begin import Start


class Fit(Protocol):
    """What an observer can ask of the fit that it follows (:class:`gmvae.fit.engine.Engine`)."""

    data: Prepared
    rows: Observations
    config: Config
    choice: Choice | None
    holdout: Holdout | None
    seeds: list[int]

    @property
    def restart(self) -> int:
        """The number of the restart in progress, from 1."""

    @property
    def beside(self) -> int:
        """How many more restarts are trained beside the one in progress."""

    @property
    def epoch(self) -> int:
        """How many epochs of the restart in progress are done."""

    @property
    def epochs(self) -> int:
        """The number of epochs that the restart in progress will have, with those before this fit. It can
        become smaller."""

    @property
    def epochs_before(self) -> int:
        """How many epochs the continued model had before this fit; 0 for a new model."""

    @property
    def started(self) -> bool:
        """Whether the start of the restart in progress is done, so that its epochs follow."""

    @property
    def over(self) -> bool:
        """Whether the restart in progress has had its last epoch."""

    @property
    def hand_written(self) -> bool:
        """Whether models are trained with the hand-written gradient."""

    def moment(self) -> Moment:
        """The current model, as arrays."""

    def state(self) -> State:
        """Everything that the rest of the fit depends on."""


def restarts(fit: Fit) -> str:
    """The numbers of the restarts in progress, "restart 3 of 16" or "restarts 1 to 8 of 16"."""
    number, last = fit.restart, fit.restart + fit.beside
    which = f"restarts {number} to {last}" if fit.beside else f"restart {number}"
    return f"{which} of {len(fit.seeds)}"


class Observer:
    """The events of a fit, in their order. An observer sees records and arrays, never the model."""

    def begin(self, fit: Fit) -> None:
        """The configuration is resolved, and the fit starts or resumes."""

    def progress(self, stage: str, done: float) -> None:
        """Part of a stage is done. For ``clusters`` (choosing their number), ``length`` (finding the number
        of epochs), ``start`` and ``stability``, ``done`` is a share; for ``epochs`` it is a number of
        epochs."""

    def chosen(self, choice: Choice) -> None:
        """The number of clusters, left open in the configuration, has been chosen."""

    def searched(self, holdout: Holdout) -> None:
        """The number of epochs has been determined with held-out rows."""

    def started(self, restart: int, start: Start) -> None:
        """The start of a restart, counted from 1, is done, and its epochs follow."""

    def epoch(self, record: Record, moment: Moment) -> None:
        """An epoch is over. Observers can add to the record; later observers see the additions."""

    def arrived(self, restart: int, start: Start | None, records: list[Record], moment: Moment) -> None:
        """A restart is over that was trained beside the one in progress, or by another process: its start,
        the records of its epochs without what observers add, and its model."""

    def finished(self, result: Result) -> None:
        """The fit is over."""
