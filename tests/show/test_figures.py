"""Pictures are right: everything that is drawn is read back."""

import matplotlib.colors
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from gmvae.assess.shown import SAMPLES, STEPS, Snapshot
from gmvae.partition.relabelling import Relabelling
from gmvae.partition.split import Split
from gmvae.show import figures
from gmvae.show.colours import colour
from gmvae.show.naming import Naming
from gmvae.show.run_figures import divided


def shown(x_size: int = 2, count: int = 40, y_size: int = 5) -> Snapshot:
    """Points in clusters 0, 1 and 2 of four."""
    rng = np.random.default_rng(0)
    return Snapshot(
        y_shape=np.array([y_size]),
        y=rng.normal(size=(count, y_size)).astype(np.float32),
        reconstruction=rng.normal(size=(count, y_size)).astype(np.float32),
        x=(rng.normal(size=(count, x_size)) * np.arange(x_size, 0, -1)).astype(np.float32),
        clusters=np.arange(count) % 3,
        y_clusters=np.arange(count) % 3,
        component_mean=rng.normal(size=(4, x_size)).astype(np.float32),
        component_variance=np.tile(np.linspace(4, 1, x_size, dtype=np.float32), (4, 1)),
        samples=rng.normal(size=(2, 4, SAMPLES, y_size)).astype(np.float32),
        styles=rng.normal(size=(2, 4, len(STEPS), y_size)).astype(np.float32),
        style_axes=np.array([4, 1]),
    )


def shown_images(channels: int = 1, count: int = 45) -> Snapshot:
    """Images of 2 x 3 in clusters 0, 1 and 3 of four; no two are alike."""
    rng = np.random.default_rng(0)
    size = channels * 6
    return Snapshot(
        y_shape=np.array([channels, 2, 3]),
        y=rng.random((count, size), dtype=np.float32),
        reconstruction=rng.random((count, size), dtype=np.float32),
        x=rng.normal(size=(90, 2)).astype(np.float32),
        clusters=np.array([3, 0, 1])[np.arange(90) % 3],
        y_clusters=np.array([3, 0, 1])[np.arange(count) % 3],
        component_mean=rng.normal(size=(4, 2)).astype(np.float32),
        component_variance=np.ones((4, 2), dtype=np.float32),
        samples=rng.random((2, 4, SAMPLES, size), dtype=np.float32),
        styles=rng.random((2, 4, len(STEPS), size), dtype=np.float32),
        style_axes=np.array([4, 1]),
    )


def tile(axes, row: int, column: int) -> np.ndarray:
    """The pixels of an image in a grid of images of 2 x 3."""
    return np.asarray(axes.images[0].get_array())[2 * row : 2 * row + 2, 3 * column : 3 * column + 3]


def pixels(y: np.ndarray, channels: int) -> np.ndarray:
    """The expected look of an image: grey for one channel, the mean of two, or the colour of three."""
    planes = y.reshape(channels, 2, 3)
    if channels == 3:
        return np.dstack([planes[0], planes[1], planes[2]])
    return planes[0] if channels == 1 else (planes[0] + planes[1]) / 2


# ---- the latent space


def test_ellipses_are_of_two_standard_deviations():
    axes = figures.latent(shown()).axes[0]
    ellipses = [patch for patch in axes.patches if isinstance(patch, Ellipse)]
    assert [ellipse.get_linestyle() for ellipse in ellipses] == ["-", "-", "-", "--"]  # cluster 3 is empty
    for ellipse, mean in zip(ellipses, shown().component_mean, strict=True):
        np.testing.assert_allclose(ellipse.center, mean)
        # variances 4 and 1 along the axes: half-axes of 4 and 2
        corners = ellipse.get_transform().transform_path(ellipse.get_path())
        extent = axes.transData.inverted().transform(corners.vertices).max(0) - mean
        np.testing.assert_allclose(extent, [4, 2], rtol=1e-3)


def test_points_are_drawn_in_their_clusters_colours():
    axes = figures.latent(shown()).axes[0]
    by_label = {line.get_label().split(":")[0]: line for line in axes.lines}
    for k in range(3):
        line = by_label[f"cluster {k}"]
        np.testing.assert_allclose(line.get_xydata(), shown().x[shown().clusters == k])
    assert "cluster 3" not in by_label
    assert len({line.get_color() for name, line in by_label.items() if name.startswith("cluster")}) == 3


