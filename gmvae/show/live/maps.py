"""The current latent space of a run in progress."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.models.glyphs import Text
from bokeh.plotting import figure
from numpy.typing import NDArray

from gmvae.show.colours import colour
from gmvae.show.figures import principal_plane
from gmvae.show.run_figures import read_snapshot
from gmvae.show.watching import Watcher
from gmvae.store.run_folder import RunFolder


class LatentMap:
    """A chart of the means of x, each in the colour of its cluster, with the number of each cluster.

    If x has more than two dimensions, its first two principal components are shown.

    Arguments:
        folder: The run's folder.
        name: Name of the run.
    """

    def __init__(self, folder: RunFolder, name: str) -> None:
        self.watcher = Watcher(folder, "latent")
        self.points = ColumnDataSource({"a": [], "b": [], "colour": []})
        self.numbers = ColumnDataSource({"a": [], "b": [], "text": []})
        self.shown = 0
        self.plane: NDArray[Any] | None = None
        self.chart: Any = figure(
            title=f"latent space of {name}",
            height=340,
            width=420,
            output_backend="webgl",
            tools="pan,wheel_zoom,box_zoom,reset,save",
        )
        self.chart.scatter("a", "b", source=self.points, color="colour", size=4, line_color=None)
        numbers = Text(
            x="a", y="b", text="text", text_align="center", text_baseline="middle",
            text_font_style="bold", background_fill_color="white", background_fill_alpha=0.7,
        )  # fmt: skip
        self.chart.add_glyph(self.numbers, numbers)

    def update(self) -> None:
        """Request a new picture, and show the newest one available."""
        self.watcher.ask()
        try:
            path = self.watcher.newest()
            written = 0 if path is None else path.stat().st_mtime_ns
            if path is None or written == self.shown:
                return
            found = read_snapshot(path)
        except (OSError, ValueError):  # the run was deleted, or another version wrote its file
            return
        self.shown = written
        centre, self.plane = plane(found.x, self.plane)
        a, b = ((found.x - centre) @ self.plane).T
        clusters = found.clusters
        self.points.data = {"a": a, "b": b, "colour": [colour(k) for k in clusters]}
        used = np.unique(clusters)
        middles = np.array([[np.median(v[clusters == k]) for v in (a, b)] for k in used])
        self.numbers.data = {"a": middles[:, 0], "b": middles[:, 1], "text": [str(k) for k in used]}

    def close(self) -> None:
        """Withdraw the request."""
        self.watcher.close()


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
