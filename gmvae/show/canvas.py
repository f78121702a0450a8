"""Empty figures, and legends beside the lines."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

SIZE = (7.0, 5.6)
LETTER = 0.088
"""Width of a letter, inches. Margins are fixed by it, since automatic layouts are slow."""


def empty(figure: Figure | None, size: tuple[float, float], layout: str | None = None) -> Figure:
    """A figure without content: the given one, with its size, or a new one."""
    figure = figure or Figure(figsize=size)
    figure.clear()
    figure.set_layout_engine(layout)  # type: ignore[arg-type]
    return figure


def blank(figure: Figure | None, right: float) -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes. The margins are fixed, since matplotlib's automatic layouts take
    as long as all the drawing."""
    figure = empty(figure, SIZE)
    figure.subplots_adjust(left=0.12, right=right, bottom=0.1, top=0.93)
    return figure, figure.add_subplot()


def legend_below(axes: Axes) -> None:
    """Put the legend below the axes, away from the lines."""
    axes.figure.subplots_adjust(bottom=0.22)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False, handlelength=3.5)