@pytest.mark.parametrize("x_size", [1, 3, 6])
def test_other_sizes_of_x_are_shown_along_principal_components(x_size):
    s = shown(x_size, count=2000)
    axes = figures.latent(s).axes[0]
    points = np.concatenate([line.get_xydata() for line in axes.lines if "cluster" in line.get_label()])
    values = np.linalg.eigvalsh(np.cov(s.x.T, bias=True).reshape(x_size, x_size))[::-1]
    np.testing.assert_allclose(points.var(0), [*values, 0][:2], rtol=1e-4, atol=1e-6)


def test_each_cluster_has_its_number_in_the_middle_of_its_points():
    s = shown()
    numbers = {text.get_text(): text.xy for text in figures.latent(s).axes[0].texts}
    assert numbers.keys() == {"0", "1", "2"}
    for k in range(3):
        mine = s.x[s.clusters == k]
        far = np.linalg.norm(mine - np.median(mine, 0), axis=1)
        assert np.linalg.norm(numbers[str(k)] - np.median(mine, 0)) == pytest.approx(far.min())
        assert (mine == numbers[str(k)]).all(1).any()


def test_the_number_of_a_ring_is_on_the_ring():
    angle = np.linspace(0, 6, 50)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    assert np.linalg.norm(np.median(ring, 0)) < 0.2
    np.testing.assert_allclose(np.linalg.norm(figures.middle(ring)), 1.0)


# ---- images


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_each_reconstruction_is_below_its_image_and_clusters_are_together(channels):
    s = shown_images(channels)
    axes = figures.recon(s).axes[0]
    assert np.asarray(axes.images[0].get_array()).shape[:2] == (
        4 * 2,
        20 * 3,
    )  # 40 of 45, in two rows of pairs
    assert axes.images[0].get_clim() == (0, 1)
    sorted_ones = [i for k in range(4) for i in range(45) if s.y_clusters[i] == k]
    for place, i in enumerate(sorted_ones[:40]):
        row, column = 2 * (place // 20), place % 20
        np.testing.assert_allclose(tile(axes, row, column), pixels(s.y[i], channels), rtol=1e-6)
        below = pixels(s.reconstruction[i], channels)
        np.testing.assert_allclose(tile(axes, row + 1, column), below, rtol=1e-6)


def test_few_images_make_one_row():
    s = shown_images(count=7)
    axes = figures.recon(s).axes[0]
    assert np.asarray(axes.images[0].get_array()).shape == (2 * 2, 7 * 3)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("name", ["samples", "styles"])
def test_each_cluster_has_a_row_of_what_it_generates(name, channels):
    s = shown_images(channels)
    figure = figures.OF_SNAPSHOT[name](s)
    generated = getattr(s, name)
    assert len(figure.axes) == 2
    for panel, axes in enumerate(figure.axes):
        for k, column in np.ndindex(generated.shape[1:3]):
            expected = pixels(generated[panel, k, column], channels)
            np.testing.assert_allclose(tile(axes, k, column), expected, rtol=1e-6)
        names = ["0", "1", "(2)", "3"] if not panel else ["", "", "", ""]  # beside the first panel only
        assert [label.get_text() for label in axes.get_yticklabels()] == names
        np.testing.assert_allclose(
            axes.get_yticks(), [0.5, 2.5, 4.5, 6.5]
        )  # the middles of rows of two pixels


def test_colours_beyond_the_scale_are_cut_off():
    s = shown_images(1)
    s.samples[0, 0, 0] = [-3, 0, 0.5, 1, 2, 7]
    np.testing.assert_allclose(tile(figures.samples(s).axes[0], 0, 0), [[0, 0, 0.5], [1, 1, 1]])


# ---- points


def test_points_lie_above_the_data_in_their_clusters_colours():
    s = shown(y_size=2)
    axes = figures.recon(s).axes[0]
    data, *clusters = axes.lines
    np.testing.assert_allclose(data.get_xydata(), s.y)
    for k, line in enumerate(clusters):
        np.testing.assert_allclose(line.get_xydata(), s.reconstruction[s.y_clusters == k])
        assert line.get_color() == colour(k)
    assert len(clusters) == 3


@pytest.mark.parametrize("name", ["samples", "styles"])
def test_what_clusters_of_points_generate_is_drawn_over_the_data(name):
    s = shown(y_size=2)
    figure = figures.OF_SNAPSHOT[name](s)
    for axes, generated in zip(figure.axes, getattr(s, name), strict=True):
        data, *clusters = axes.lines
        np.testing.assert_allclose(data.get_xydata(), s.y)
        for k, line in enumerate(clusters):  # cluster 3 holds no point
            np.testing.assert_allclose(line.get_xydata(), generated[k])
            assert line.get_color() == colour(k)
        assert len(clusters) == 3


@pytest.mark.parametrize("s", [shown(y_size=2), shown_images()])
def test_titles_name_the_places_in_w(s):
    assert [axes.get_title() for axes in figures.samples(s).axes] == ["typical (w = 0)", "varied (w ~ p(w))"]
    titles = [axes.get_title() for axes in figures.styles(s).axes]
    assert titles == ["w$_{5}$ from -3 to 3", "w$_{2}$ from -3 to 3"]  # counted from 1


@pytest.mark.parametrize("name", ["samples", "styles"])
def test_what_clusters_of_a_table_generate_is_drawn_by_column(name):
    s = shown(y_size=25)
    columns = tuple(f"c{d}" for d in range(25))
    drawn = figures.OF_SNAPSHOT[name](s, None, Naming(4, columns)).axes
    generated = getattr(s, name)[:, :3]  # cluster 3 holds no row
    if name == "samples":
        expected = (generated.mean(2) - s.y.mean(0)) / s.y.std(0)
    else:
        expected = (generated[:, :, -1] - generated[:, :, 0]) / s.y.std(0)
    order = np.argsort(-abs(expected).max((0, 1)))[:20]
    assert [label.get_text() for label in drawn[0].get_yticklabels()] == [f"c{d}" for d in order]
    for axes, values in zip(drawn, expected, strict=False):
        np.testing.assert_allclose(axes.images[0].get_array(), values.T[order], rtol=1e-5)
        assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "2"]
        texts = [text.get_text() for text in axes.texts]
        numbers = np.array(texts, dtype=float).reshape(20, 3)
        np.testing.assert_allclose(numbers, values.T[order], atol=0.0501)


