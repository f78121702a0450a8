"""Draw many images as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from gmvae.show.canvas import LETTER, empty

Array = NDArray[Any]
DIM = 0.2
"""Images whose numbers are all below this are in another unit, not shades from 0 to 1."""


def rows_of_images(
    y: Array,
    y_shape: Sequence[int],
    names: Sequence[str],
    titles: Sequence[str],
    figure: Figure | None = None,
) -> Figure:
    """Draw panels of images side by side, with a row for each cluster.

    Arguments:
        y: Images, (panels, rows, columns, size of y).
        y_shape: (channels, height, width).
        names: Names of the rows.
        titles: Titles of the panels.
        figure: The figure; a new one by default.
    """
    rows, columns = y.shape[1:3]
    left = 0.5 + LETTER * max(map(len, names))
    figure, panels = image_panels(titles, rows, columns, y_shape, left, figure)
    for axes, tiles in zip(panels, y, strict=True):
        height, _ = draw_tiles(axes, tiles, y_shape)
        axes.set(xticks=[], yticks=(np.arange(rows) + 0.5) * height - 0.5)
        axes.set_yticklabels(names if axes is panels[0] else [])
        axes.tick_params(length=0, labelsize=min(10, 300 / rows))
    panels[0].set_ylabel("cluster")
    return figure


def image_panels(
    titles: Sequence[str],
    rows: int,
    columns: int,
    y_shape: Sequence[int],
    left: float,
    figure: Figure | None = None,
) -> tuple[Figure, list[Axes]]:
    """Panels side by side, each for rows and columns of images, with a margin of ``left`` inches for names.
    The margins are fixed, since automatic layouts are slow."""
    below, above, gap = 0.1, 0.4, 0.2
    aspect = columns * y_shape[2] / (rows * y_shape[1])
    inner = float(np.clip(float(np.clip(0.36 * rows, 1.5, 14)) * aspect, 2.2, 10 / len(titles)))
    height = inner / aspect
    width = left + len(titles) * inner + (len(titles) - 1) * gap + 0.1
    figure = empty(figure, (width, below + height + above))
    figure.subplots_adjust(
        left=left / width,
        right=1 - 0.1 / width,
        bottom=below / (below + height + above),
        top=1 - above / (below + height + above),
        wspace=gap / inner,
    )
    panels = figure.subplots(1, len(titles), squeeze=False)[0]
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title)
    return figure, list(panels)


def draw_tiles(axes: Axes, y: Array, y_shape: Sequence[int]) -> tuple[int, int]:
    """Draw images of shape (rows, columns, size of y) as one, and return the height and width of each. Images
    without three channels are drawn in grey, as the mean of their channels."""
    rows, columns = y.shape[:2]
    channels, height, width = (int(size) for size in y_shape)
    whole = y.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    whole = shades(whole.reshape(rows * height, columns * width, channels))
    axes.imshow(whole if channels == 3 else whole.mean(-1), cmap="gray", vmin=0, vmax=1)
    return height, width


def number_tiles(axes: Axes, clusters: NDArray[np.int64], columns: int, size: tuple[int, int]) -> None:
    """Write numbers of clusters into the corners of images, ``columns`` in a row, each of a height and width
    of ``size``."""
    height, width = size
    for place, cluster in enumerate(clusters):
        row, column = divmod(place, columns)
        text = axes.text(column * width, row * height, cluster, color="gold", fontsize=7, va="top")
        text.set_path_effects([withStroke(linewidth=1.5, foreground="black")])


def shades(y: Array) -> Array:
    """Convert the numbers of images to shades in [0, 1]. Numbers slightly outside, as from Gaussian noise,
    are clipped. Numbers in another unit, such as standard deviations or thousandths, are scaled from their
    5th to their 95th percentile."""
    low, high = np.percentile(y, (5, 95))
    if low < -0.5 or high > 1.5 or y.max() < DIM:
        if low == high:
            low, high = y.min(), y.max()
        y = (y - low) / (high - low or 1.0)
    return y.clip(0, 1)
