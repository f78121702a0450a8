"""Draw profiles: a row for each column of a table, a column for each cluster, and numbers in the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gmvae.show.canvas import LETTER, empty
from gmvae.show.naming import short

Array = NDArray[Any]
COLUMNS = 20
"""Maximum number of columns of a table in a figure."""
WIDE = 16.0
"""Maximum width of a figure, inches."""


def heat(
    values: Array,
    columns: Sequence[str],
    clusters: Sequence[str],
    titles: Sequence[str],
    label: str,
    limit: float,
    figure: Figure | None = None,
) -> Figure:
    """Draw numbers of clusters and columns, as colours and as texts: of the columns in which they are
    greatest, these first.

    Arguments:
        values: A panel for each of P, of K clusters by D columns: (P, K, D).
        columns: Names of the columns.
        clusters: Names of the clusters.
        titles: Titles of the panels.
        label: What the numbers are.
        limit: The number with the darkest colour, and its negative.
        figure: The figure; a new one by default.
    """
    order = np.argsort(-abs(values).max((0, 1)), kind="stable")[:COLUMNS]
    shown = values[:, :, order].swapaxes(1, 2)  # (P, columns, K)
    names = [short(columns[d]) for d in order]
    left, above, right, gap = 0.25 + LETTER * max(map(len, names)), 0.4, 0.2, 0.15
    below = 1.15 + (0.7 * LETTER * max(map(len, clusters)) if slanted(clusters) else 0)
    cell = min(0.6, (WIDE - left) / (len(values) * len(clusters)))
    inner = max(cell * len(clusters), 0.1 * max(map(len, titles)), (4.0 - left) / len(values))
    width = left + len(values) * inner + (len(values) - 1) * gap + right
    height = above + 0.3 * len(order) + below
    figure = empty(figure, (width, height))
    figure.subplots_adjust(
        left=left / width, right=1 - right / width, bottom=below / height, top=1 - above / height,
        wspace=gap / inner,
    )  # fmt: skip
    panels = figure.subplots(1, len(values), squeeze=False, sharey=True)[0]
    for axes, title, part in zip(panels, titles, shown, strict=True):
        axes.set_title(title)
        image = axes.imshow(part, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
        texts = [[f"{v:+.1f}" if abs(v) >= 0.05 else "0" for v in row] for row in part] if cell > 0.33 else []
        grid(axes, names, clusters, texts, abs(part) > 0.6 * limit)
        axes.tick_params(labelleft=axes is panels[0])
    scale = min(3.6, width - 0.6)
    middle = min(max(left + (width - left - right) / 2, scale / 2 + 0.3), width - scale / 2 - 0.3)
    bar = figure.add_axes(((middle - scale / 2) / width, 0.5 / height, scale / width, 0.13 / height))
    figure.colorbar(image, cax=bar, orientation="horizontal", label=label, extend="both")
    bar.tick_params(labelsize="small")
    return figure


def slanted(names: Sequence[str]) -> bool:
    """Whether names of clusters are too long to stand side by side."""
    return max(map(len, names)) > 3


def grid(
    axes: Axes, rows: Sequence[str], clusters: Sequence[str], texts: list[list[str]], dark: NDArray[np.bool_]
) -> None:
    """Name the rows and columns of an image, and write into its cells, in white where they are dark."""
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(clusters)), clusters)
    if slanted(clusters):
        axes.set_xticks(range(len(clusters)), clusters, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_xlabel("cluster")
    axes.tick_params(length=0)
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            color = "white" if dark[row, column] else "black"
            axes.text(column, row, text, ha="center", va="center", size=8, color=color)


def scaled(means: Array, y: Array) -> Array:
    """Means of columns, (..., D), in standard deviations from their mean in the data y, (N, D)."""
    found: Array = (means - y.mean(0)) / _spread(y)
    return found


def moved(styles: Array, y: Array) -> Array:
    """How far the columns move from the first to the last of styles, (..., STEPS, D), in standard deviations
    of the data y, (N, D)."""
    found: Array = (styles[..., -1, :] - styles[..., 0, :]) / _spread(y)
    return found


def _spread(y: Array) -> Array:
    return np.where(y.std(0) > 0, y.std(0), 1)
