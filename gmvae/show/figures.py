"""Draw matplotlib figures from a snapshot, without the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from gmvae.assess.shown import PICTURES, STEPS, Snapshot
from gmvae.show.canvas import blank, empty
from gmvae.show.colours import colour
from gmvae.show.heat import heat, moved, scaled, slanted
from gmvae.show.naming import Naming
from gmvae.show.tiles import draw_tiles, image_panels, number_tiles, rows_of_images, shades

Array = NDArray[np.floating[Any]]
TICKS = 30
"""Maximum number of clusters that are named below bars."""
UNIT = "standard deviations from the mean of the data"
MOVED = "change from one end to the other, standard deviations"


def latent(shown: Snapshot, figure: Figure | None = None, naming: Naming | None = None) -> Figure:
    """Draw the latent space.

    Each observation is a point at its mean of x, in the colour of its cluster. Each component of
    p(x | w = 0, z) is a star at its mean and an ellipse of two standard deviations, dashed if the component
    has no observations. If x has more than two dimensions, its first two principal components are shown.
    Merged clusters keep their components, in the colour of the merged cluster.
    """
    naming = naming or of_shown(shown)
    title = "latent space; stars and ellipses: components at w = 0"
    figure, axes = _axes(figure, _directions("x", shown.x), title)
    centre, plane = principal_plane(shown.x)
    _scatter(axes, (shown.x - centre) @ plane, shown.clusters, naming)
    means = (shown.component_mean - centre) @ plane
    for k, (mean, variance) in enumerate(zip(means, shown.component_variance, strict=True)):
        values, vectors = np.linalg.eigh(plane.T @ (variance[:, None] * plane))
        width, height = 4 * np.sqrt(values.clip(min=0))
        angle = np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))
        line = "-" if (shown.clusters == k).any() else "--"
        ellipse = Ellipse(mean, width, height, angle=angle, fill=False, linewidth=2, linestyle=line)
        ellipse.set_edgecolor(colour(naming.groups[k]))
        axes.add_patch(ellipse)
    colours = [colour(k) for k in naming.groups[: len(means)]]
    axes.scatter(
        means[:, 0], means[:, 1], s=90, c=colours, marker="*", edgecolors="black", linewidths=0.8, zorder=2.5
    )
    return figure


def recon(shown: Snapshot, figure: Figure | None = None, naming: Naming | None = None) -> Figure:
    """Draw observations and their reconstructions.

    Images are above their reconstructions, sorted by cluster, with the number of the cluster on them. Points
    are grey, and their reconstructions have the colours of the clusters. If y has more than two dimensions,
    its first two principal components are shown.
    """
    naming = naming or of_shown(shown)
    if _of_images(shown):
        clusters = naming.groups[shown.y_clusters]
        order = np.argsort(clusters, kind="stable")
        columns = min(20, len(order))
        order = order[: len(order) // columns * columns]
        pairs = np.stack([shown.y[order], shown.reconstruction[order]])  # (2, R, size of y)
        rows = pairs.reshape(2, -1, columns, pairs.shape[-1]).swapaxes(0, 1)
        grid = rows.reshape(-1, columns, pairs.shape[-1])
        title = ["observations, and below each its reconstruction"]
        figure, (axes,) = image_panels(title, *grid.shape[:2], shown.y_shape.tolist(), 0.1, figure)
        height, width = draw_tiles(axes, grid, shown.y_shape.tolist())
        number_tiles(axes, clusters[order], columns, (2 * height, width))
        axes.set(xticks=[], yticks=[])
        return figure
    figure, axes = _axes(figure, _directions("y", shown.y, naming), "reconstructions")
    centre, plane = principal_plane(shown.y)
    axes.plot(*((shown.y - centre) @ plane).T, ".", color="0.82", markersize=4, label="data")
    _scatter(axes, (shown.reconstruction - centre) @ plane, shown.y_clusters, naming)
    return figure


def samples(shown: Snapshot, figure: Figure | None = None, naming: Naming | None = None) -> Figure:
    """Draw what each cluster generates: means of p(y | x) at samples of p(x | w, z), with w = 0 and w ~ p(w).

    Images have a row for each cluster; points have its colour. With more than two columns, the means of the
    columns are shown.
    """
    naming = naming or of_shown(shown)
    y, titles = naming.mixed(shown.samples), ["typical (w = 0)", "varied (w ~ p(w))"]
    if not _of_images(shown) and y.shape[-1] > 2:
        return _profiles(shown, scaled(y.mean(-2), shown.y), titles, UNIT, figure, naming)
    return _generated(shown, y, titles, ".", figure, naming)


def styles(shown: Snapshot, figure: Figure | None = None, naming: Naming | None = None) -> Figure:
    """Draw the effect of w within each cluster: means of p(y | x) at the mean of p(x | w, z). One number of w
    goes from -3 to 3 and the others are 0, for the two numbers with the greatest effect.

    Images have a row for each cluster; points are joined by lines in its colour. With more than two columns,
    the change of each column is shown. Of merged clusters, those of the first are shown.
    """
    naming = naming or of_shown(shown)
    y = shown.styles[:, naming.numbers]
    titles = [f"w$_{{{axis + 1}}}$ from {STEPS[0]:g} to {STEPS[-1]:g}" for axis in shown.style_axes]
    if not _of_images(shown) and y.shape[-1] > 2:
        return _profiles(shown, moved(y, shown.y), titles, MOVED, figure, naming)
    return _generated(shown, y, titles, ".-", figure, naming)


def shares(shown: Snapshot, figure: Figure | None = None, naming: Naming | None = None) -> Figure:
    """Draw the share of the observations in each cluster, and an equal share."""
    naming = naming or of_shown(shown)
    figure, axes = blank(figure, right=0.96)
    numbers = naming.numbers
    held = np.bincount(naming.groups[shown.clusters], minlength=len(naming.groups))[numbers]
    axes.bar(range(len(numbers)), held / len(shown.clusters), color=[colour(k) for k in numbers])
    equal = 1 / len(numbers)
    axes.axhline(equal, color="0.4", linestyle=":", label=f"equal shares, {equal:.1%}")
    axes.set(title="share of each cluster", xlabel="cluster", xlim=(-0.6, len(numbers) - 0.4))
    step, names = -(-len(numbers) // TICKS), [naming.called(k) for k in numbers]
    axes.set_xticks(range(0, len(numbers), step), names[::step])
    if slanted(names):
        figure.subplots_adjust(bottom=0.14 + 0.01 * max(map(len, names)))
        axes.set_xticks(axes.get_xticks(), names[::step], rotation=45, ha="right", rotation_mode="anchor")
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, borderaxespad=0.2)
    axes.set_title(axes.get_title(), loc="left")
    axes.set_title("")
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
        figure, axes = _axes(None, _directions("y", y), "samples")
        centre, plane = principal_plane(y)
        _scatter(axes, (y - centre) @ plane, clusters, Naming(n_clusters))
        return figure
    columns = min(20, int(np.ceil(np.sqrt(len(y)))))
    rows = -(-len(y) // columns)
    grid = np.ones((rows * columns, y.shape[1]))
    grid[: len(y)] = shades(y)
    figure = Figure(figsize=(0.45 * columns + 0.2, 0.45 * rows * y_shape[1] / y_shape[2] + 0.2))
    axes = figure.add_axes((0, 0, 1, 1))
    size = draw_tiles(axes, grid.reshape(rows, columns, -1), y_shape)
    number_tiles(axes, clusters, columns, size)
    axes.set_axis_off()
    return figure


OF_SNAPSHOT: dict[str, Callable[[Snapshot, Figure | None, Naming | None], Figure]] = dict(
    zip(PICTURES, (latent, recon, samples, styles, shares), strict=True)
)


def of_shown(shown: Snapshot) -> Naming:
    """The numbers of the clusters of a snapshot, without names."""
    return Naming(len(shown.component_mean))


def _axes(figure: Figure | None, directions: tuple[str, str], title: str) -> tuple[Figure, Axes]:
    figure, axes = blank(figure, right=0.78)
    axes.set(title=title, xlabel=directions[0], ylabel=directions[1], aspect="equal")
    axes.set_adjustable("datalim")
    return figure, axes


def _directions(name: str, points: Array, naming: Naming | None = None) -> tuple[str, str]:
    """The labels of the axes of :func:`principal_plane`."""
    size = points.shape[1]
    if size == 2 and naming is not None and naming.columns:
        return naming.column(0), naming.column(1)
    if size <= 2:
        return f"{name}$_1$", f"{name}$_2$"
    centre, plane = principal_plane(points)
    first, second = ((points - centre) @ plane).var(0) / max(points.var(0).sum(), 1e-12)
    direction = f"{name}, principal direction"
    return f"{direction} 1 ({first:.0%} of its variance)", f"{direction} 2 ({second:.0%} of its variance)"


def _generated(
    shown: Snapshot, y: Array, titles: list[str], marks: str, figure: Figure | None, naming: Naming
) -> Figure:
    """Two panels of y of shape (2, clusters, columns, size of y); points are drawn with ``marks``."""
    held = np.bincount(naming.groups[shown.clusters], minlength=len(naming.groups))
    if _of_images(shown):
        names = [naming.called(k) if held[k] else f"({naming.called(k)})" for k in naming.numbers]
        figure = rows_of_images(y, shown.y_shape.tolist(), names, titles, figure)
        if not held[naming.numbers].all():
            figure.axes[0].set_ylabel("cluster; in brackets those without data")
        return figure
    figure = empty(figure, (10.0, 5.2))
    figure.subplots_adjust(left=0.08, right=0.99, bottom=0.11, top=0.93, wspace=0.2)
    first, second = _directions("y", shown.y, naming)
    centre, plane = principal_plane(shown.y)
    for axes, title, drawn in zip(figure.subplots(1, 2), titles, y, strict=True):
        axes.plot(*((shown.y - centre) @ plane).T, ".", color="0.82", markersize=3)
        for k, points in zip(naming.numbers, drawn, strict=True):
            if held[k]:
                flat = (points - centre) @ plane
                axes.plot(*flat.T, marks, color=colour(k))
                _number(axes, naming.called(k), flat[-1] if marks == ".-" else middle(flat))
        axes.set(title=title, xlabel=first, ylabel=second, aspect="equal", adjustable="datalim")
    return figure


def _profiles(
    shown: Snapshot, values: Array, titles: list[str], label: str, figure: Figure | None, naming: Naming
) -> Figure:
    """Draw panels of numbers of clusters and columns, (2, clusters, D), of the clusters in use."""
    used = np.unique(naming.groups[shown.clusters]).tolist()
    columns = [naming.column(d) for d in range(values.shape[-1])]
    names = [naming.called(k) for k in used]
    return heat(values[:, np.searchsorted(naming.numbers, used)], columns, names, titles, label, 2.0, figure)


def _of_images(shown: Snapshot) -> bool:
    return len(shown.y_shape) == 3


def middle(points: Array) -> tuple[float, float]:
    """The one of some points, (n, 2), that is nearest to their median in each coordinate. A number there is
    on its cluster, even if the median is in a gap, or within another cluster."""
    a, b = points[np.square(points - np.median(points, 0)).sum(1).argmin()].tolist()
    return a, b


def number_clusters(axes: Axes, points: Array, clusters: NDArray[np.int64], names: dict[int, str]) -> None:
    """Write the name of each cluster at one of its points: at its :func:`middle` or, if another name is
    there, at the nearest of its inner points where none is."""
    reach = np.maximum(np.ptp(points, axis=0), 1e-12)
    placed: list[tuple[Array, int]] = []
    for k in sorted(names, key=lambda k: -(clusters == k).sum()):
        mine = points[clusters == k]
        if not len(mine):
            continue
        far = np.square(mine - np.median(mine, 0)).sum(1)
        inner = mine[np.argsort(far, kind="stable")[: -(-len(mine) // 2)]]
        free = np.ones(len(inner), dtype=bool)
        for spot, length in placed:
            room = np.array([0.009 * (length + len(names[k])) + 0.01, 0.045])
            free &= (abs(inner - spot) > room * reach).any(1)
        spot = inner[free.argmax()]  # the first free one, or the first
        placed.append((spot, len(names[k])))
        _number(axes, names[k], spot)


def _number(axes: Axes, name: str, spot: Any) -> None:
    text = axes.annotate(name, (float(spot[0]), float(spot[1])), ha="center", va="center", weight="bold")
    text.set_path_effects([withStroke(linewidth=3, foreground="white")])


def _scatter(axes: Axes, points: Array, components: NDArray[np.int64], naming: Naming) -> None:
    clusters, names = naming.groups[components], {k: naming.called(k) for k in naming.numbers}
    for k, name in names.items():
        mine = points[clusters == k]
        if len(mine):
            label = f"cluster {name}: {len(mine) / len(points):.1%}"
            axes.plot(*mine.T, ".", color=colour(k), markersize=3, label=label)
    number_clusters(axes, points, clusters, names)
    axes.legend(fontsize="x-small", markerscale=3, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    longest = max(map(len, names.values()))
    if longest > 4:  # room for names in the legend
        axes.figure.subplots_adjust(right=max(0.55, 0.78 - 0.0085 * longest))


def principal_plane(points: Array) -> tuple[Array, Array]:
    """A centre of shape (D,) and two orthonormal directions of shape (D, 2): those of greatest variance, or
    the axes themselves if D is at most 2."""
    size = points.shape[1]
    if size <= 2:
        return np.zeros(size), np.eye(size, 2)
    centre = points.mean(0)
    vectors = np.linalg.svd(points - centre, full_matrices=False)[2]
    return centre, vectors[:2].T
