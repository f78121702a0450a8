"""Draw matplotlib figures from a snapshot or a history, without the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from gmvae.assess.snapshot import PICTURES, STEPS, Snapshot
from gmvae.partition.stability import NEARLY, STABLE
from gmvae.show.colours import PALETTE, colour

History = Sequence[dict[str, Any]]
Array = NDArray[np.floating[Any]]
DIM = 0.2
"""Images whose numbers are all below this are in another unit, not shades from 0 to 1."""
SIZE = (7.0, 5.6)
DASHES = ("-", "--", "-.", ":")
TERMS = {
    "conditional prior": "conditional_prior",
    "w prior": "w_prior",
    "z prior": "z_prior",
    "consistency violation": "consistency_violation",
}
SCORES = {"acc": "accuracy", "acc_aae": "accuracy (AAE)", "nmi": "NMI", "ari": "ARI"}


def latent(shown: Snapshot, figure: Figure | None = None) -> Figure:
    """Draw the latent space.

    Each observation is a point at its mean of x, in the colour of its cluster. Each component of
    p(x | w = 0, z) is a star at its mean and an ellipse of two standard deviations, dashed if the component
    has no observations. If x has more than two dimensions, its first two principal components are shown.
    """
    figure, axes = _axes(figure, "x", "latent space; stars and ellipses: components at w = 0", shown.x)
    centre, plane = principal_plane(shown.x)
    _scatter(axes, (shown.x - centre) @ plane, shown.clusters, len(shown.component_mean))
    means = (shown.component_mean - centre) @ plane
    for k, (mean, variance) in enumerate(zip(means, shown.component_variance, strict=True)):
        values, vectors = np.linalg.eigh(plane.T @ (variance[:, None] * plane))
        width, height = 4 * np.sqrt(values.clip(min=0))
        angle = np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))
        line = "-" if (shown.clusters == k).any() else "--"
        ellipse = Ellipse(mean, width, height, angle=angle, fill=False, linewidth=2, linestyle=line)
        ellipse.set_edgecolor(colour(k))
        axes.add_patch(ellipse)
    axes.plot(*means.T, "*", color="black", markersize=9, linestyle="none")
    return figure


def recon(shown: Snapshot, figure: Figure | None = None) -> Figure:
    """Draw observations and their reconstructions.

    Images are above their reconstructions, sorted by cluster, with the number of the cluster on them. Points
    are grey, and their reconstructions have the colours of the clusters. If y has more than two dimensions,
    its first two principal components are shown.
    """
    if _of_images(shown):
        order = np.argsort(shown.y_clusters, kind="stable")
        columns = min(20, len(order))
        order = order[: len(order) // columns * columns]
        pairs = np.stack([shown.y[order], shown.reconstruction[order]])  # (2, R, size of y)
        rows = pairs.reshape(2, -1, columns, pairs.shape[-1]).swapaxes(0, 1)
        grid = rows.reshape(-1, columns, pairs.shape[-1])
        figure, (axes,) = _panels(figure, ["observations, and below each its reconstruction"], grid, shown)
        height, width = _tiles(axes, grid, shown.y_shape)
        for place, cluster in enumerate(shown.y_clusters[order]):
            row, column = divmod(place, columns)
            axes.text(column * width, 2 * row * height, cluster, color="gold", fontsize=6, va="top")
        axes.set(xticks=[], yticks=[])
        return figure
    figure, axes = _axes(figure, "y", "reconstructions", shown.y)
    centre, plane = principal_plane(shown.y)
    axes.plot(*((shown.y - centre) @ plane).T, ".", color="0.82", markersize=4, label="data")
    flat = (shown.reconstruction - centre) @ plane
    _scatter(axes, flat, shown.y_clusters, len(shown.component_mean))
    return figure


def samples(shown: Snapshot, figure: Figure | None = None) -> Figure:
    """Draw what each cluster generates: means of p(y | x) at samples of p(x | w, z), with w = 0 and w ~ p(w).

    Images have a row for each cluster; points have its colour. With more than two columns, the means of the
    columns are shown.
    """
    return _generated(shown, shown.samples, ["w = 0", "w ~ p(w)"], ".", figure)


def styles(shown: Snapshot, figure: Figure | None = None) -> Figure:
    """Draw the effect of w within each cluster: means of p(y | x) at the mean of p(x | w, z). One number of w
    goes from -3 to 3 and the others are 0, for the two numbers with the greatest effect.

    Images have a row for each cluster; points are joined by lines in its colour.
    """
    titles = [f"w$_{{{axis + 1}}}$ from {STEPS[0]:g} to {STEPS[-1]:g}" for axis in shown.style_axes]
    return _generated(shown, shown.styles, titles, ".-", figure)


def shares(shown: Snapshot, figure: Figure | None = None) -> Figure:
    """Draw the share of the observations in each cluster, and an equal share."""
    figure, axes = _blank(figure, right=0.96)
    clusters = len(shown.component_mean)
    held = np.bincount(shown.clusters, minlength=clusters) / len(shown.clusters)
    axes.bar(range(clusters), held, color=[colour(k) for k in range(clusters)])
    axes.axhline(1 / clusters, color="0.4", linestyle=":", label=f"equal shares, {1 / clusters:.1%}")
    axes.set(title="share of each cluster", xlabel="cluster", xlim=(-0.6, clusters - 0.4))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.legend()
    return figure


def bound(history: History, figure: Figure | None = None) -> Figure:
    """Draw the lower bound by epoch, on training data and, if there are any, on test data; also minus the
    loss on the rows that early stopping holds out."""
    lines = {"training data, mean over the epoch": "elbo", "test data, after it": "test_elbo"}
    if "validation_loss" in history[-1]:  # of early stopping
        history = [record | {"held_out": -record["validation_loss"]} for record in history]
        lines |= {"minus the loss of held-out rows": "held_out"}
    return _by_epoch(history, lines, "lower bound", "nats per observation", figure)


def terms(history: History, figure: Figure | None = None) -> Figure:
    """Draw the divergences of the bound, and the consistency violation, by epoch."""
    return _by_epoch(history, TERMS, "terms, means over the epoch", "nats per observation", figure)


def consistency(history: History, figure: Figure | None = None) -> Figure:
    """Draw the consistency violation by epoch."""
    lines = {"training data, mean over the epoch": "consistency_violation"}
    return _by_epoch(history, lines, "consistency violation", "nats per observation", figure)


def scores(history: History, figure: Figure | None = None) -> Figure:
    """Draw the agreement of clusters with labels by epoch: on test data, or without any on training data.

    Raises:
        ValueError: if the data have no labels.
    """
    prefix = "test_" if "test_acc" in history[-1] else ""
    if f"{prefix}acc" not in history[-1]:
        raise ValueError("scores compares clusters with labels, and there are none: look at shares instead")
    lines = {label: prefix + key for key, label in SCORES.items()}
    title = f"agreement with labels, {'test' if prefix else 'training'} data"
    return _by_epoch(history, lines, title, "score", figure)


def stability(choice: dict[str, Any], figure: Figure | None = None) -> Figure:
    """Draw the stability of each number of clusters that was tried, and mark the chosen one
    (:class:`gmvae.partition.stability.Choice` as JSON)."""
    figure, axes = _blank(figure, right=0.98)
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
    _legend_below(axes)
    return figure


def drawn(y: Array, clusters: NDArray[np.int64], y_shape: tuple[int, ...], n_clusters: int) -> Figure:
    """Draw observations that a model has generated, sorted by cluster: images in rows with the number of
    their cluster, or points in its colour. With more than two dimensions, the first two principal components
    are shown.

    Arguments:
        y: Shape (N, size of y).
        clusters: Shape (N,).
        y_shape: Shape of an observation.
        n_clusters: K.
    """
    if len(y_shape) < 3:
        figure, axes = _axes(None, "y", "samples", y)
        centre, plane = principal_plane(y)
        _scatter(axes, (y - centre) @ plane, clusters, n_clusters)
        return figure
    columns = min(20, int(np.ceil(np.sqrt(len(y)))))
    rows = -(-len(y) // columns)
    grid = np.ones((rows * columns, y.shape[1]))
    grid[: len(y)] = _shades(y)
    shape = np.array(y_shape)
    figure = Figure(figsize=(0.45 * columns + 0.2, 0.45 * rows * y_shape[1] / y_shape[2] + 0.2))
    axes = figure.add_axes((0, 0, 1, 1))
    height, width = _tiles(axes, grid.reshape(rows, columns, -1), shape)
    for place, cluster in enumerate(clusters):
        row, column = divmod(place, columns)
        axes.text(column * width, row * height, cluster, color="gold", fontsize=6, va="top")
    axes.set_axis_off()
    return figure


OF_SNAPSHOT = dict(zip(PICTURES, (latent, recon, samples, styles, shares), strict=True))
OF_HISTORY = {"bound": bound, "terms": terms, "consistency": consistency, "scores": scores}


def _blank(figure: Figure | None, right: float) -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes. The margins are fixed, since matplotlib's automatic layouts take
    as long as all the drawing."""
    figure = _empty(figure, SIZE)
    figure.subplots_adjust(left=0.12, right=right, bottom=0.1, top=0.93)
    return figure, figure.add_subplot()


