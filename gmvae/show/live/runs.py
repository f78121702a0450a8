"""Runs in progress or finished, read repeatedly from their folders."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gmvae.store.run_folder import RunFolder

QUIET = 60.0
"""Minimum seconds without a new epoch after which a run is called quiet."""


@dataclass
class Progress:
    """The progress of a run.

    Attributes:
        path: Its folder.
        name: Its name.
        history: The records of its epochs.
        state: ``in progress``, ``finished``, ``quiet for ...``, ``starting`` or ``unreadable: ...``.
        read: How often the records have been read.
    """

    path: Path
    name: str
    history: list[dict[str, Any]] = field(default_factory=list)
    state: str = "starting"
    read: int = 0
    stamp: tuple[int, int] | None = None

    @property
    def last(self) -> dict[str, Any]:
        """The last record, empty before the first epoch."""
        return self.history[-1] if self.history else {}


class Runs:
    """The runs that a page follows.

    Arguments:
        paths: Run folders, or folders of run folders, in which runs can come and go.
        clock: Returns the current time in seconds since the epoch.

    Raises:
        ValueError: if a path is not a folder, or no run is there.
    """

    def __init__(self, paths: Sequence[Path], clock: Callable[[], float] = time.time) -> None:
        for path in paths:
            if not path.is_dir():
                raise ValueError(f"{path} is not a folder: name a run's folder, or a folder of runs")
        self.paths, self.clock = tuple(paths), clock
        self.known: dict[Path, Progress] = {}
        if not self.look():
            raise ValueError(
                f"{', '.join(map(str, paths))}: no run is there; name a folder that gmvae train made, or a "
                "folder of such folders"
            )

    def look(self) -> list[Progress]:
        """All runs that exist now, in the order of their names. Only files that have changed are read."""
        there = dict.fromkeys(folder for path in self.paths for folder in _runs_in(path))
        for gone in self.known.keys() - there.keys():
            del self.known[gone]
        for folder in there:
            if folder not in self.known:
                self.known[folder] = Progress(folder, str(folder))
            self._update(self.known[folder])
        return [self.known[folder] for folder in there]

    def _update(self, run: Progress) -> None:
        try:
            folder = RunFolder(run.path)
            if not folder.metrics.exists():
                run.history, run.stamp, run.state = [], None, "starting"
                return
            found = folder.metrics.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp != run.stamp:
                run.history, run.stamp, run.read = folder.history(), stamp, run.read + 1
            over = folder.ended
            age = self.clock() - found.st_mtime
        except (OSError, ValueError) as error:  # deleted meanwhile, or damaged: other runs are still shown
            run.history, run.stamp, run.state = [], None, f"unreadable: {error}"
            run.read += 1
            return
        pace = max((record.get("wall_seconds", 0.0) for record in run.history[-5:]), default=0.0)
        quiet = age > max(QUIET, 5 * pace)
        run.state = "finished" if over else f"quiet for {_duration(age)}" if quiet else "in progress"


def _runs_in(path: Path) -> list[Path]:
    """The folder itself if it is a run, else the runs in it."""
    if (path / "config.json").is_file():
        return [path]
    return sorted(config.parent for config in path.glob("*/config.json"))


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
