"""The arrays of a page agree with the estimator, in the units of the data."""

import numpy as np
import pytest
import torch
from small_fits import taught, three_blobs

from gmvae.assess import overview as module
from gmvae.assess.contrast import borderline, least_likely, typical
from gmvae.assess.overview import overview
from gmvae.data.prepare import prepare


@pytest.fixture(scope="module")
def fitted():
    y, labels = three_blobs()
    model = taught().fit(y)
    return model, y, labels, prepare(y, device=torch.device("cpu"))


@pytest.mark.slow
def test_an_overview_agrees_with_the_estimator(fitted):
    model, y, labels, data = fitted
    found = overview(model.model_, data, 100, 1.0, labels, (2, 3))
    assert found.numbers.tolist() == list(range(0, 240, 3))
    mine = y[found.numbers]
    np.testing.assert_array_equal(found.y, mine)
    np.testing.assert_array_equal(found.labels, labels[found.numbers])
    np.testing.assert_allclose(found.probabilities, model.predict_proba(mine), atol=1e-4)
    np.testing.assert_allclose(found.x, model.transform(mine), atol=1e-3)
    exact = model.score_samples(mine)  # 16 samples of x and w, here one
    assert abs((found.density - exact).mean()) < 0.3
    assert np.corrcoef(found.density, exact)[0, 1] > 0.8
    assert found.epoch.tolist() == [2, 3]
    report = model.snapshot(mine).portrait
    np.testing.assert_allclose(found.samples, report.samples, rtol=1e-5)
    np.testing.assert_allclose(found.styles, report.styles, rtol=1e-5)


def test_less_work_makes_fewer_generated_rows(fitted):
    model, _, _, data = fitted
    found = overview(model.model_, data, 50, 0.3)
    assert (found.samples.shape, found.styles.shape) == ((3, 3, 3), (2, 3, 5, 3))
    assert found.labels.shape == (0,)


def test_a_wide_table_is_shown_with_fewer_rows(fitted, monkeypatch):
    monkeypatch.setattr(module, "NUMBERS", 390)
    model, _, _, data = fitted
    assert len(overview(model.model_, data, 5000).numbers) == 120  # at most 130, evenly spaced


@pytest.mark.slow
def test_of_images_the_rows_on_cards_have_their_pixels(monkeypatch):
    monkeypatch.setattr(module, "PICTURES", 20)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 60, size=(150, 36)).astype(np.uint8)
    y[::2, :18] += 150
    model = taught(n_clusters=2, epochs=1, image_shape=(6, 6), network="fc").fit(y)
    data = prepare(y, image_shape=(6, 6), device=torch.device("cpu"))
    found = overview(model.model_, data, 1000)
    assert tuple(found.y_shape) == (1, 6, 6)
    np.testing.assert_array_equal(found.y, y[found.numbers[found.pictured]])
    clusters = found.probabilities.argmax(1)
    needed = {*least_likely(found.density).tolist()}
    for k in range(2):
        needed |= {*typical(found.x, clusters, k).tolist(), *borderline(found.probabilities, k).tolist()}
    assert needed <= set(found.pictured.tolist())
    assert len(needed) + 20 >= len(found.pictured) > len(needed)
    assert found.samples.max() > 60  # levels up to 255, as the rows
