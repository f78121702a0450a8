"""What a fit reports to: a handful of events, which do nothing unless a subclass says otherwise."""

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
    """What an observer may ask of the fit that it follows (:class:`gmvae.fit.engine.Engine`)."""

    data: Prepared
    rows: Observations
    config: Config
    choice: Choice | None
    holdout: Holdout | None
    seeds: list[int]

    @property
    def restart(self) -> int:
        """The restart in progress, from 1."""

    @property
    def epoch(self) -> int:
        """Epochs of it that are done."""

    @property
    def epochs_before(self) -> int:
        """Epochs of the model that the fit goes on with; 0 where it starts anew."""

    @property
    def started(self) -> bool:
        """Whether it has its start, so that its epochs follow."""

    @property
    def over(self) -> bool:
        """Whether it has had its last epoch."""

    @property
    def hand_written(self) -> bool:
        """Whether models are trained by the hand-written gradient."""

    def moment(self) -> Moment:
        """The model as it is now, as arrays."""

    def state(self) -> State:
        """All that the rest of the fit depends on."""


class Observer:
    """The events of a fit, in their order. An observer sees records and arrays, never the model."""

    def begin(self, fit: Fit) -> None:
        """The configuration is resolved; what follows is trained, or goes on being trained."""

    def progress(self, stage: str, done: float) -> None:
        """So much of a stage is done: a share of ``clusters`` (choosing their number), of ``length`` (finding
        the number of epochs), of ``start`` and of ``stability``, epochs of ``epochs``."""

    def chosen(self, choice: Choice) -> None:
        """The number of clusters, which was open, has been chosen."""

    def searched(self, holdout: Holdout) -> None:
        """The number of epochs has been found by rows that were held out."""

    def started(self, restart: int, start: Start) -> None:
        """A restart, counted from 1, has its start, and its epochs follow."""

    def epoch(self, record: Record, moment: Moment) -> None:
        """An epoch is over. What an observer adds to the record reaches those that come after it."""

    def finished(self, result: Result) -> None:
        """The fit is over."""