def _empty(figure: Figure | None, size: tuple[float, float]) -> Figure:
    figure = figure or Figure(figsize=size)
    figure.clear()
    return figure


def _axes(figure: Figure | None, name: str, title: str, points: Array) -> tuple[Figure, Axes]:
    figure, axes = _blank(figure, right=0.78)
    first, second = _directions(name, points)
    axes.set(title=title, xlabel=first, ylabel=second, aspect="equal")
    axes.set_adjustable("datalim")
    return figure, axes


def _directions(name: str, points: Array) -> tuple[str, str]:
    """The labels of the axes of :func:`principal_plane`."""
    if points.shape[1] <= 2:
        return f"{name}$_1$", f"{name}$_2$"
    centre, plane = principal_plane(points)
    first, second = ((points - centre) @ plane).var(0) / max(points.var(0).sum(), 1e-12)
    direction = f"{name}, principal direction"
    return f"{direction} 1 ({first:.0%} of its variance)", f"{direction} 2 ({second:.0%} of its variance)"


def _panels(figure: Figure | None, titles: list[str], y: Array, shown: Snapshot) -> tuple[Figure, list[Axes]]:
    """Panels side by side, each for images of shape (rows, columns, size of y), or for points."""
    left, below, above, gap, height, aspect = 0.8, 0.6, 0.45, 0.7, 6.0, 1.0
    if _of_images(shown):
        rows, columns = y.shape[:2]
        left, gap = 0.5, 0.5
        height = float(np.clip(0.42 * rows, 1.5, 16))
        aspect = columns * shown.y_shape[2] / (rows * shown.y_shape[1])
    inner = float(np.clip(height * aspect, 3, 14 / len(titles)))
    width = left + len(titles) * inner + (len(titles) - 1) * gap + 0.1
    figure = _empty(figure, (width, below + height + above))
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


