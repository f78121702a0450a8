"""Curves by epoch show the values of the history."""

import numpy as np
import pytest
from PIL import Image

from gmvae.show import epochs
from gmvae.show.run_figures import draw_on
from gmvae.store.run_folder import MEASURED, RunFolder

HISTORY = [
    {
        "epoch": e, "elbo": -10.0 / e, "test_elbo": -11.0 / e, "consistency_violation": 2.0 / e,
        "conditional_prior": 3.0 / e, "w_prior": 4.0 / e, "z_prior": 5.0 / e,
        "reconstruction": -6.0 / e, "clusters_used": e, "test_clusters_used": 2 * e,
        "validation_loss": 12.0 / e,
        "acc": 0.1 * e, "acc_aae": 0.11 * e, "nmi": 0.12 * e, "ari": 0.13 * e,
        "test_acc": 0.01 * e, "test_acc_aae": 0.02 * e, "test_nmi": 0.03 * e, "test_ari": 0.04 * e,
    }
    for e in range(1, 6)
]  # fmt: skip


EPOCHS = np.arange(1, 6)


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_curves_have_a_panel_for_each_part_of_the_history():
    drawn = {axes.get_title(): lines(axes) for axes in epochs.curves(HISTORY).axes}
    assert len(drawn) == 5
    values = {
        "lower bound": [-10 / EPOCHS, -11 / EPOCHS, -12 / EPOCHS],
        "divergences and consistency violation": [3 / EPOCHS, 4 / EPOCHS, 5 / EPOCHS, 2 / EPOCHS],
        "reconstruction": [-6 / EPOCHS],
        "clusters in use": [EPOCHS, 2 * EPOCHS],
        "agreement with labels": [f * EPOCHS for f in (0.1, 0.12, 0.13, 0.01, 0.03, 0.04)],
    }
    for title, expected in values.items():
        for line, one in zip(drawn[title].values(), expected, strict=True):
            np.testing.assert_allclose(line.get_xydata(), np.stack([EPOCHS, one], 1))


def test_lines_of_held_out_rows_are_dashed_and_have_the_colour_of_those_of_training():
    bound, _, _, used, agreement = epochs.curves(HISTORY).axes
    assert [line.get_linestyle() for line in bound.lines] == ["-", "--", "--"]
    assert bound.lines[0].get_color() == bound.lines[1].get_color() != bound.lines[2].get_color()
    assert [line.get_linestyle() for line in used.lines] == ["-", "--"]
    assert [line.get_linestyle() for line in agreement.lines] == 3 * ["-"] + 3 * ["--"]
    for seen, unseen in zip(agreement.lines[:3], agreement.lines[3:], strict=True):
        assert (seen.get_color(), seen.get_marker()) == (unseen.get_color(), unseen.get_marker())
    assert len({line.get_marker() for line in agreement.lines}) == 3  # different in grey


def test_what_a_history_lacks_is_left_out():
    figure = epochs.curves([{"epoch": 1, "elbo": -3.0, "clusters_used": 2}])
    assert [axes.get_title() for axes in figure.axes] == ["lower bound", "clusters in use"]
    assert [len(axes.lines) for axes in figure.axes] == [1, 1]


@pytest.mark.slow
def test_no_legend_is_over_a_line(tmp_path):
    figure = epochs.curves(HISTORY)
    figure.savefig(tmp_path / "c.png")
    assert np.asarray(Image.open(tmp_path / "c.png").convert("L")).std() > 5
    boxes = [axes.get_window_extent() for axes in figure.axes]
    legends = [axes.get_legend().get_window_extent() for axes in figure.axes if axes.get_legend()]
    assert len(legends) == 4
    assert not any(legend.overlaps(box) for legend in legends for box in boxes)
    assert all(figure.bbox.x0 <= legend.x0 and legend.x1 <= figure.bbox.x1 for legend in legends)
    titles = [axes.title.get_window_extent() for axes in figure.axes]
    assert not any(legend.overlaps(title) for legend in legends for title in titles)


def test_the_bound_has_the_held_out_rows_of_early_stopping():
    history = [{"epoch": e, "elbo": -3.0 - e, "validation_loss": 4.0 + e} for e in (1, 2, 3)]
    seen, unseen = epochs.bound(history).axes[0].lines
    assert list(seen.get_ydata()) == [-4, -5, -6]
    assert list(unseen.get_ydata()) == [-5, -6, -7]
    assert "early stopping" in unseen.get_label()


def test_each_curve_alone_shows_the_history():
    drawn = lines(epochs.bound(HISTORY).axes[0])
    np.testing.assert_allclose(drawn["training data"].get_ydata(), -10 / EPOCHS)
    np.testing.assert_allclose(drawn["held-out data"].get_ydata(), -11 / EPOCHS)
    trained_only = [{"epoch": r["epoch"], "elbo": r["elbo"]} for r in HISTORY]
    assert len(epochs.bound(trained_only).axes[0].lines) == 1
    np.testing.assert_allclose(epochs.consistency(HISTORY).axes[0].lines[0].get_ydata(), 2 / EPOCHS)
    assert list(lines(epochs.terms(HISTORY).axes[0])) == [
        "conditional prior", "w prior", "z prior", "consistency violation"
    ]  # fmt: skip


def test_scores_are_of_held_out_data_if_there_are_any():
    axes = epochs.scores(HISTORY).axes[0]
    assert axes.get_title() == "agreement with labels, held-out data"
    drawn = lines(axes)
    for label, share in {"accuracy": 0.01, "accuracy (AAE)": 0.02, "NMI": 0.03, "ARI": 0.04}.items():
        np.testing.assert_allclose(drawn.pop(label).get_ydata(), share * EPOCHS)
    assert not drawn
    without = [{key: value for key, value in r.items() if "test" not in key} for r in HISTORY]
    axes = epochs.scores(without).axes[0]
    assert axes.get_title() == "agreement with labels, training data"
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 0.1 * EPOCHS)


def test_scores_without_labels_are_one_line():
    with pytest.raises(ValueError, match=r"there are none: look at shares instead") as caught:
        epochs.scores([{"epoch": 1, "elbo": -1.0, "test_elbo": -1.0}])
    assert "\n" not in str(caught.value)


def test_a_run_shows_the_restart_that_is_kept(tmp_path):
    folder = RunFolder.create(tmp_path / "run", {"data": {}})
    for restart in (1, 2):
        for epoch in (1, 2, 3):
            values = dict.fromkeys(MEASURED, 1.0) | {"elbo": -10.0 * restart - epoch, "epoch": epoch}
            folder.append(values | {"restart": restart})
    assert list(draw_on(folder, "bound").axes[0].lines[0].get_ydata()) == [-21, -22, -23]  # in progress
    folder.write_summary({"restart": 1})
    assert list(draw_on(folder, "curves").axes[0].lines[0].get_ydata()) == [-11, -12, -13]


@pytest.mark.slow
@pytest.mark.parametrize("name", epochs.OF_HISTORY)
def test_every_curve_can_be_drawn_again_on_a_figure(name):
    fresh = epochs.OF_HISTORY[name](HISTORY)
    used = epochs.curves(HISTORY)
    assert epochs.OF_HISTORY[name](HISTORY[:2], used) is used
    epochs.OF_HISTORY[name](HISTORY, used)
    assert [lines(axes).keys() for axes in used.axes] == [lines(axes).keys() for axes in fresh.axes]
    for one, other in zip(used.axes, fresh.axes, strict=True):
        for a, b in zip(one.lines, other.lines, strict=True):
            np.testing.assert_array_equal(a.get_xydata(), b.get_xydata())
