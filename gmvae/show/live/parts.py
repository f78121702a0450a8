"""The parts of the page: a sortable table of runs, and charts over epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, CustomJS, HoverTool
from bokeh.models.widgets import (
    DataTable,
    HTMLTemplateFormatter,
    NumberFormatter,
    StringFormatter,
    TableColumn,
)
from bokeh.plotting import figure

from gmvae.show.live.runs import Progress

CURVES = {
    "elbo": "bound (dashed: held out)",
    "reconstruction": "reconstruction, nats",
    "conditional_prior": "conditional prior, nats",
    "w_prior": "w prior, nats",
    "z_prior": "z prior, nats",
    "consistency_violation": "consistency violation, nats",
    "clusters_used": "clusters in use",
    "acc": "accuracy (dashed: held out)",
}
"""The curves over epochs: the key in a record, and the title. The curve of ``test_...`` is dashed."""
COLUMNS = {
    "run": "run",
    "state": "state",
    "restart": "restart",
    "epoch": "epoch",
    "elbo": "bound",
    "test_elbo": "held out",
    "clusters_used": "clusters",
    "acc": "accuracy",
    "minutes": "minutes",
}
"""Columns of the table."""
FORMATS = {"elbo": "0,0.00", "test_elbo": "0,0.00", "acc": "0.000", "minutes": "0,0.0"}
THEMED = """
:host, .slick-header-columns, .slick-header-column.ui-state-default, .slick-cell, .bk-input-group label {
  font: 15px/1.5 system-ui, sans-serif; color: var(--ink);
}
:host(.bk-data-table), .slick-row, .slick-header, .slick-header-column.ui-state-default, .grid-canvas,
.slick-viewport { background: var(--paper) !important; border-color: var(--line); }
.slick-header-column.ui-state-default, .slick-cell { font-size: 13px; }
.slick-cell.selected { background: var(--soft) !important; }
select.bk-input { color: var(--ink); background-color: var(--soft); border-color: var(--line);
  font: inherit; max-width: 100%; }
"""
"""The colours of the page, light or dark, for Bokeh's widgets."""
SWATCH = '<span style="color:<%= value %>" aria-hidden="true">&#9632;</span>'


def row(run: Progress | None, colour: str = "") -> dict[str, list[Any]]:
    """A run as a row of the table; without a run, the empty table."""
    if run is None:
        return {key: [] for key in ("colour", *COLUMNS)}
    last = run.last
    seconds = sum(record.get("wall_seconds", record["seconds"]) for record in run.history)
    numbers = {key: last.get(key, np.nan) for key in COLUMNS if key not in ("run", "state", "minutes")}
    values = {"colour": colour, "run": run.name, "state": run.state, **numbers, "minutes": seconds / 60}
    # NaN would differ from itself at each look
    return {key: [None if value != value else value] for key, value in values.items()}


def table(rows: ColumnDataSource) -> DataTable:
    """The table of runs, sortable by each column."""
    columns = [
        TableColumn(field="colour", title="", width=24, formatter=HTMLTemplateFormatter(template=SWATCH))
    ]
    for key, title in COLUMNS.items():
        form = StringFormatter(null_format="")
        if key in FORMATS:
            form = NumberFormatter(format=FORMATS[key], null_format="")
        columns.append(TableColumn(field=key, title=title, width=240 if key == "run" else 90, formatter=form))
    found = DataTable(
        source=rows,
        columns=columns,
        index_position=None,
        height=220,
        sizing_mode="stretch_width",
        min_width=720,
        selectable=True,
        reorderable=False,  # it would need jQuery UI
        name="runs",
        stylesheets=[THEMED],
    )
    # Bokeh redraws a table when rows come or go, but not when values change
    anew = CustomJS(args={"view": found.view}, code="view.change.emit()")
    rows.js_on_change("data", anew)
    return found


def chart(title: str) -> Any:
    """An empty chart over epochs."""
    plot: Any = figure(
        title=title,
        height=210,
        min_width=250,
        width=265,
        tools="pan,wheel_zoom,box_zoom,reset,save",
        x_axis_label="epoch",
        output_backend="canvas",
    )
    plot.toolbar.autohide = True
    return plot


def draw(charts: Mapping[str, Any], source: ColumnDataSource, run: Progress, colour: str) -> None:
    """Draw a run's curves on the charts."""
    for key, plot in charts.items():
        style: dict[str, Any] = {"source": source, "color": colour, "line_width": 2}
        line = plot.line("number", key, **style)
        plot.scatter("number", key, source=source, color=colour, size=3)
        plot.line("number", f"test_{key}", line_dash="dashed", **style)
        hover = [("run", run.name.replace("@", "")), ("epoch", "@epoch"), (key, f"@{key}{{0.0000}}")]
        plot.add_tools(HoverTool(renderers=[line], tooltips=hover, visible=False))


def points(history: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """The records of a run as columns, one restart after the other. ``number`` counts the epochs of all
    restarts from 1; ``epoch`` is the epoch of the restart. Missing values are NaN."""
    keys = [*CURVES, *(f"test_{key}" for key in CURVES)]
    found: dict[str, list[float]] = {
        "number": list(range(1, len(history) + 1)),
        "epoch": [record["epoch"] for record in history],
    }
    return found | {key: [float(record.get(key, np.nan)) for record in history] for key in keys}
