"""Figures for print show the right numbers."""

from dataclasses import replace

import numpy as np
import pytest
from commands import bad, here
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from small_fits import taught, three_blobs

from gmvae import GMVAE
from gmvae.show.portraits import OF_CONTENT
from gmvae.show.run_figures import draw_on, rows_resampled
from gmvae.store.run_folder import RunFolder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def blobs_snapshot():
    y, labels = three_blobs()
    return taught(epochs=5).fit(y).snapshot(y, np.array(["a", "b", "c"])[labels]), labels


@pytest.fixture(scope="module")
def images_snapshot():
    y = np.random.default_rng(0).random((50, 24))
    model = GMVAE(n_clusters=2, epochs=1, random_state=0, image_shape=(4, 6), hidden_size=16, network="fc",
                  init="random")  # fmt: skip
    return model.fit(y).snapshot(y)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in OF_CONTENT if name != "stability"])
def test_each_can_be_drawn_and_is_not_empty(blobs_snapshot, name, tmp_path):
    figure = OF_CONTENT[name](blobs_snapshot[0])
    figure.savefig(tmp_path / "f.png", dpi=50)
    assert np.asarray(Image.open(tmp_path / "f.png").convert("L")).std() > 5


def test_profiles_are_the_differences_sorted_by_the_greatest(blobs_snapshot):
    content = blobs_snapshot[0]
    axes = OF_CONTENT["profiles"](content).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    shown = np.asarray(axes.images[0].get_array())
    for row, name in zip(shown, names, strict=True):
        np.testing.assert_allclose(
            row, content.contrast.difference[content.used, content.features.index(name)]
        )
    assert (np.diff(abs(shown).max(1)) <= 0).all()


def test_confusion_writes_the_numbers_of_rows(blobs_snapshot):
    content, labels = blobs_snapshot
    axes = OF_CONTENT["confusion"](content).axes[0]
    texts = np.reshape([text.get_text() for text in axes.texts], (3, -1))
    for label in range(3):
        for place, k in enumerate(content.used):
            count = ((labels == label) & (content.clusters == k)).sum()
            assert texts[label, place] == (str(count) if count else "")


def test_the_map_has_the_number_of_each_cluster(blobs_snapshot):
    content = blobs_snapshot[0]
    axes = OF_CONTENT["map"](content).axes[0]
    np.testing.assert_allclose(axes.collections[0].get_offsets(), content.maps["x"])
    assert {text.get_text() for text in axes.texts} == {str(k) for k in content.used}


@pytest.mark.slow
def test_samples_and_styles_of_a_table_name_its_columns(blobs_snapshot):
    content, _ = blobs_snapshot
    spread = content.y.std(0)
    axes = OF_CONTENT["samples"](content).axes[0]
    places = [content.features.index(label.get_text()) for label in axes.get_yticklabels()]
    shown = np.asarray(axes.images[0].get_array()).T
    for row, k in zip(shown, content.used, strict=True):
        mean = content.portrait.samples[k].mean(0)
        np.testing.assert_allclose(row, ((mean - content.y.mean(0)) / spread)[places])
    drawn = OF_CONTENT["styles"](content).axes[:2]
    places = [content.features.index(label.get_text()) for label in drawn[0].get_yticklabels()]
    for panel, axes in enumerate(drawn):
        ends = content.portrait.styles[panel][:, [0, -1]]
        moved = (ends[:, 1] - ends[:, 0]) / spread
        np.testing.assert_allclose(axes.images[0].get_array(), moved[content.used][:, places].T, atol=1e-9)


CHOICE = {"clusters": 3, "sure": True, "curve": [[2, 0.7], [3, 0.9], [4, 0.5]]}


def test_stability_shows_what_is_known_of_it(blobs_snapshot):
    content, _ = blobs_snapshot
    with pytest.raises(ValueError, match="fit with resamples=20"):
        OF_CONTENT["stability"](content)
    numbers = OF_CONTENT["stability"](replace(content, facts={"choice": CHOICE}))
    np.testing.assert_allclose(numbers.axes[0].lines[0].get_xydata(), CHOICE["curve"])
    known = np.random.default_rng(0).random(len(content.y))
    for facts, panels in (({}, 1), ({"choice": CHOICE}, 2)):
        figure = OF_CONTENT["stability"](replace(content, stability=known, facts=facts))
        assert len(figure.axes) == panels
        axes = figure.axes[0]
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names == [str(k) for k in content.used]
        for place, k in enumerate(content.used):
            mine = known[content.clusters == k]
            np.testing.assert_allclose(axes.lines[place].get_xydata(), [[mine.mean(), place]])
            assert axes.texts[place].get_text() == f"{mine.mean():.2f}"
            whole, half = (axes.collections[2 * place + i].get_segments()[0] for i in (0, 1))
            np.testing.assert_allclose(whole, [[q, place] for q in np.quantile(mine, (0.05, 0.95))])
            np.testing.assert_allclose(half, [[q, place] for q in np.quantile(mine, (0.25, 0.75))])
    np.testing.assert_allclose(figure.axes[1].lines[0].get_xydata(), CHOICE["curve"])


