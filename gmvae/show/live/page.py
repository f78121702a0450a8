"""The page: a table of runs, their curves in common charts, their maps side by side, and one of them in
detail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Row, Spacer
from bokeh.models.widgets import Div, Select

from gmvae.show.colours import colour
from gmvae.show.live.details import TEMPLATES, Details, code_of
from gmvae.show.live.latest import Latest
from gmvae.show.live.maps import SmallMap
from gmvae.show.live.parts import CURVES, THEMED, chart, draw, points, row, table
from gmvae.show.live.runs import Progress, Runs
from gmvae.show.report.page import text_of

EVERY = 500
"""Milliseconds between two checks of the folders."""
MAPS = 4
"""Maximum number of maps side by side."""
HINT = (
    "Click on a row to see that run in detail, on several with Ctrl to see their maps side by side, and on a "
    "column to sort by it."
)


class Page:
    """The page in one browser, updated twice a second.

    Arguments:
        document: The document that Bokeh synchronises with the browser.
        runs: The runs.
        present: Returns whether the browser is still connected.
    """

    def __init__(self, document: Document, runs: Runs, present: Callable[[], bool] = lambda: True) -> None:
        self.document, self.runs, self.present = document, runs, present
        self.lines: dict[Path, ColumnDataSource] = {}
        self.read: dict[Path, int] = {}
        self.latest: dict[Path, Latest] = {}
        self.maps: dict[Path, SmallMap] = {}
        self.which: Path | None = None
        self.details = Details()
        self.colours: dict[Path, str] = {}
        self.rows = ColumnDataSource(row(None))
        self.order: list[Path] = []
        self.head = Div(text="", name="head", stylesheets=[THEMED], sizing_mode="stretch_width")
        self.choice = Select(title="Run in detail", name="which", options=[], stylesheets=[THEMED])
        self.choice.on_change("value", self._picked)
        self.rows.selected.on_change("indices", self._clicked)
        self.charts = {key: chart(title) for key, title in CURVES.items()}
        self.nothing, self.empty = Spacer(height=0), Spacer(height=0)
        self.beside = Row(children=[self.nothing], name="beside")
        self.curves = Row(children=[self.empty], name="curves")
        for box in (self.beside, self.curves):
            box.update(sizing_mode="stretch_width", spacing=16, styles={"flex-wrap": "wrap"})
        document.title = "gmvae watch"
        document.template = TEMPLATES.get_template("watch.html")
        variables = {
            "style": text_of("report.css"),
            "map_code": text_of("map.js"),
            "near_code": text_of("near.js"),
            "code": code_of("watch.js"),
            "views": [],
            "left_out": 0,
        }
        document.template_variables.update(variables)
        self.table = table(self.rows)
        self.update()
        with document.models.freeze():
            for root in (self.head, self.table, self.curves, self.beside, self.choice, self.details.place):
                document.add_root(root)
        document.add_periodic_callback(self._tick, EVERY)
        document.on_session_destroyed(lambda _: self.close())

    def _tick(self) -> None:
        if self.present():
            self.update()

    def update(self) -> None:
        """Read new records, and push them."""
        there = self.runs.look()
        for path in self.lines.keys() - {run.path for run in there}:
            self._remove(path)
        for run in there:
            self._curves(run)
        # Bokeh warns in the browser's console of a chart without data, even of a hidden one
        measured = {key.removeprefix("test_") for run in there for key in run.last}
        shown = [plot for key, plot in self.charts.items() if key in measured] or [self.empty]
        if [one.id for one in shown] != [one.id for one in self.curves.children]:
            self.curves.children = shown
        self._table(there)
        self._maps(there)
        count = sum(run.state == "in progress" for run in there)
        text = f"<p>{len(there)} runs, {count} in progress. {HINT}</p>"
        if len(there) == 1:
            text = f"<p>1 run, {'in progress' if count else 'not in progress'}.</p>"
        if text != self.head.text:
            self.head.text = text

    def close(self) -> None:
        """Withdraw all requests to runs."""
        for latest in self.latest.values():
            latest.close()

    def _curves(self, run: Progress) -> None:
        found = points(run.history)
        if run.path not in self.lines:
            used = set(self.colours.values())
            free = next((c for c in map(colour, range(60)) if c not in used), colour(len(self.lines)))
            self.colours[run.path], self.lines[run.path] = free, ColumnDataSource(found)
            with self.document.models.freeze():  # else Bokeh searches all models again for each new one
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
        with self.document.models.freeze():
            for plot in self.charts.values():
                plot.renderers = [one for one in plot.renderers if one.data_source is not source]
        self.colours.pop(path)
        self.read.pop(path, None)

    def _table(self, there: list[Progress]) -> None:
        lines = [row(run, self.colours[run.path]) for run in there]
        order = [run.path for run in there]
        if (height := 36 + 25 * min(max(1, len(there)), 8)) != self.table.height:
            self.table.height = height
        data: dict[str, list[Any]] = {key: [line[key][0] for line in lines] for key in row(None)}
        if order == self.order and data == self.rows.data:
            return
        chosen = {self.order[i] for i in self.rows.selected.indices}
        self.rows.data, self.order = data, order
        indices = [i for i, path in enumerate(order) if path in chosen]
        if indices != self.rows.selected.indices:
            self.rows.selected.indices = indices

    def _clicked(self, _: str, before: list[int], now: list[int]) -> None:
        """Rows of the table were selected: show the one that was clicked last."""
        new = [i for i in now if i not in before] or now
        if new and new[-1] < len(self.order):
            self.which = self.order[new[-1]]

    def _picked(self, _: str, __: str, now: str) -> None:
        """A run was picked from the list."""
        found = next((i for i, path in enumerate(self.order) if str(path) == now), None)
        if found is not None and self.order[found] != self.which:
            self.which, self.rows.selected.indices = self.order[found], [found]

    def _maps(self, there: list[Progress]) -> None:
        by_state = sorted(there, key=lambda run: run.state != "in progress")
        chosen = [there[i] for i in self.rows.selected.indices if i < len(there)]
        shown = (chosen or by_state)[:MAPS]
        beside = shown if len(shown) > 1 else []
        runs = {run.path: run for run in there}
        if self.which not in runs:
            self.which = by_state[0].path if there else None
        options: list[Any] = [str(path) for path in self.order]
        if options != self.choice.options:
            self.choice.options = options
        if self.choice.value != str(self.which or ""):
            self.choice.value = str(self.which or "")
        wanted = {run.path for run in beside} | {self.which} - {None}
        for path in self.latest.keys() - wanted:
            self.latest.pop(path).close()
        for path in sorted(filter(None, wanted)):
            if path not in self.latest:
                try:
                    self.latest[path] = Latest(path)
                except ValueError:  # deleted meanwhile
                    continue
            self.latest[path].look()
        self._beside([run for run in beside if run.path in self.latest])
        detailed = runs.get(self.which) if self.which is not None else None
        latest = None if detailed is None else self.latest.get(detailed.path)
        self.details.update(latest, detailed.name if detailed else "", detailed.state if detailed else "")

    def _beside(self, runs: list[Progress]) -> None:
        for run in runs:
            if run.path not in self.maps or self.maps[run.path].latest is not self.latest[run.path]:
                self.maps[run.path] = SmallMap(self.latest[run.path], run.name)
            self.maps[run.path].update()
        for path in self.maps.keys() - {run.path for run in runs}:
            del self.maps[path]
        charts = [self.maps[path].chart for path in sorted(self.maps)] or [self.nothing]
        if [one.id for one in charts] != [one.id for one in self.beside.children]:
            self.beside.children = charts