def _generated(shown: Snapshot, y: Array, titles: list[str], marks: str, figure: Figure | None) -> Figure:
    """Two panels of y of shape (2, K, columns, size of y); points are drawn with ``marks``."""
    clusters = y.shape[1]
    if _of_images(shown):
        figure, panels = _panels(figure, titles, y[0], shown)
        held = np.bincount(shown.clusters, minlength=clusters)
        for axes, tiles in zip(panels, y, strict=True):
            height, _ = _tiles(axes, tiles, shown.y_shape)
            axes.set(xticks=[], yticks=(np.arange(clusters) + 0.5) * height - 0.5)
            axes.set_yticklabels([str(k) if held[k] else f"({k})" for k in range(clusters)])
            axes.tick_params(length=0, labelsize=min(10, 300 / clusters))
        figure.text(0.5, 0.02, "rows: clusters; in brackets those without data", ha="center")
        return figure
    if y.shape[-1] > 2:
        return _profiles(shown, y, titles, figure)
    figure, panels = _panels(figure, titles, y[0], shown)
    first, second = _directions("y", shown.y)
    centre, plane = principal_plane(shown.y)
    for axes, drawn in zip(panels, y, strict=True):
        axes.plot(*((shown.y - centre) @ plane).T, ".", color="0.82", markersize=3)
        for k in range(clusters):
            if (shown.clusters == k).any():
                axes.plot(*((drawn[k] - centre) @ plane).T, marks, color=colour(k))
        axes.set(xlabel=first, ylabel=second, aspect="equal", adjustable="datalim")
    return figure


