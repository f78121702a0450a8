"""The observer that draws the pictures of a run while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.moment import Moment
from gmvae.assess.shown import PICTURES
from gmvae.config import RunConfig
from gmvae.fit.observer import Fit, Observer
from gmvae.fit.result import Result
from gmvae.fit.state import Record
from gmvae.partition.stability import Choice
from gmvae.show.process import DrawingProcess
from gmvae.show.request import Request
from gmvae.store.files import read_arrays, write_arrays
from gmvae.store.run_folder import RunFolder

SHOWN = 5000
"""Maximum number of observations in the pictures."""


class Drawing(Observer):
    """Has pictures drawn into the run folder by another process, while the fit goes on.

    Arguments:
        folder: The folder.
        config: Which pictures, and how often.
        labels: The true class of each row of the data, if there are labels.
    """

    def __init__(self, folder: RunFolder, config: RunConfig, labels: NDArray[np.int64] | None = None) -> None:
        self.folder, self.config, self.labels = folder, config, labels
        self.process = DrawingProcess()

    def begin(self, fit: Fit) -> None:
        self.fit = fit

    def chosen(self, choice: Choice) -> None:  # noqa: ARG002
        self._draw(["stability"])

    def epoch(self, record: Record, moment: Moment) -> None:
        self.process.look()
        epoch, every, keep = record["epoch"], self.config.plot_every, self.config.keep_every
        kept, over = (
            bool(keep) and epoch % keep == 0,
            self.fit.over,
        )
        if not kept and not (every and (epoch % every == 0 or epoch == 1 or over)):
            return
        if any(name in PICTURES for name in self.config.plots):
            take_snapshot(self.folder, moment)
            self._overview(moment, (self.fit.restart, epoch))
        without = {"scores"} if "acc" not in record else set()
        without |= {"stability"} if self.folder.about().get("choice") is None else set()
        names = [name for name in self.config.plots if name not in without]
        self._draw(names, ["", f"-{epoch}"] if kept else [""])

    def finished(self, result: Result) -> None:
        # now from the model that is kept, with its numbers of clusters
        if self.folder.overview.exists():
            self._overview(self.fit.moment(), (result.kept + 1, result.history[-1]["epoch"]))
        if self.folder.snapshot.exists():
            before = read_arrays(self.folder.snapshot)
            take_snapshot(self.folder, self.fit.moment())
            after = read_arrays(self.folder.snapshot)
            if before.keys() != after.keys() or any((before[n] != after[n]).any() for n in after):
                self._draw([name for name in self.config.plots if name in PICTURES])
        self.close()

    def close(self) -> None:
        """Wait until all pictures are drawn.

        Raises:
            OSError: if one cannot be written.
        """
        self.process.close()

    def _overview(self, moment: Moment, epoch: tuple[int, int]) -> None:
        write_arrays(self.folder.overview, asdict(moment.overview(SHOWN, 1.0, self.labels, epoch)))

    def _draw(self, names: Sequence[str], suffixes: Sequence[str] = ("",)) -> None:
        if not names:
            return
        folder, about = self.folder, self.folder.about()
        restart = (folder.read_summary() or {}).get("restart", self.fit.restart)
        self.process.ask(
            Request(
                plots=str(folder.plots),
                names=names,
                suffixes=suffixes,
                snapshot=folder.snapshot.read_bytes() if {*names} & {*PICTURES} else b"",
                columns=about["data"].get("features") or (),
                choice=about.get("choice"),
                metrics=str(folder.metrics),
                size=folder.metrics.stat().st_size if folder.metrics.exists() else 0,
                restart=restart,
            )
        )


def take_snapshot(folder: RunFolder, moment: Moment) -> None:
    """Write the arrays that the pictures of the model show."""
    write_arrays(folder.snapshot, asdict(moment.snapshot(SHOWN)))
