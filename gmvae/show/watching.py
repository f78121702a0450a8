"""Let a window or a page follow a run in progress: it requests a picture with a file, and the run answers
with another file.

The time of the file ``watch/latent`` in the run folder shows that a window with the latent space is open;
``watch/latent.npz`` is the answer. The run measures the time for its answers, and limits it to a share of the
training time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.overview import Overview
from gmvae.assess.shown import PICTURES, Snapshot
from gmvae.fit.observer import Fit, Observer
from gmvae.show.drawing import SHOWN
from gmvae.store.files import write_arrays
from gmvae.store.run_folder import RunFolder

LOOK = 0.25
"""Seconds between two checks of the files, on both sides."""
OVERVIEW = "overview"
"""Name of the picture that has the map and the cards of a page (:class:`gmvae.assess.overview.Overview`)."""
GONE = 3.0
"""Seconds after its last request when a window counts as closed."""
PERIOD, PERIOD_OF_OVERVIEW = 1.0, 5.0
"""Minimum seconds between two answers."""
FIRST, FIRST_OF_OVERVIEW = 0.002, 0.05
"""The share of the usual work of the first answer, which shows what answers cost. With few rows an overview
says little, so it has more of them, less often."""
SPENT = 0.015
"""Maximum share of the training time for answers. To keep to it, answers first show fewer observations, then
come less often."""


class Watcher:
    """The window's side: requests one picture of a run, and withdraws the request when it is closed.

    Arguments:
        folder: The run's folder.
        picture: One of :data:`gmvae.assess.shown.PICTURES`, or :data:`OVERVIEW`.
    """

    def __init__(self, folder: RunFolder, picture: str) -> None:
        self.folder = folder
        self.stored = folder.overview if picture == OVERVIEW else folder.snapshot
        self.request, self.answer = request(folder, picture), answer(folder, picture)

    def ask(self) -> None:
        """Signal that a window is still open. If the folder is not writable, the window shows existing
        files."""
        with suppress(OSError):
            self.request.parent.mkdir(exist_ok=True)
            self.request.touch()

    def newest(self) -> Path | None:
        """The newest file that the picture can be drawn from, or ``None``."""
        there = [path for path in (self.answer, self.stored) if path.exists()]
        return max(there, key=lambda path: path.stat().st_mtime_ns, default=None)

    def close(self) -> None:
        """Leave the folder as it was."""
        with suppress(OSError):  # the folder is not empty while another window is open
            self.request.unlink(missing_ok=True)
            self.answer.unlink(missing_ok=True)
            self.request.parent.rmdir()


class Answers:
    """The run's side: answers windows while it trains.

    Arguments:
        folder: The run's folder.
        pictures: The pictures that can be requested.
        take: Takes a snapshot for a picture with a share, above 0 and at most 1, of the usual work.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        folder: RunFolder,
        pictures: tuple[str, ...],
        take: Callable[[str, float], Snapshot | Overview],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.folder, self.pictures, self.take, self.clock = folder, pictures, take, clock
        self.looked = -LOOK
        self.due = dict.fromkeys(pictures, 0.0)
        self.share = {picture: FIRST_OF_OVERVIEW if picture == OVERVIEW else FIRST for picture in pictures}

    def look(self) -> None:
        """Answer requests that are due. To be called after each step."""
        now = self.clock()
        if now - self.looked < LOOK:
            return
        self.looked = now
        if not (self.folder.path / "watch").exists():
            return
        asked = [picture for picture in self.pictures if self._asked(picture)]
        for picture in asked:
            if self.clock() >= self.due[picture]:
                self._answer(picture, len(asked))

    def _asked(self, picture: str) -> bool:
        try:
            return time.time() - request(self.folder, picture).stat().st_mtime < GONE
        except OSError:
            return False

    def _answer(self, picture: str, windows: int) -> None:
        began = self.clock()
        shown = self.take(picture, self.share[picture])
        # a full disk, or a folder that was removed, must not stop training
        with suppress(OSError):
            write_arrays(answer(self.folder, picture), asdict(shown))
            if not request(self.folder, picture).exists():  # closed meanwhile
                Watcher(self.folder, picture).close()
        cost = max(self.clock() - began, 1e-6)
        period = PERIOD_OF_OVERVIEW if picture == OVERVIEW else PERIOD
        self.due[picture] = began + cost + max(period, windows * cost / SPENT)
        growth = 0.6 * SPENT * period / (windows * cost)  # below the limit: the next one can take longer
        self.share[picture] = min(1.0, max(FIRST, self.share[picture] * min(2.0, growth)))


def request(folder: RunFolder, picture: str) -> Path:
    """The file that requests a picture for a window."""
    return folder.path / "watch" / picture


def answer(folder: RunFolder, picture: str) -> Path:
    """The file that a requested picture is drawn from."""
    return folder.path / "watch" / f"{picture}.npz"


class Watched(Observer):
    """The observer that answers windows and pages after each step.

    Arguments:
        folder: The run's folder.
        labels: The true class of each row of the data, if there are labels.
    """

    def __init__(self, folder: RunFolder, labels: NDArray[np.int64] | None = None) -> None:
        self.folder, self.labels = folder, labels
        self.answers: Answers | None = None

    def begin(self, fit: Fit) -> None:
        minimum = 50 if len(fit.data.y_shape) == 1 else 10

        def take(picture: str, share: float) -> Snapshot | Overview:
            count, moment = max(minimum, round(share * SHOWN)), fit.moment()
            if picture == OVERVIEW:
                return moment.overview(count, share, self.labels, (fit.restart, fit.epoch))
            return moment.glance(picture, count, share)

        self.answers = Answers(self.folder, (*PICTURES, OVERVIEW), take)

    def progress(self, stage: str, done: float) -> None:  # noqa: ARG002
        if stage == "epochs" and self.answers is not None:
            self.answers.look()
