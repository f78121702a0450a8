"""The charts of a report, drawn in the browser by Bokeh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bokeh.models import (
    ColumnDataSource,
    CrosshairTool,
    HoverTool,
    LassoSelectTool,
    LinearColorMapper,
    WheelZoomTool,
)
from bokeh.plotting import figure

from gmvae.show.colours import PALETTE, colour
from gmvae.show.content import Content
from gmvae.show.epochs import PANELS

NUMBERS = 1_500_000
"""Maximum count of numbers from a table's columns in the page: 4 bytes each, a third more as text."""
DASHES = ("solid", "dotdash", "dotted", "solid")
"""Styles of lines of training data. Those of held-out rows are dashed."""


def shown_columns(content: Content) -> list[int]:
    """Choose the columns of a table that the page has room for: those that distinguish a cluster most."""
    room = max(1, NUMBERS // len(content.y))
    columns = content.columns
    if len(columns) <= room or content.contrast is None:
        return list(range(len(columns)))
    telling = dict(zip(content.features, abs(content.contrast.difference).max(0), strict=True))
    kinds = content.categories
    worth = [
        max(telling[f"{c.name}={text}"] for text in kinds[c.name]) if c.texts else telling[c.name]
        for c in columns
    ]
    return sorted(np.argsort(-np.array(worth), kind="stable")[:room].tolist())


def rows(content: Content, columns: Sequence[int], pictures: np.ndarray | None) -> ColumnDataSource:
    """The data of each row in the page. A column of the table is called ``c`` and its index; ``picture`` is a
    position on the sheet, -1 for none."""
    first = next(iter(content.maps.values()))
    data: dict[str, Any] = {
        "x": first[:, 0],
        "y": first[:, 1],
        "cluster": content.clusters.astype(np.float32),
        "probability": content.probability.astype(np.float32),
        "second": content.second.astype(np.int32),
        "density": content.portrait.density.astype(np.float32),
        "number": content.numbers.astype(np.int32),
    }
    for place, points in enumerate(list(content.maps.values())[1:], 1):
        data |= {f"x{place}": points[:, 0], f"y{place}": points[:, 1]}
    if content.stability is not None:
        data["stability"] = content.stability.astype(np.float32)
    if content.labels is not None:
        data["label"] = content.labels.astype(np.float32)
    if pictures is not None:
        data["picture"] = pictures.astype(np.int32)
    for place in columns:
        data[f"c{place}"] = np.asarray(content.columns[place].values, dtype=np.float32)
    return ColumnDataSource(
        {name: np.ascontiguousarray(values) for name, values in data.items()}, name="rows"
    )


def latent_map(content: Content, source: ColumnDataSource) -> Any:
    """The map: a point for each row, and the number or name of each cluster at a row in its middle."""
    plot: Any = figure(
        name="map",
        tools="pan,box_zoom,box_select,tap,reset,save",
        output_backend="webgl",
        sizing_mode="stretch_width",
        height=520,
        toolbar_location="above",
    )
    plot.toolbar.logo = None
    plot.add_tools(LassoSelectTool(), WheelZoomTool(modifiers="ctrl"))
    palette, high = [colour(k) for k in range(content.count)], content.count - 0.5
    mapper = LinearColorMapper(palette=palette, low=-0.5, high=high)
    dots = plot.scatter(
        "x",
        "y",
        source=source,
        size=dot_size(len(content.y)),
        line_color=None,
        fill_color={"field": "cluster", "transform": mapper},
        fill_alpha=0.75,
        nonselection_fill_alpha=0.12,
        selection_fill_alpha=0.95,
        name="dots",
    )
    plot.add_tools(HoverTool(renderers=[dots], tooltips=None))
    numbers = ColumnDataSource({"x": [], "y": [], "text": []}, name="centres")
    plot.text(
        "x", "y", "text", source=numbers, text_align="center", text_baseline="middle",
        text_font_style="bold", text_font_size="15px", background_fill_alpha=0.8, border_radius=9, padding=4,
        name="numbers",
    )  # fmt: skip
    plot.axis.visible = len(content.maps) == 1
    plot.grid.grid_line_alpha = 0.25
    return plot


def dot_size(count: int) -> float:
    """The size of a point on a map with ``count`` of them, pixels."""
    return float(np.interp(np.log10(count), [2, 3, 4, 5], [9, 6, 4, 2.5]))


def by_epoch(history: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Terms and measures over epochs."""
    if not history:
        return []
    charts = []
    for panel in PANELS:
        if not (there := panel.present(history)):
            continue
        plot: Any = figure(
            title=f"{panel.title}, {panel.unit}", height=250, sizing_mode="stretch_width",
            tools="pan,box_zoom,reset,save", x_axis_label="epoch", toolbar_location=None,
        )  # fmt: skip
        for place, one in there:
            epochs, values = one.points(history)
            source = ColumnDataSource({"epoch": epochs, "value": values})
            dash = "dashed" if one.held_out else DASHES[place]
            style = {"color": PALETTE[place], "line_dash": dash, "line_width": 2}
            line = plot.line("epoch", "value", source=source, legend_label=one.name, **style)
            if len(epochs) < 30:
                dots = {"size": 5, "color": PALETTE[place], "legend_label": one.name}
                plot.scatter("epoch", "value", source=source, **dots)
            tooltips = [(one.name, "@value{0.0000}"), ("epoch", "@epoch")]
            plot.add_tools(HoverTool(renderers=[line], tooltips=tooltips, mode="vline"))
        plot.add_tools(CrosshairTool(dimensions="height", line_alpha=0.3))
        legend = plot.legend[0]
        plot.add_layout(legend, "below")
        legend.orientation, legend.ncols = "horizontal", 2
        legend.visible = len(there) > 1
        legend.click_policy = "mute"
        charts.append(plot)
    return charts
