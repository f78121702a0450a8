"""Small maps of several runs, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.models.glyphs import Text
from bokeh.plotting import figure

from gmvae.show.colours import colour
from gmvae.show.figures import middle
from gmvae.show.live.latest import Latest


class SmallMap:
    """A chart of the means of x, each in the colour of its cluster, with the number of each cluster.

    Arguments:
        latest: The run's newest overview.
        name: Name of the run.
    """

    def __init__(self, latest: Latest, name: str) -> None:
        self.latest = latest
        self.points = ColumnDataSource({"a": [], "b": [], "colour": []})
        self.numbers = ColumnDataSource({"a": [], "b": [], "text": []})
        self.shown = 0
        self.chart: Any = figure(
            title=f"map of {name}",
            height=300,
            min_width=260,
            width=360,
            output_backend="webgl",
            tools="pan,wheel_zoom,box_zoom,reset,save",
        )
        self.chart.toolbar.autohide = True
        self.chart.scatter("a", "b", source=self.points, color="colour", size=4, line_color=None)
        numbers = Text(
            x="a", y="b", text="text", text_align="center", text_baseline="middle",
            text_font_style="bold", background_fill_color="white", background_fill_alpha=0.7,
        )  # fmt: skip
        self.chart.add_glyph(self.numbers, numbers)

    def update(self) -> None:
        """Show the newest overview."""
        found = self.latest.overview
        if found is None or self.latest.read == self.shown:
            return
        self.shown = self.latest.read
        a, b = self.latest.points.T
        clusters = found.probabilities.argmax(1)
        self.points.data = {"a": a, "b": b, "colour": [colour(k) for k in clusters]}
        used = np.unique(clusters)
        middles = np.array([middle(self.latest.points[clusters == k]) for k in used])
        self.numbers.data = {"a": middles[:, 0], "b": middles[:, 1], "text": [str(k) for k in used]}
