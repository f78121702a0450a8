"""Draw curves by epoch from the records of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gmvae.show.canvas import blank, empty, legend_below
from gmvae.show.colours import PALETTE

History = Sequence[Mapping[str, Any]]
MARKERS = ("o", "s", "^", "D")
"""Markers of the lines of a panel, to distinguish them in grey."""
MARKED = 8
"""About how many epochs of a long line have a marker."""


@dataclass(frozen=True)
class Line:
    """A line by epoch.

    Arguments:
        key: Its key in a record.
        name: Its name in a legend.
        held_out: Whether it is of rows that training does not see.
        sign: Factor of its values.
    """

    key: str
    name: str
    held_out: bool = False
    sign: int = 1

    def points(self, history: History) -> tuple[list[float], list[float]]:
        """The epochs that have a value, and these values."""
        there = [record for record in history if record.get(self.key) is not None]
        return [record["epoch"] for record in there], [self.sign * record[self.key] for record in there]


@dataclass(frozen=True)
class Panel:
    """Lines that share their axes."""

    title: str
    unit: str
    lines: tuple[Line, ...]

    def present(self, history: History) -> list[tuple[int, Line]]:
        """The lines that a history has, each with a number for its colour. A line of held-out rows has the
        number of the same line of training data."""
        numbers: dict[str, int] = {}
        found = [line for line in self.lines if line.points(history)[0]]
        return [(numbers.setdefault(line.key.removeprefix("test_"), len(numbers)), line) for line in found]


TRAINING, HELD_OUT = "training data", "held-out data"
"""Short names, since legends of reports have little room. Values of terms on training data are means over the
epoch, and those on held-out data are from its end."""
BOUND = Panel(
    "lower bound",
    "nats per row",
    (
        Line("elbo", TRAINING),
        Line("test_elbo", HELD_OUT, held_out=True),
        Line("validation_loss", "early stopping, minus the loss", held_out=True, sign=-1),
    ),
)
TERMS = Panel(
    "divergences and consistency violation",
    "nats per row",
    (
        Line("conditional_prior", "conditional prior"),
        Line("w_prior", "w prior"),
        Line("z_prior", "z prior"),
        Line("consistency_violation", "consistency violation"),
    ),
)
RECONSTRUCTION = Panel("reconstruction", "nats per row", (Line("reconstruction", TRAINING),))
USED = Panel(
    "clusters in use",
    "number",
    (Line("clusters_used", TRAINING), Line("test_clusters_used", HELD_OUT, held_out=True)),
)
MEASURES = {"acc": "accuracy", "nmi": "NMI", "ari": "ARI"}
AGREEMENT = Panel(
    "agreement with labels",
    "score (1: full agreement)",
    (
        *(Line(key, name) for key, name in MEASURES.items()),
        *(Line(f"test_{key}", f"{name}, held out", held_out=True) for key, name in MEASURES.items()),
    ),
)
PANELS = (BOUND, TERMS, RECONSTRUCTION, USED, AGREEMENT)
"""What figures and reports show by epoch."""


def curves(history: History, figure: Figure | None = None) -> Figure:
    """Draw the course of a fit: the lower bound, its terms, the number of clusters in use and, if there are
    labels, the agreement with them, each by epoch. Lines of held-out rows are dashed."""
    panels = [panel for panel in PANELS if panel.present(history)]
    rows, above, below, height = -(-len(panels) // 2), 0.4, 1.25, 2.4
    whole = rows * (above + height + below)
    figure = empty(figure, (10.0, whole))
    figure.subplots_adjust(
        left=0.08, right=0.985, top=1 - above / whole, bottom=below / whole, hspace=(above + below) / height
    )
    grid = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.remove()
    for axes, panel in zip(grid, panels, strict=False):
        _draw(axes, panel, history)
        if len(axes.lines) > 1:
            axes.legend(
                loc="upper center",
                bbox_to_anchor=(0.5, -0.2),
                ncols=2,
                frameon=False,
                fontsize="small",
                handlelength=3.5,
            )
    return figure


def bound(history: History, figure: Figure | None = None) -> Figure:
    """Draw the lower bound by epoch, on training data and, if there are any, on held-out data; also minus the
    loss on the rows that early stopping holds out."""
    return _alone(BOUND, history, figure)


def terms(history: History, figure: Figure | None = None) -> Figure:
    """Draw the divergences of the bound, and the consistency violation, by epoch."""
    return _alone(TERMS, history, figure)


def consistency(history: History, figure: Figure | None = None) -> Figure:
    """Draw the consistency violation by epoch."""
    line = Line("consistency_violation", TRAINING)
    return _alone(Panel("consistency violation", "nats per row", (line,)), history, figure)


def scores(history: History, figure: Figure | None = None) -> Figure:
    """Draw the agreement of clusters with labels by epoch: on held-out data, or without any on training data.

    Raises:
        ValueError: if the data have no labels.
    """
    prefix = "test_" if "test_acc" in history[-1] else ""
    if f"{prefix}acc" not in history[-1]:
        raise ValueError("scores compares clusters with labels, and there are none: look at shares instead")
    names = {"acc": "accuracy", "acc_aae": "accuracy (AAE)"} | MEASURES
    lines = tuple(Line(prefix + key, name) for key, name in names.items())
    title = f"agreement with labels, {'held-out' if prefix else 'training'} data"
    return _alone(Panel(title, AGREEMENT.unit, lines), history, figure)


OF_HISTORY = {
    "bound": bound,
    "terms": terms,
    "consistency": consistency,
    "scores": scores,
    "curves": curves,
}


def _alone(panel: Panel, history: History, figure: Figure | None) -> Figure:
    figure, axes = blank(figure, right=0.96)
    _draw(axes, panel, history)
    if len(axes.lines) > 1:
        legend_below(axes)
    return figure


def _draw(axes: Axes, panel: Panel, history: History) -> None:
    for place, line in panel.present(history):
        epochs, values = line.points(history)
        every = -(-len(epochs) // MARKED)
        axes.plot(
            epochs,
            values,
            color=PALETTE[place],
            linestyle="--" if line.held_out else "-",
            marker=MARKERS[place],
            markersize=4,
            markevery=(place * every // len(MARKERS), every),
            label=line.name,
        )
    axes.set(title=panel.title, xlabel="epoch", ylabel=panel.unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if panel is USED:
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
