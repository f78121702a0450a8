"""One run in detail: the map and the cards of a report, updated in place."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import numpy as np
from bokeh.models import Column, ColumnDataSource, Spacer
from jinja2 import ChoiceLoader, PackageLoader
from markupsafe import Markup

from gmvae.show.content import Content
from gmvae.show.live.latest import Latest
from gmvae.show.report import charts
from gmvae.show.report.page import ENVIRONMENT, page_facts, variables

TEMPLATES = ENVIRONMENT.overlay(
    loader=ChoiceLoader([PackageLoader("gmvae.show.live"), PackageLoader("gmvae.show.report")])
)
"""The templates of the page, and those of reports."""


def code_of(name: str) -> Markup:
    """A script of this package, as it is."""
    return Markup((files("gmvae.show.live") / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704


class Details:
    """The map and the cards of one run.

    Attributes:
        place: The place of the map on the page.
        pushed: What the page's script shows around it: ``html``, the cards and tables, and ``page``, the
            facts that the map needs, as JSON; ``null`` if there is no map.
    """

    def __init__(self) -> None:
        self.nothing = Spacer(height=0)
        self.place = Column(children=[self.nothing], name="place", sizing_mode="stretch_width")
        self.pushed = ColumnDataSource({"html": [""], "page": ["null"]}, name="pushed")
        self.place.tags = [self.pushed]
        self.latest: Latest | None = None
        self.source: ColumnDataSource | None = None
        self.shown = (0, 0)
        self.columns: list[int] = []
        self.plot: Any = None

    def update(self, latest: Latest | None, name: str, state: str) -> None:
        """Show the newest overview of a run.

        Arguments:
            latest: Its overviews; ``None`` for no run.
            name: Its name.
            state: Its state.
        """
        if latest is not self.latest:
            self.latest, self.source, self.place.children = latest, None, [self.nothing]
            self.shown = (0, 0)
        if latest is None:
            self._push("", None)
            return
        latest.kept.look()
        read = latest.read, latest.kept.read
        content = None if read == self.shown else latest.content(name)
        if content is not None:
            self.shown = read
            self._show(content, latest)
        elif self.source is None:
            none = TEMPLATES.get_template("none.html")
            self._push(none.render(name=name, run=name, state=state, facts=latest.kept.facts()), None)

    def _show(self, content: Content, latest: Latest) -> None:
        if self.source is None:
            self.columns = charts.shown_columns(content)
        known = variables(content, content.used)
        rows = charts.rows(content, self.columns, known["pictures"])
        if self.source is None or set(self.source.data) != set(rows.data):
            self.source = rows
            self.plot = charts.latent_map(content, rows)
            self.place.children = [self.plot]
        else:
            self._renew(self.source, dict(rows.data))
        self.plot.select_one({"name": "dots"}).glyph.size = charts.dot_size(len(content.numbers))
        assert latest.overview is not None  # noqa: S101
        page = page_facts(content, self.columns, known["sheet"], known["near"])
        restart, epoch = latest.overview.epoch.tolist()
        details = TEMPLATES.get_template("details.html")
        html = details.render(known, measures=[], run=content.title, restart=restart, epoch=epoch)
        self._push(html, page)

    def _renew(self, source: ColumnDataSource, data: dict[str, Any]) -> None:
        """Replace the data of the rows. Rows that stay, by their numbers, stay selected."""
        before = np.asarray(source.data["number"])
        chosen = before[source.selected.indices] if source.selected.indices else before[:0]
        kept = np.flatnonzero(np.isin(data["number"], chosen)).tolist()
        source.data = data
        if kept != list(source.selected.indices):
            source.selected.indices = kept

    def _push(self, html: str, page: dict[str, Any] | None) -> None:
        data = {"html": [html], "page": [json.dumps(page, default=float)]}
        if data != self.pushed.data:
            self.pushed.data = data
