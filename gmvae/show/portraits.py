"""Figures for print from the result of :meth:`gmvae.GMVAE.snapshot`: a fitted model and rows, as arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from gmvae.assess.contrast import typical
from gmvae.show import generated
from gmvae.show.colours import colour
from gmvae.show.content import Content
from gmvae.show.figures import middle
from gmvae.show.generated import COLUMNS
from gmvae.show.report.facts import confusion as counted
from gmvae.show.report.facts import near, trust
from gmvae.show.report.pictures import shades

Array = NDArray[Any]
PROTOTYPES, LINES = 12, 4
"""Number of typical members of a cluster in a figure, as pictures and as lines."""


def latent_map(content: Content) -> Figure:
    """Draw the rows in two dimensions, x itself or UMAP of it, in the colours of their clusters."""
    name, points = next(iter(content.maps.items()))
    figure, axes = _axes(7.0, 5.6, name)
    size = float(np.interp(np.log10(len(points)), [2, 3, 5], [14, 7, 1]))
    axes.scatter(
        points[:, 0],
        points[:, 1],
        s=size,
        c=[colour(k) for k in content.clusters],
        linewidths=0,
        rasterized=True,
    )
    for k in content.used:
        at = middle(points[content.clusters == k])
        spot = axes.annotate(content.called(k), at, ha="center", va="center", weight="bold")
        spot.set_path_effects([withStroke(linewidth=3, foreground="white")])
    if len(content.maps) > 1:  # the axes of UMAP have no meaning
        axes.set(xticks=[], yticks=[])
    else:
        axes.set(xlabel="x$_1$", ylabel="x$_2$")
    return figure


def profiles(content: Content) -> Figure:
    """Draw what distinguishes each cluster of a table: standardised differences
    (:class:`gmvae.assess.contrast.Contrast`) of the columns in which a cluster differs most.

    Raises:
        ValueError: if the rows are images.
    """
    if content.contrast is None:
        raise ValueError("profiles show the columns of a table, but these are images: look at prototypes")
    shown = content.contrast.difference[content.used].T
    order = np.argsort(-abs(shown).max(1), kind="stable")[:COLUMNS]
    figure, axes = _axes(2.6 + 0.6 * len(content.used), 1.2 + 0.3 * len(order), "profiles of clusters")
    image = axes.imshow(shown[order], cmap="PuOr", vmin=-3, vmax=3, aspect="auto")
    _grid(
        axes,
        [content.features[d] for d in order],
        content,
        [[f"{v:+.1f}" for v in row] for row in shown[order]],
    )
    _shade_texts(axes, abs(shown[order]) > 2)
    figure.colorbar(image, ax=axes, label="standardised difference", extend="both")
    return figure


def confusion(content: Content) -> Figure:
    """Draw the number of rows of each label in each cluster, shaded by their share of the label.

    Raises:
        ValueError: if there are no labels.
    """
    found = counted(content)
    if found is None:
        raise ValueError(
            "confusion compares clusters with labels, and there are none: look at overlap instead"
        )
    counts = np.array(found["counts"])
    share = counts / counts.sum(1, keepdims=True)
    figure, axes = _axes(2 + 0.6 * counts.shape[1], 1.2 + 0.4 * len(counts), "rows of each label by cluster")
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    _grid(axes, found["labels"], content, [[f"{n:,}" if n else "" for n in row] for row in counts])
    _shade_texts(axes, share > 0.6)
    return figure


def overlap(content: Content) -> Figure:
    """Draw the overlap of each pair of clusters (:func:`gmvae.assess.portrait.overlap`)."""
    found = near(content)
    shown = np.array(found["matrix"])
    size = max(3.0, 1.4 + 0.6 * len(shown))
    figure, axes = _axes(size + 1, size, "overlap of clusters")
    image = axes.imshow(shown, cmap="Blues", vmin=0, vmax=0.5, aspect="auto")
    names = [content.called(k) for k in content.used]
    _grid(axes, names, content, [[f"{v:.2f}" if v >= 0.005 else "" for v in row] for row in shown])
    _shade_texts(axes, shown > 0.3)
    if (shown < 0.005).all():
        axes.text(0.5, 0.5, "no overlap of 0.01 or more", transform=axes.transAxes, ha="center", va="center")
    figure.colorbar(image, ax=axes, label="overlap (0.5: halves of one cluster)")
    return figure


def reliability(content: Content) -> Figure:
    """Draw the share of rows that are right against their probability, by bin. A row is right if it has the
    most common label of its cluster or, without labels, if p(z | x, w) gives the same cluster."""
    found = trust(content)
    figure, axes = _axes(5.0, 4.4, "reliability of probabilities")
    claimed, right, rows = (
        np.array([one[key] for one in found["bins"]]) for key in ("claimed", "right", "rows")
    )
    axes.plot([0, 1], [0, 1], color="0.6", linestyle=":")
    axes.plot(claimed, right, "o-", color=colour(0))
    for one in zip(claimed, right, rows, strict=True):
        axes.annotate(
            f"{one[2]:,.0f}", one[:2], xytext=(0, -13), textcoords="offset points", ha="center", size=8
        )
    what = "most common label of the cluster" if found["by_labels"] else "same cluster by p(z | x, w)"
    axes.set(xlabel="probability (numbers: rows)", ylabel=f"share, {what}", ylim=(-0.08, 1.05))
    axes.set_xlim(min(0.45, claimed.min() - 0.05), 1.05)
    return figure


def prototypes(content: Content) -> Figure:
    """Draw the most typical members of each cluster: images in rows or, for a table, lines over the columns
    of :func:`profiles`, in standard deviations of the column."""
    members = {k: typical(content.portrait.x, content.clusters, k, PROTOTYPES) for k in content.used}
    if content.of_images:
        return _image_rows(content, members)
    assert content.contrast is not None  # noqa: S101
    worth = abs(content.contrast.difference[content.used]).max(0)
    order = np.argsort(-worth, kind="stable")[:COLUMNS]
    figure, axes = _axes(2 + 0.45 * len(order), 5.5, "typical members")
    spread = np.where(content.y.std(0) > 0, content.y.std(0), 1)
    scaled = (content.y - content.y.mean(0)) / spread
    for place, (k, rows) in enumerate(members.items()):
        style = ("-", "--", "-.", ":")[place % 4]
        for i, row in enumerate(scaled[rows[:LINES]][:, order]):
            name = content.called(k) if not i else None
            axes.plot(row, linestyle=style, color=colour(k), alpha=0.7, linewidth=1, label=name)
    axes.set_xticks(range(len(order)), [content.features[d] for d in order], rotation=60, ha="right")
    axes.set_ylabel("standard deviations from the mean")
    axes.legend(title="cluster", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


OF_CONTENT: dict[str, Callable[[Content], Figure]] = {
    "map": latent_map,
    "profiles": profiles,
    "prototypes": prototypes,
    "confusion": confusion,
    "overlap": overlap,
    "reliability": reliability,
    "samples": generated.samples,
    "styles": generated.styles,
    "bound": generated.bound,
    "terms": generated.terms,
    "stability": generated.stability,
}
"""Figures by name."""


def _axes(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def _grid(axes: Axes, names: list[str], content: Content, texts: list[list[str]]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(content.used)), [content.called(k) for k in content.used])
    if any(content.names.values()):
        axes.tick_params(axis="x", rotation=45)
    axes.set_xlabel("cluster")
    axes.tick_params(length=0)
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            axes.text(column, row, text, ha="center", va="center", size=8)


def _shade_texts(axes: Axes, dark: NDArray[np.bool_]) -> None:
    for text, on_dark in zip(axes.texts, dark.ravel(), strict=True):
        text.set_color("white" if on_dark else "black")


def _image_rows(content: Content, members: dict[int, NDArray[np.int64]]) -> Figure:
    _, height, width = content.y_shape
    wall = np.full((len(members) * height, PROTOTYPES * width, 3), 255, dtype=np.uint8)
    for row, rows in enumerate(members.values()):
        for column, pixels in enumerate(shades(content.y[rows], content.y_shape)):
            place = slice(row * height, (row + 1) * height), slice(column * width, (column + 1) * width)
            wall[place] = pixels
    figure, axes = _axes(7.0, 0.8 + 6.2 * wall.shape[0] / wall.shape[1], "typical members")
    axes.imshow(wall, interpolation="nearest")
    axes.set_yticks((np.arange(len(members)) + 0.5) * height - 0.5, [content.called(k) for k in members])
    axes.set(xticks=[], ylabel="cluster")
    axes.tick_params(length=0)
    return figure
