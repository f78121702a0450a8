"""Draw how stable clusters are: whether they are found again in other samples of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gmvae.partition.stability import NEARLY, STABLE
from gmvae.show.canvas import blank, legend_below
from gmvae.show.colours import PALETTE, colour
from gmvae.show.naming import short

if TYPE_CHECKING:
    from gmvae.show.content import Content

UNKNOWN = (
    "stability is not known: fit with resamples=20 (--resamples 20) for that of the rows of each cluster, or "
    'with n_clusters="auto" (--clusters auto) for that of each number of clusters'
)


def of_numbers(choice: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Draw the stability of each number of clusters that was tried, and mark the chosen one
    (:class:`gmvae.partition.stability.Choice` as JSON)."""
    figure, axes = blank(figure, right=0.98)
    _numbers(axes, choice)
    legend_below(axes)
    return figure


def stability(content: Content) -> Figure:
    """Draw how stable the rows of each cluster are, from fits with ``resamples``, and the stability of each
    number of clusters that was tried; those of the two that are known.

    The stability of a row is the probability that it keeps its cluster if the fit starts from another sample
    of the data.

    Raises:
        ValueError: if neither is known.
    """
    choice = content.facts.get("choice")
    if content.stability is None:
        if choice is None:
            raise ValueError(UNKNOWN)
        return of_numbers(choice)
    height = max(3.8, 1.7 + 0.32 * len(content.used))
    figure = Figure(figsize=(7.0 + 5.5 * (choice is not None), height), layout="constrained")
    panels = figure.subplots(1, 1 + (choice is not None), squeeze=False)[0]
    _rows(panels[0], content)
    if choice is not None:
        _numbers(panels[1], choice)
    for axes in panels:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.55 / (height - 1.5)), ncols=2, frameon=False)
    return figure


def _rows(axes: Axes, content: Content) -> None:
    """A line for each cluster in use, the first at the top, with the mean of its rows as a number."""
    assert content.stability is not None  # noqa: S101
    for place, k in enumerate(content.used):
        mine = content.stability[content.clusters == k]
        low, first, third, high = np.quantile(mine, (0.05, 0.25, 0.75, 0.95))
        axes.hlines(place, low, high, color=colour(k), linewidth=2)
        axes.hlines(place, first, third, color=colour(k), linewidth=9)
        axes.plot(mine.mean(), place, "D", color="white", markeredgecolor="black")
        axes.text(1.02, place, f"{mine.mean():.2f}", transform=axes.get_yaxis_transform(), va="center")
    axes.set_yticks(range(len(content.used)), [short(content.called(k)) for k in content.used])
    axes.set(xlim=(0, 1.02), ylim=(len(content.used) - 0.5, -0.5), ylabel="cluster")
    axes.set(xlabel="probability that a row keeps its cluster", title="stability of rows")
    axes.grid(axis="x", alpha=0.3)
    axes.plot([], [], color="0.5", linewidth=2, label="9 of 10 rows")
    axes.plot([], [], color="0.5", linewidth=9, label="the middle half")
    axes.plot([], [], "D", color="white", markeredgecolor="black", label="mean")


def _numbers(axes: Axes, choice: Mapping[str, Any]) -> None:
    counts, values = zip(*choice["curve"], strict=True)
    axes.plot(counts, values, "o-", color="0.3", clip_on=False)
    chosen = choice["clusters"]
    at = dict(choice["curve"]).get(chosen, 0.0)  # 1 is not tried
    axes.plot(chosen, at, "o", color=PALETTE[1], markersize=11, clip_on=False, label=f"chosen: {chosen}")
    axes.axhline(STABLE, color=PALETTE[2], linewidth=1, linestyle="--", label=f"stable above {STABLE}")
    axes.axhline(NEARLY, color=PALETTE[3], linewidth=1, linestyle=":", label=f"nearly stable above {NEARLY}")
    axes.set(xlabel="number of clusters K", ylabel="stability", ylim=(0, 1.03))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(f"found again in other samples of the data{'' if choice['sure'] else ' (not sure)'}")
