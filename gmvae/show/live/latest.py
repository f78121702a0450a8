"""The newest overview of a run, read from its folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.overview import Overview
from gmvae.assess.portrait import Portrait
from gmvae.partition.relabelling import Relabelling
from gmvae.show.content import Content
from gmvae.show.figures import principal_plane
from gmvae.show.live.kept import Kept
from gmvae.show.watching import OVERVIEW, Watcher
from gmvae.store.files import read_arrays
from gmvae.store.run_folder import RunFolder

PATIENCE = 30.0
"""Seconds after the first request in which an overview with fewer rows than before is passed over. The first
answers of a run have few rows, until it knows what they cost."""


class Latest:
    """The newest overview of a run. It is requested from a run in progress; otherwise it is the last one that
    the run has kept.

    Arguments:
        path: The run's folder.
        clock: Returns the time in seconds.

    Raises:
        ValueError: if there is no run.

    Attributes:
        overview: The newest one so far, or ``None``.
        points: Its rows in two dimensions, (N, 2): x, or the first two principal components of x.
        read: How many overviews have been read.
        kept: Where the run started, and how it ended.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder, self.clock, self.began = RunFolder(path), clock, clock()
        self.watcher, self.kept = Watcher(self.folder, OVERVIEW), Kept(self.folder)
        self.overview: Overview | None = None
        self.points = np.empty((0, 2))
        self.read = 0
        self._stamp = 0
        self._plane: NDArray[Any] | None = None

    def look(self) -> None:
        """Request a new overview, and read it if there is one."""
        self.watcher.ask()
        try:
            stored = self.watcher.stored
            path = stored if self.overview is None and stored.exists() else self.watcher.newest()
            stamp = 0 if path is None else path.stat().st_mtime_ns
            if path is None or stamp == self._stamp:
                return
            arrays = read_arrays(path)
            if set(arrays) != {field.name for field in fields(Overview)}:
                return  # another version wrote it
        except (OSError, ValueError):  # the run was deleted meanwhile
            return
        self._stamp, found = stamp, Overview(**arrays)
        fewer = self.overview is not None and len(found.numbers) < len(self.overview.numbers)
        if fewer and self.clock() - self.began < PATIENCE:
            return
        self.overview, self.read = found, self.read + 1
        centre, self._plane = plane(self.overview.x, self._plane)
        self.points = (self.overview.x - centre) @ self._plane

    def content(self, name: str) -> Content | None:
        """The newest overview as the content of a report, or ``None`` if there is none."""
        if self.overview is None:
            return None
        try:
            about = self.folder.about()
        except (OSError, ValueError):
            return None
        facts = {"choice": about.get("choice")} | self.kept.facts(int(self.overview.epoch[0]))
        return content_of(name, self.overview, self.points, about, facts, self.kept.edits)

    def close(self) -> None:
        """Withdraw the request."""
        self.watcher.close()


def content_of(
    name: str,
    found: Overview,
    points: NDArray[Any],
    about: Mapping[str, Any],
    facts: Mapping[str, Any],
    edits: Relabelling,
) -> Content:
    """The content of a report from an overview.

    Arguments:
        name: The name of the run.
        found: The overview.
        points: Its rows in two dimensions, (N, 2).
        about: The content of config.json.
        facts: The facts of a report.
        edits: Names, merges and splits of clusters. A part of a cluster generates what the whole one does.
    """
    clusters = found.probabilities.shape[1]
    components = edits.components(clusters)
    y_shape, count = tuple(found.y_shape.tolist()), len(found.numbers)
    width = int(np.prod(y_shape))
    y: NDArray[Any] = found.y
    if len(y_shape) == 3:
        y = np.zeros((count, width), dtype=found.y.dtype)
        y[found.pictured] = found.y
    data = about.get("data", {})
    return Content(
        title=name,
        portrait=Portrait(
            edits.applied(found.probabilities, found.x),
            found.p_clusters,
            found.density,
            found.x,
            edits.mixed(found.samples[components]),
            found.styles[:, components],
        ),
        maps={"x" if found.x.shape[1] <= 2 else "PCA of x": points},
        y=y,
        y_shape=y_shape,
        features=tuple(data.get("features") or (f"y{d}" for d in range(width))),
        categories={key: tuple(values) for key, values in data.get("categories", {}).items()},
        numbers=found.numbers,
        total=data.get("shape", [count])[0],
        labels=found.labels if len(found.labels) else None,
        classes=tuple(data.get("classes", ())),
        facts=facts,
        pictured=found.pictured,
        names=edits.called(clusters),
        merged=edits.groups(clusters).tolist(),
        split=edits.split,
    )


def plane(x: NDArray[Any], before: NDArray[Any] | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """A centre, (D,), and two directions, (D, 2): those of greatest variance, or the axes if D is at most 2.

    Arguments:
        x: Points, (N, D).
        before: The directions of the previous picture, so that the new one is not mirrored.
    """
    centre, found = principal_plane(x)
    if before is not None and before.shape == found.shape:
        found = found * np.where((found * before).sum(0) < 0, -1, 1)
    return centre, found