def _profiles(shown: Snapshot, y: Array, titles: list[str], figure: Figure | None) -> Figure:
    """Draw the mean of each column of generated observations, y of shape (2, K, columns, size of y), in
    standard deviations of the column from its mean in the data; a row for each cluster in use."""
    figure, panels = _panels(figure, titles, y[0], shown)
    used = np.unique(shown.clusters)
    spread = np.where(shown.y.std(0) > 0, shown.y.std(0), 1)
    for axes, generated in zip(panels, y, strict=True):
        means = (generated[used].mean(1) - shown.y.mean(0)) / spread
        image = axes.imshow(means, cmap="PuOr", vmin=-2, vmax=2, aspect="auto", interpolation="nearest")
        axes.set(yticks=range(len(used)), yticklabels=used.tolist(), xlabel="column", ylabel="cluster")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.colorbar(image, ax=panels, label="standard deviations from the mean of the data")
    return figure


def _of_images(shown: Snapshot) -> bool:
    return len(shown.y_shape) == 3


def _tiles(axes: Axes, y: Array, y_shape: NDArray[np.int64]) -> tuple[int, int]:
    """Draw images of shape (rows, columns, size of y) as one, and return the height and width of each. Images
    without three channels are drawn in grey, as the mean of their channels."""
    rows, columns = y.shape[:2]
    channels, height, width = (int(size) for size in y_shape)
    whole = y.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    whole = _shades(whole.reshape(rows * height, columns * width, channels))
    axes.imshow(whole if channels == 3 else whole.mean(-1), cmap="gray", vmin=0, vmax=1)
    return height, width


def _shades(y: Array) -> Array:
    """Convert the numbers of images to shades in [0, 1]. Numbers slightly outside, as from Gaussian noise,
    are clipped. Numbers in another unit, such as standard deviations or thousandths, are scaled from their
    5th to their 95th percentile."""
    low, high = np.percentile(y, (5, 95))
    if low < -0.5 or high > 1.5 or y.max() < DIM:
        if low == high:
            low, high = y.min(), y.max()
        y = (y - low) / (high - low or 1.0)
    return y.clip(0, 1)


def middle(points: Array) -> tuple[float, float]:
    """The one of some points, (n, 2), that is nearest to their median in each coordinate. A number there is
    on its cluster, even if the median is in a gap, or within another cluster."""
    a, b = points[np.square(points - np.median(points, 0)).sum(1).argmin()].tolist()
    return a, b


def _scatter(axes: Axes, points: Array, clusters: NDArray[np.int64], n_clusters: int) -> None:
    for k in range(n_clusters):
        mine = points[clusters == k]
        if len(mine):
            label = f"cluster {k}: {len(mine) / len(points):.1%}"
            axes.plot(*mine.T, ".", color=colour(k), markersize=3, label=label)
            spot = axes.annotate(str(k), middle(mine), ha="center", va="center", weight="bold")
            spot.set_path_effects([withStroke(linewidth=3, foreground="white")])
    axes.legend(fontsize="x-small", markerscale=3, loc="center left", bbox_to_anchor=(1, 0.5))


def _by_epoch(
    history: History, lines: dict[str, str], title: str, unit: str, figure: Figure | None
) -> Figure:
    figure, axes = _blank(figure, right=0.96)
    there = {label: key for label, key in lines.items() if key in history[-1]}
    for place, (label, key) in enumerate(there.items()):
        style: dict[str, Any] = {"color": PALETTE[place], "linestyle": DASHES[place % len(DASHES)]}
        style["marker"] = "." if len(history) < 20 else ""
        shown = [record for record in history if key in record]
        axes.plot([r["epoch"] for r in shown], [r[key] for r in shown], label=label, **style)
    axes.set(title=title, xlabel="epoch", ylabel=unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    if len(there) > 1:
        _legend_below(axes)
    return figure


def _legend_below(axes: Axes) -> None:
    """Put the legend below the axes, away from the lines."""
    axes.figure.subplots_adjust(bottom=0.22)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False)


def principal_plane(points: Array) -> tuple[Array, Array]:
    """A centre of shape (D,) and two orthonormal directions of shape (D, 2): those of greatest variance, or
    the axes themselves if D is at most 2."""
    size = points.shape[1]
    if size <= 2:
        return np.zeros(size), np.eye(size, 2)
    centre = points.mean(0)
    vectors = np.linalg.svd(points - centre, full_matrices=False)[2]
    return centre, vectors[:2].T
