"""The arrays of a report agree with the estimator."""

import copy

import numpy as np
import pytest
import torch
from small_fits import quick, three_blobs

from gmvae.assess import plane, portrait


@pytest.fixture(scope="module")
def fitted():
    y, _ = three_blobs()
    return quick().fit(y), y


def test_a_portrait_agrees_with_the_estimator(fitted):
    model, y = fitted
    shown = portrait.portrait(model.model_, model._rows(y))
    np.testing.assert_allclose(shown.probabilities, model.predict_proba(y), rtol=1e-9)
    np.testing.assert_array_equal(shown.clusters, model.predict(y))
    np.testing.assert_allclose(shown.x, model.transform(y), rtol=1e-9)
    np.testing.assert_allclose(
        shown.density + float(model._scaling.log_dets(np.zeros((1, len(model._scaling.kept))))[0]),
        model.score_samples(y),
        rtol=1e-9,
    )
    assert shown.samples.shape == (3, 10, 3)
    assert shown.styles.shape == (2, 3, 9, 3)
    with torch.no_grad():
        exact = copy.deepcopy(model.model_).double().eval()
        rows = torch.from_numpy(model._scaling.apply(y)).double()
        q_x, q_w, _ = exact.recognition(rows)
        by_p = exact.generative.p_z_given(q_x.mean, exact.generative.p_x(q_w.mean)).probs.argmax(-1)
    np.testing.assert_array_equal(shown.p_clusters, by_p.numpy())


def test_large_data_are_computed_in_32_bits(fitted, monkeypatch):
    model, y = fitted
    monkeypatch.setattr(portrait, "COSTLY", 10)
    shown = portrait.portrait(model.model_, model._rows(y))
    np.testing.assert_allclose(shown.probabilities, model.predict_proba(y), atol=1e-4)
    exact = np.isclose(
        shown.density + float(model._scaling.log_dets(np.zeros((1, len(model._scaling.kept))))[0]),
        model.score_samples(y),
        rtol=1e-6,
    )
    assert exact.sum() == portrait.AGAIN  # the least likely ones
    assert shown.density[~exact].min() > np.median(shown.density)


def test_overlap_is_what_two_clusters_share():
    q = np.random.default_rng(0).dirichlet(np.ones(4), 50)
    found = portrait.overlap(q)
    for j in range(4):
        for k in range(4):
            shared = sum(row[j] * row[k] for row in q) / min(q[:, j].sum(), q[:, k].sum())
            assert found[j, k] == pytest.approx(0 if j == k else shared)
    halves = portrait.overlap(np.full((9, 2), 0.5))
    np.testing.assert_allclose(halves, [[0, 0.5], [0.5, 0]])


@pytest.mark.parametrize("size", [1, 2])
def test_two_dimensions_are_shown_as_they_are(size):
    x = np.random.default_rng(0).normal(size=(20, size)).astype(np.float32)
    (points,) = plane.planes(x).values()
    np.testing.assert_array_equal(points[:, :size], x)


@pytest.mark.slow
def test_more_dimensions_are_shown_by_umap_and_principal_components(monkeypatch):
    monkeypatch.setattr(plane, "FITTED", 60)
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(60, 5)), rng.normal(size=(60, 5)) + 20]).astype(np.float32)
    found = plane.planes(x)
    assert list(found) == ["UMAP of x", "PCA of x"]
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1][:2]
    np.testing.assert_allclose(found["PCA of x"].var(0), values, rtol=1e-4)
    points = found["UMAP of x"]  # half of the rows are placed among the others
    gap = np.linalg.norm(points[:60].mean(0) - points[60:].mean(0))
    assert gap > 2 * max(points[:60].std(0).max(), points[60:].std(0).max())


def test_few_rows_have_no_neighbours():
    assert list(plane.planes(np.random.default_rng(0).normal(size=(10, 4)))) == ["PCA of x"]