# ---- names and merges


NAMED = Naming(4, (), Relabelling({1: "left", 3: "right"}, ((0, 2), (1, 3))))


def test_merged_clusters_have_one_colour_and_one_name():
    s = shown()
    axes = figures.latent(s, None, NAMED).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert [label.split(":")[0] for label in lines] == ["cluster 0", "cluster 1 · left"]
    np.testing.assert_allclose(axes.lines[0].get_xydata(), s.x[s.clusters % 2 == 0])  # 0 and 2
    assert {text.get_text() for text in axes.texts} == {"0", "1 · left"}
    edges = [patch.get_edgecolor() for patch in axes.patches]
    assert edges == [matplotlib.colors.to_rgba(colour(k)) for k in (0, 1, 0, 1)]
    assert [patch.get_linestyle() for patch in axes.patches] == ["-", "-", "-", "--"]  # of the components
    np.testing.assert_allclose(axes.collections[0].get_facecolors(), edges)
    stars = axes.collections[0].get_zorder()  # above the points, and below the numbers
    assert max(line.get_zorder() for line in axes.lines) < stars < min(t.get_zorder() for t in axes.texts)


def test_bars_are_those_of_merged_clusters():
    axes = figures.shares(shown(count=40), None, NAMED).axes[0]
    assert [bar.get_height() * 40 for bar in axes.patches] == pytest.approx([27, 13])
    assert axes.lines[0].get_ydata() == pytest.approx([0.5, 0.5])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1 · left"]


def test_merged_clusters_generate_from_all_their_components():
    s = shown_images()
    axes = figures.samples(s, None, NAMED).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "1 · left"]
    for row, members in enumerate(((0, 2), (1, 3))):
        for place in range(SAMPLES):
            expected = s.samples[0, members[place % 2], place // 2]
            np.testing.assert_allclose(tile(axes, row, place), pixels(expected, 1), rtol=1e-6)
    axes = figures.styles(s, None, NAMED).axes[0]
    for row in range(2):
        np.testing.assert_allclose(tile(axes, row, 3), pixels(s.styles[0, row, 3], 1), rtol=1e-6)


def test_parts_of_a_split_cluster_have_a_colour_and_a_share_of_their_own():
    s = shown(count=90)
    edits = Relabelling({4: "right"}, (), (Split(1, (50.0, 0.0), 0.0, 0.5),))
    parts, naming = divided(s, edits), Naming(4, (), edits)
    moved = (s.clusters == 1) & (s.x[:, 0] > 0)
    assert 5 < moved.sum() < 25
    np.testing.assert_array_equal(parts.clusters, np.where(moved, 4, s.clusters))
    axes = figures.latent(parts, None, naming).axes[0]
    last = next(line for line in axes.lines if line.get_label().startswith("cluster 4 · right"))
    np.testing.assert_allclose(last.get_xydata(), s.x[moved])
    assert len(axes.patches) == 4  # the components are those of the model
    bars = figures.shares(parts, None, naming).axes[0].patches
    assert [bar.get_height() * 90 for bar in bars] == pytest.approx(
        [30, 30 - moved.sum(), 30, 0, moved.sum()]
    )
    images = shown_images(count=45)  # every second row of images is in the pictures
    again = divided(images, Relabelling({}, (), (Split(0, (0.0, 50.0), 0.0, 0.5),)))
    moved = (images.y_clusters == 0) & (images.x[::2, 1] > 0)
    np.testing.assert_array_equal(again.y_clusters, np.where(moved, 4, images.y_clusters))


def test_images_have_the_numbers_of_merged_clusters():
    s = shown_images()
    axes = figures.recon(s, None, NAMED).axes[0]
    merged = np.sort(s.y_clusters % 2)[:40]
    assert [int(text.get_text()) for text in axes.texts] == merged.tolist()


def test_numbers_of_clusters_in_one_place_are_apart():
    rng = np.random.default_rng(0)
    points, clusters = rng.normal(size=(3000, 2)), np.arange(3000) % 6
    figure = Figure(figsize=(7, 5.6))
    axes = figure.add_subplot()
    axes.plot(*points.T, ".")
    figures.number_clusters(axes, points, clusters, {k: str(k) for k in range(6)})
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    for text in axes.texts:
        mine = points[clusters == int(text.get_text())]
        assert (mine == text.xy).all(1).any()


# ---- shares


def test_bars_are_the_shares_of_observations():
    s = shown(count=40)
    axes = figures.shares(s).axes[0]
    assert [bar.get_height() * 40 for bar in axes.patches] == pytest.approx([14, 13, 13, 0])
    assert [bar.get_x() + bar.get_width() / 2 for bar in axes.patches] == pytest.approx([0, 1, 2, 3])
    assert axes.lines[0].get_ydata() == pytest.approx([0.25, 0.25])
    assert [bar.get_facecolor() for bar in axes.patches] == [
        matplotlib.colors.to_rgba(colour(k)) for k in range(4)
    ]


# ---- live


def rendered(figure: Figure) -> np.ndarray:
    figure.set_dpi(40)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


@pytest.mark.slow
@pytest.mark.parametrize("name", figures.OF_SNAPSHOT)
def test_every_picture_can_be_drawn_again_on_a_figure(name):
    """As in a window that follows a run: earlier content leaves no trace."""
    for content in (shown(y_size=2), shown(), shown_images(3)):
        fresh, used = Figure(figsize=(7, 5)), Figure(figsize=(7, 5))
        figures.styles(shown_images(), used)
        assert figures.OF_SNAPSHOT[name](content, used) is used
        assert figures.OF_SNAPSHOT[name](content, fresh) is fresh
        once = rendered(fresh)
        np.testing.assert_array_equal(rendered(used), once)
        figures.OF_SNAPSHOT[name](content, used)
        np.testing.assert_array_equal(rendered(used), once)
        assert once[..., :3].std() > 5
