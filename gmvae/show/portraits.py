"""Figures for print from the result of :meth:`gmvae.GMVAE.snapshot`: a fitted model and rows, as arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gmvae.assess.contrast import typical
from gmvae.show import generated
from gmvae.show.colours import colour
from gmvae.show.content import Content
from gmvae.show.figures import number_clusters
from gmvae.show.heat import COLUMNS, grid, heat
from gmvae.show.naming import short
from gmvae.show.report.facts import confusion as counted
from gmvae.show.report.facts import near, trust
from gmvae.show.stability import stability

Array = NDArray[Any]
PROTOTYPES, LINES = 12, 4
"""Number of typical members of a cluster in a figure, as pictures and as lines."""


def latent_map(content: Content) -> Figure:
    """Draw the rows in two dimensions, x itself or UMAP of it, in the colours of their clusters."""
    name, points = next(iter(content.maps.items()))
    figure, axes = _axes(7.0, 5.6, f"the rows: {name}")
    size = float(np.interp(np.log10(len(points)), [2, 3, 5], [14, 7, 1]))
    axes.scatter(
        points[:, 0],
        points[:, 1],
        s=size,
        c=[colour(k) for k in content.clusters],
        linewidths=0,
        rasterized=True,
    )
    number_clusters(axes, points, content.clusters, {k: short(content.called(k)) for k in content.used})
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
    shown, names = content.contrast.difference[content.used], [short(content.called(k)) for k in content.used]
    return heat(
        shown[None], content.features, names, ["profiles of clusters"], "standardised difference", 3.0
    )


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
    names, texts = (
        [short(content.called(k)) for k in content.used],
        [[f"{n:,}" * bool(n) for n in row] for row in counts],
    )
    grid(axes, [short(name) for name in found["labels"]], names, texts, share > 0.6)
    return figure


def overlap(content: Content) -> Figure:
    """Draw the overlap of each pair of clusters (:func:`gmvae.assess.portrait.overlap`)."""
    found = near(content)
    shown = np.array(found["matrix"])
    size = max(4.2, 1.4 + 0.5 * len(shown))
    figure, axes = _axes(size, size + 0.5, "overlap of clusters")
    image = axes.imshow(shown, cmap="Blues", vmin=0, vmax=0.5, aspect="auto")
    names = [short(content.called(k)) for k in content.used]
    grid(axes, names, names, [[f"{v:.2f}" if v >= 0.005 else "" for v in row] for row in shown], shown > 0.3)
    if (shown < 0.005).all():
        axes.text(0.5, 0.5, "no overlap of 0.01 or more", transform=axes.transAxes, ha="center", va="center")
    figure.colorbar(image, ax=axes, location="bottom", label="0.5: halves of one", aspect=24)
    return figure


def reliability(content: Content) -> Figure:
    """Draw the share of rows that are right against their probability, by bin. A row is right if it has the
    most common label of its cluster or, without labels, if p(z | x, w) gives the same cluster."""
    found = trust(content)
    figure, axes = _axes(5.0, 4.8, "reliability of probabilities")
    claimed, right, rows = (
        np.array([one[key] for one in found["bins"]]) for key in ("claimed", "right", "rows")
    )
    axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="exact probabilities")
    axes.plot(claimed, right, "o-", color=colour(0), label="these rows")
    for place, (x, y, count) in enumerate(zip(claimed, right, rows, strict=True), 1):
        # the last two are often near each other
        at, side = ((7, -3), "left") if place == len(rows) else ((0, 6 if place % 2 else -14), "center")
        axes.annotate(f"{count:,.0f}", (x, y), xytext=at, textcoords="offset points", ha=side, size=8)
    what = "most common label of the cluster" if found["by_labels"] else "same cluster by p(z | x, w)"
    axes.set(xlabel="probability of the cluster, by the model (numbers: rows)", ylim=(-0.08, 1.09))
    axes.set_ylabel(f"share of rows with\nthe {what}")
    axes.set_xlim(min(0.45, claimed.min() - 0.05), 1.14)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def prototypes(content: Content) -> Figure:
    """Draw the most typical members of each cluster: images in rows or, for a table, lines over the columns
    of :func:`profiles`, in standard deviations of the column."""
    members = {k: typical(content.portrait.x, content.clusters, k, PROTOTYPES) for k in content.used}
    if content.of_images:
        y = np.full((1, len(members), PROTOTYPES, content.y.shape[1]), np.nan)
        for row, rows in enumerate(members.values()):
            y[0, row, : len(rows)] = content.y[rows]
        return generated.pictures(content, list(members), y, ["typical members"])
    assert content.contrast is not None  # noqa: S101
    worth = abs(content.contrast.difference[content.used]).max(0)
    order = np.argsort(-worth, kind="stable")[:COLUMNS]
    figure, axes = _axes(max(5.0, 2 + 0.45 * len(order)), 5.5, "typical members")
    spread = np.where(content.y.std(0) > 0, content.y.std(0), 1)
    scaled = (content.y - content.y.mean(0)) / spread
    for place, (k, rows) in enumerate(members.items()):
        style = ("-", "--", "-.", ":")[place % 4]
        for i, row in enumerate(scaled[rows[:LINES]][:, order]):
            name = short(content.called(k)) if not i else None
            axes.plot(row, linestyle=style, color=colour(k), alpha=0.7, linewidth=1, label=name)
    axes.set_xticks(
        range(len(order)),
        [short(content.features[d]) for d in order],
        rotation=60,
        ha="right",
        rotation_mode="anchor",
    )
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
    "curves": generated.curves,
    "stability": stability,
}
"""Figures by name."""


def _axes(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes
