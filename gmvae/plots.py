"""Pictures: a snapshot or a history in, a matplotlib figure out. The model is out of sight here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import NDArray

from gmvae.evaluation import Snapshot

History = Sequence[dict[str, Any]]
Array = NDArray[np.floating[Any]]
SIZE = (7.0, 5.6)


def latent(shown: Snapshot, figure: Figure | None = None) -> Figure:
    """The latent space: each observation's mean of x in its cluster's colour, and each component of
    p(x | w = 0, z) as a star at its mean and an ellipse of two standard deviations, dashed where the
    component holds no observation.

    Where x has more than two dimensions, it is seen along the two in which its means vary most.
    """
    figure, axes = _axes(figure, "x", "latent space")
    centre, plane = _plane(shown.x)
    _scatter(axes, (shown.x - centre) @ plane, shown.clusters, len(shown.component_mean))
    means = (shown.component_mean - centre) @ plane
    for k, (mean, variance) in enumerate(zip(means, shown.component_variance, strict=True)):
        values, vectors = np.linalg.eigh(plane.T @ (variance[:, None] * plane))
        width, height = 4 * np.sqrt(values.clip(min=0))
        angle = np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))
        line = "-" if (shown.clusters == k).any() else "--"
        ellipse = Ellipse(mean, width, height, angle=angle, fill=False, linewidth=2, linestyle=line)
        ellipse.set_edgecolor(_colour(k, len(means)))
        axes.add_patch(ellipse)
    axes.plot(*means.T, "*", color="black", markersize=9, linestyle="none")
    return figure


def recon(shown: Snapshot, figure: Figure | None = None) -> Figure:
    """The observations in grey and, over them, their reconstructions in their clusters' colours.

    Where y has more than two dimensions, it is seen along the two in which it varies most.
    """
    figure, axes = _axes(figure, "y", "reconstructions")
    centre, plane = _plane(shown.y)
    axes.plot(*((shown.y - centre) @ plane).T, ".", color="0.82", markersize=4, label="data")
    flat = (shown.reconstruction - centre) @ plane
    _scatter(axes, flat, shown.clusters, len(shown.component_mean))
    return figure


def bound(history: History, figure: Figure | None = None) -> Figure:
    """The lower bound by epoch."""
    return _by_epoch(history, "elbo", "lower bound", figure)


def consistency(history: History, figure: Figure | None = None) -> Figure:
    """The consistency violation by epoch."""
    return _by_epoch(history, "consistency_violation", "consistency violation", figure)


OF_SNAPSHOT = {"latent": latent, "recon": recon}
OF_HISTORY = {"bound": bound, "consistency": consistency}


def _blank(figure: Figure | None, right: float) -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes. Their margins are fixed: matplotlib's automatic layouts
    take as long as all the drawing."""
    figure = figure or Figure(figsize=SIZE)
    figure.clear()
    figure.subplots_adjust(left=0.12, right=right, bottom=0.1, top=0.93)
    return figure, figure.add_subplot()


def _axes(figure: Figure | None, name: str, title: str) -> tuple[Figure, Axes]:
    figure, axes = _blank(figure, right=0.78)
    axes.set(title=title, xlabel=f"{name}$_1$", ylabel=f"{name}$_2$", aspect="equal")
    axes.set_adjustable("datalim")
    return figure, axes


def _scatter(axes: Axes, points: Array, clusters: NDArray[np.int64], n_clusters: int) -> None:
    for k in range(n_clusters):
        mine = points[clusters == k]
        if len(mine):
            label = f"cluster {k}: {len(mine) / len(points):.1%}"
            axes.plot(*mine.T, ".", color=_colour(k, n_clusters), markersize=3, label=label)
    axes.legend(fontsize="x-small", markerscale=3, loc="center left", bbox_to_anchor=(1, 0.5))


def _by_epoch(history: History, key: str, title: str, figure: Figure | None) -> Figure:
    figure, axes = _blank(figure, right=0.96)
    axes.plot([r["epoch"] for r in history], [r[key] for r in history])
    axes.set(title=title, xlabel="epoch", ylabel="nats per observation")
    axes.grid(alpha=0.3)
    return figure


def _plane(points: Array) -> tuple[Array, Array]:
    """A centre of shape (D,) and two orthonormal directions of shape (D, 2): those of greatest
    variance, or the axes themselves where D is at most 2."""
    size = points.shape[1]
    if size <= 2:
        return np.zeros(size), np.eye(size, 2)
    centre = points.mean(0)
    vectors = np.linalg.svd(points - centre, full_matrices=False)[2]
    return centre, vectors[:2].T


def _colour(k: int, n_clusters: int) -> Any:
    if n_clusters <= 10:
        return matplotlib.colormaps["tab10"](k)
    if n_clusters <= 20:
        return matplotlib.colormaps["tab20"](k)
    return matplotlib.colormaps["hsv"](k / n_clusters)