@pytest.mark.parametrize("name", ["overlap", "profiles", "samples", "styles"])
def test_nothing_is_cut_off_with_few_columns_and_clusters(name):
    y = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0, 0], [9, 9]], 30, 0)
    figure = OF_CONTENT[name](taught(n_clusters=2, epochs=1).fit(y).snapshot(y))
    FigureCanvasAgg(figure).draw()
    inside = figure.get_tightbbox()
    assert min(inside.x0, inside.y0) >= 0
    assert inside.x1 <= figure.get_figwidth()
    assert inside.y1 <= figure.get_figheight()


def test_curves_need_records(blobs_snapshot):
    content, _ = blobs_snapshot
    line = OF_CONTENT["bound"](content).axes[0].lines[0]
    elbo = [record["elbo"] for record in content.history]
    np.testing.assert_allclose(line.get_ydata(), elbo)
    np.testing.assert_allclose(OF_CONTENT["curves"](content).axes[0].lines[0].get_ydata(), elbo)
    with pytest.raises(ValueError, match="no records"):
        OF_CONTENT["terms"](replace(content, history=()))


def test_overlap_shows_its_numbers_or_says_that_there_are_none(blobs_snapshot):
    content, _ = blobs_snapshot
    portrait = content.portrait
    q = np.tile([[0.501, 0.499, 0.0], [0.499, 0.501, 0.0], [0.0, 0.0, 1.0]], (len(content.y), 1))
    halves = replace(content, portrait=replace(portrait, probabilities=q[: len(content.y)]))
    axes = OF_CONTENT["overlap"](halves).axes[0]
    texts = np.reshape([text.get_text() for text in axes.texts], (3, 3))
    assert texts.tolist() == [["", "0.50", ""], ["0.50", "", ""], ["", "", ""]]
    apart = replace(content, portrait=replace(portrait, probabilities=np.eye(3)[content.clusters]))
    assert OF_CONTENT["overlap"](apart).axes[0].texts[-1].get_text() == "no overlap of 0.01 or more"


@pytest.mark.slow
def test_pictures_are_in_the_row_of_their_cluster(images_snapshot):
    axes = OF_CONTENT["prototypes"](images_snapshot).axes[0]
    wall = np.asarray(axes.images[0].get_array())
    assert wall.shape == (4 * len(images_snapshot.used), 12 * 6, 3)
    for name, panels in (("samples", 1), ("styles", 2)):
        drawn = OF_CONTENT[name](images_snapshot).axes
        assert [np.asarray(axes.images[0].get_array()).shape[0] for axes in drawn] == panels * [
            4 * len(images_snapshot.used)
        ]
    with pytest.raises(ValueError, match="look at prototypes"):
        OF_CONTENT["profiles"](images_snapshot)
    with pytest.raises(ValueError, match="there are none: look at overlap"):
        OF_CONTENT["confusion"](images_snapshot)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
@pytest.mark.parametrize("name", ["map", "bound", "latent"])
def test_the_command_draws_into_any_file(tmp_path_factory, ending, name):
    run = tmp_path_factory.getbasetemp() / "figures-of-a-run"
    if not run.exists():
        flags = ["--epochs=2", "--points=300", "--run-dir", run]
        assert here("train", "spiral", *flags).status == 0
    out = run.with_name(f"{name}.{ending}")
    said = here("plot", name, run, "-o", out)
    assert (said.status, said.out.strip()) == (0, str(out)), said.err
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert out.read_bytes().startswith(start)


@pytest.mark.slow
def test_the_command_names_what_it_cannot_draw(tmp_path):
    run = tmp_path / "run"
    assert here("train", "spiral", "--epochs=1", "--points=300", "--run-dir", run).status == 0
    assert "must end in .png, .svg, .pdf" in bad(here("plot", "map", run, "-o", tmp_path / "m.jpg"))
    assert "leave --live out" in bad(here("plot", "map", run, "--live"))
    assert here("plot", "map", run).out.strip() == str(run / "plots" / "map.png")


@pytest.mark.slow
def test_figures_of_a_run_name_its_columns_and_show_merges(tmp_path):
    y, _ = three_blobs()
    names = ["width", "height", "a long name of a column, longer than there is room"]
    path, run = tmp_path / "blobs.csv", tmp_path / "run"
    rows = np.column_stack([y[:, :2], y.sum(1)])
    np.savetxt(path, rows, delimiter=",", header=",".join(f'"{name}"' for name in names), comments="")
    flags = ["--path", path, "--clusters=3", "--epochs=3", "--resamples=3", "--run-dir", run]
    assert here("train", "data", *flags).status == 0
    edits = tmp_path / "edits.json"
    edits.write_text('{"names": {"1": "both"}, "merge": [[1, 2]]}')
    assert here("relabel", run, edits).status == 0
    axes = draw_on(RunFolder(run), "samples").axes[0]
    columns = {label.get_text() for label in axes.get_yticklabels()}
    assert columns == {"width", "height", "a long name of…there is room"}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1 · both"]
    assert rows_resampled(RunFolder(run))
    for name in ("stability", "curves"):
        out = tmp_path / f"{name}.png"
        assert here("plot", name, run, "-o", out).out.strip() == str(out)
        assert np.asarray(Image.open(out).convert("L")).std() > 5
