"""Nothing is random and nothing depends on batches; pictures show what they say."""

import numpy as np
import pytest
import torch
from matplotlib.patches import Ellipse
from PIL import Image

from gmvae import evaluation, plots
from gmvae.evaluation import Snapshot


@pytest.mark.parametrize("assignment", ["recogniser", "posterior"])
def test_answers_do_not_depend_on_batches_order_or_chance(build, observations, monkeypatch, assignment):
    model = build(assignment=assignment, double=False).train()
    y = observations("gaussian", count=300).float()
    model.infer(y)
    results = {}
    for size in (300, 7):
        monkeypatch.setattr(evaluation, "BATCH", size)
        torch.manual_seed(size)
        results[size] = [f(model, y) for f in (evaluation.assign, evaluation.embed, evaluation.reconstruct)]
    for one, other in zip(*results.values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    order = torch.randperm(300)
    np.testing.assert_allclose(
        evaluation.assign(model, y[order]), results[300][0][order], rtol=1e-4, atol=1e-5
    )
    assert model.training


def test_measure_counts_and_compares(build, observations):
    model, y = build(double=False), observations("gaussian", count=200).float()
    clusters = evaluation.assign(model, y).argmax(1)
    perfect = evaluation.measure(model, y, clusters)
    assert perfect["acc"] == perfect["nmi"] == 1
    assert evaluation.measure(model, y) == {"clusters_used": perfect["clusters_used"]}


def test_snapshot_is_of_evenly_spaced_observations(build, observations):
    model, y = build(double=False), observations("gaussian", count=100).float()
    shown = evaluation.snapshot(model, y, most=30)
    np.testing.assert_array_equal(shown.y, y[::4].numpy())
    np.testing.assert_allclose(shown.x, evaluation.embed(model, y)[::4], rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        at_zero = model.generative.p_x(torch.zeros(1, 2))
    np.testing.assert_allclose(shown.component_mean, at_zero.mean[0])
    np.testing.assert_allclose(shown.component_variance, at_zero.log_variance[0].exp())


def shown(x_size: int = 2, count: int = 40) -> Snapshot:
    rng = np.random.default_rng(0)
    return Snapshot(
        y=rng.normal(size=(count, 5)).astype(np.float32),
        reconstruction=rng.normal(size=(count, 5)).astype(np.float32),
        x=(rng.normal(size=(count, x_size)) * np.arange(x_size, 0, -1)).astype(np.float32),
        clusters=np.arange(count) % 3,
        component_mean=rng.normal(size=(4, x_size)).astype(np.float32),
        component_variance=np.tile(np.linspace(4, 1, x_size, dtype=np.float32), (4, 1)),
    )


def test_ellipses_are_of_two_standard_deviations():
    axes = plots.latent(shown()).axes[0]
    ellipses = [patch for patch in axes.patches if isinstance(patch, Ellipse)]
    assert [ellipse.get_linestyle() for ellipse in ellipses] == ["-", "-", "-", "--"]  # cluster 3 is empty
    for ellipse, mean in zip(ellipses, shown().component_mean, strict=True):
        np.testing.assert_allclose(ellipse.center, mean)
        # variances 4 and 1 along the axes: half-axes of 4 and 2
        corners = ellipse.get_transform().transform_path(ellipse.get_path())
        extent = axes.transData.inverted().transform(corners.vertices).max(0) - mean
        np.testing.assert_allclose(extent, [4, 2], rtol=1e-3)


def test_points_are_drawn_in_their_clusters_colours():
    axes = plots.latent(shown()).axes[0]
    by_label = {line.get_label().split(":")[0]: line for line in axes.lines}
    for k in range(3):
        line = by_label[f"cluster {k}"]
        np.testing.assert_allclose(line.get_xydata(), shown().x[shown().clusters == k])
    assert "cluster 3" not in by_label
    assert len({line.get_color() for name, line in by_label.items() if name.startswith("cluster")}) == 3


@pytest.mark.parametrize("x_size", [1, 3, 6])
def test_other_sizes_of_x_are_seen_along_the_directions_of_most_variance(x_size):
    s = shown(x_size, count=2000)
    axes = plots.latent(s).axes[0]
    points = np.concatenate([line.get_xydata() for line in axes.lines if "cluster" in line.get_label()])
    values = np.linalg.eigvalsh(np.cov(s.x.T, bias=True).reshape(x_size, x_size))[::-1]
    np.testing.assert_allclose(points.var(0), [*values, 0][:2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_clusters", [5, 15, 40])
def test_no_two_clusters_share_a_colour(n_clusters):
    assert len({tuple(plots._colour(k, n_clusters)) for k in range(n_clusters)}) == n_clusters


def test_curves_show_the_history(tmp_path):
    history = [{"epoch": e, "elbo": -10.0 / e, "consistency_violation": 2.0 / e} for e in range(1, 6)]
    line = plots.bound(history).axes[0].lines[0]
    np.testing.assert_allclose(line.get_xydata(), [[e, -10 / e] for e in range(1, 6)])
    figure = plots.consistency(history)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [2 / e for e in range(1, 6)])
    figure.savefig(tmp_path / "c.png")
    assert np.asarray(Image.open(tmp_path / "c.png").convert("L")).std() > 5
