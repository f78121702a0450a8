"""The page: a table of runs, their curves in common charts, and their latent spaces side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Row
from bokeh.models.widgets import Div

from gmvae.show.colours import colour
from gmvae.show.live.maps import LatentMap
from gmvae.show.live.parts import CURVES, chart, draw, points, row, table
from gmvae.show.live.runs import Progress, Runs
from gmvae.store.run_folder import RunFolder

EVERY = 500
"""Milliseconds between two checks of the folders."""
MAPS = 4
"""Maximum number of latent spaces side by side."""
HINT = (
    "Click on rows (several with Ctrl) to see the latent spaces of those runs, and on a column to sort by it."
)


class Page:
    """The page in one browser, updated twice a second.

    Arguments:
        document: The document that Bokeh synchronises with the browser.
        runs: The runs.
    """

    def __init__(self, document: Document, runs: Runs) -> None:
        self.runs = runs
        self.lines: dict[Path, ColumnDataSource] = {}
        self.read: dict[Path, int] = {}
        self.maps: dict[Path, LatentMap] = {}
        self.colours: dict[Path, str] = {}
        self.rows = ColumnDataSource(row(None))
        self.order: list[Path] = []
        self.head = Div(text="", name="head", styles={"font": "15px/1.5 system-ui, sans-serif"})
        self.charts = {key: chart(title) for key, title in CURVES.items()}
        self.beside, curves = Row(), Row()
        curves.children = list(self.charts.values())
        for box in (self.beside, curves):
            box.update(sizing_mode="stretch_width", spacing=16, styles={"flex-wrap": "wrap"})
        document.title = "gmvae watch"
        document.add_root(
            column(self.head, table(self.rows), self.beside, curves, sizing_mode="stretch_width")
        )
        self.update()
        document.add_periodic_callback(self.update, EVERY)
        document.on_session_destroyed(lambda _: self.close())

    def update(self) -> None:
        """Read new records, and push them."""
        there = self.runs.look()
        for path in self.lines.keys() - {run.path for run in there}:
            self._remove(path)
        for run in there:
            self._curves(run)
        self._table(there)
        self._maps(there)
        count = sum(run.state == "in progress" for run in there)
        text = f"<h1>gmvae watch</h1><p>{len(there)} runs, {count} in progress. {HINT}</p>"
        if len(there) == 1:
            text = f"<h1>gmvae watch</h1><p>1 run, {'in progress' if count else 'not in progress'}.</p>"
        if text != self.head.text:
            self.head.text = text

    def close(self) -> None:
        """Withdraw all requests to runs."""
        for shown in self.maps.values():
            shown.close()

    def _curves(self, run: Progress) -> None:
        found = points(run.history)
        if run.path not in self.lines:
            used = set(self.colours.values())
            free = next((c for c in map(colour, range(60)) if c not in used), colour(len(self.lines)))
            self.colours[run.path], self.lines[run.path] = free, ColumnDataSource(found)
            draw(self.charts, self.lines[run.path], run, free)
        elif self.read.get(run.path) != run.read:
            source = self.lines[run.path]
            before = len(source.data["epoch"])
            if all(
                np.array_equal(values[:before], source.data[key], equal_nan=True)
                for key, values in found.items()
            ):
                source.stream({key: values[before:] for key, values in found.items()})
            else:  # resumed from an earlier epoch
                source.data = found
        self.read[run.path] = run.read

    def _remove(self, path: Path) -> None:
        source = self.lines.pop(path)
        for plot in self.charts.values():
            plot.renderers = [one for one in plot.renderers if one.data_source is not source]
        self.colours.pop(path)
        self.read.pop(path, None)

    def _table(self, there: list[Progress]) -> None:
        lines = [row(run, self.colours[run.path]) for run in there]
        order = [run.path for run in there]
        data: dict[str, list[Any]] = {key: [line[key][0] for line in lines] for key in row(None)}
        if order == self.order and data == self.rows.data:
            return
        chosen = {self.order[i] for i in self.rows.selected.indices}
        self.rows.data, self.order = data, order
        indices = [i for i, path in enumerate(order) if path in chosen]
        if indices != self.rows.selected.indices:
            self.rows.selected.indices = indices

    def _maps(self, there: list[Progress]) -> None:
        chosen = [there[i] for i in self.rows.selected.indices if i < len(there)]
        shown = (chosen or sorted(there, key=lambda run: run.state != "in progress"))[:MAPS]
        wanted = [run.path for run in shown]
        for path in self.maps.keys() - set(wanted):
            self.maps.pop(path).close()
        for run in shown:
            if run.path not in self.maps:
                try:
                    self.maps[run.path] = LatentMap(RunFolder(run.path), run.name)
                except ValueError:  # deleted meanwhile
                    continue
            self.maps[run.path].update()
        charts = [self.maps[path].chart for path in sorted(self.maps)]
        if [one.id for one in charts] != [one.id for one in self.beside.children]:
            self.beside.children = charts
