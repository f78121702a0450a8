"""Noise that is a function of the row: it is normal, independent between rows, and averages out in bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kstest, kurtosis
from sklearn.datasets import load_wine

from gmvae import GMVAE
from gmvae.model import answers, objective
from gmvae.model.noise import noise

ROWS = torch.from_numpy(np.random.default_rng(0).normal(size=(5000, 3)))


def test_noise_is_standard_normal():
    drawn = noise(ROWS, 16, 4).numpy()
    assert drawn.shape == (16, 5000, 4)
    each = drawn[3].ravel()  # one draw of each row: 20,000 independent numbers
    assert kstest(each, "norm").pvalue > 1e-3
    assert abs(each.mean()) < 4 / np.sqrt(each.size)
    assert each.var() == pytest.approx(1, abs=4 * np.sqrt(2 / each.size))
    assert kurtosis(each) == pytest.approx(0, abs=4 * np.sqrt(24 / each.size))
    # a draw in each sixteenth
    parts = np.sort(torch.special.ndtr(torch.from_numpy(drawn)).numpy() * 16, axis=0)
    np.testing.assert_array_equal(np.floor(parts[:, 0, 0]), np.arange(16))
    assert noise(ROWS[:9], 1, 2).isfinite().all()


def test_noise_of_different_rows_draws_and_seeds_is_independent():
    near = torch.from_numpy(np.nextafter(ROWS.float().numpy(), np.float32(np.inf)))
    swapped, widened = ROWS[:, [1, 0, 2]], torch.nn.functional.pad(ROWS, (0, 1))
    first = noise(ROWS, 8, 2).numpy()
    others = [noise(y, 8, 2).numpy() for y in (near, swapped, widened, ROWS.flip(0))]
    others += [noise(ROWS, 8, 2, seed=1).numpy(), first[:, :, ::-1], np.roll(first, 1, axis=1)]
    for other in others:
        between = (first[2] * other[2]).ravel()  # 10,000 products of mean 0 and variance 1
        assert abs(between.mean()) < 4.5 / np.sqrt(between.size)
    within = (first[0] * first[1]).ravel()  # in other positions of the eight
    assert within.mean() == pytest.approx(-1 / 7, abs=0.05)


def test_noise_is_a_function_of_float32_values():
    whole = noise(ROWS, 4, 3)
    assert torch.equal(noise(ROWS[7:9], 4, 3), whole[:, 7:9])
    assert torch.equal(noise(ROWS.float(), 4, 3), whole)
    assert torch.equal(noise(ROWS.reshape(-1, 1, 3, 1), 4, 3), whole)
    assert torch.equal(noise(torch.zeros(1, 3), 4, 3), noise(-torch.zeros(1, 3), 4, 3))
    expected = [-1.2259, 0.3265, -1.9610]  # on every machine
    assert noise(torch.tensor([[1.0, 2.0]]), 2, 3)[0, 0].tolist() == pytest.approx(expected, abs=1e-4)


@pytest.fixture(scope="module")
def wine():
    X = np.asarray(load_wine().data)
    return X, GMVAE(3, epochs=15, hidden_size=32, cv_weight=0.0, random_state=0, init="kmeans").fit(X)


@pytest.mark.slow
def test_the_error_of_a_bound_averages_out_over_rows(wine):
    """Compared with the bound with 1,000 draws; with the same ten draws for all rows the error was 0.2."""
    X, model = wine
    exact = answers.precise(model.model_).eval()
    scaled = torch.from_numpy(model._scaling.apply(X))
    with torch.no_grad():
        torch.manual_seed(0)
        parts = [objective.elbo(objective.five_terms(exact, scaled, 100)).mean() for _ in range(10)]
    expected = float(torch.stack(parts).mean()) + float(
        model._scaling.log_dets(np.zeros((1, len(model._scaling.kept))))[0]
    )
    # values that differ in their seventh digit have other noise, and almost the same bound
    rng = np.random.default_rng(1)
    scores = [model.score(X * (1 + 1e-7 * rng.normal(size=X.shape))) for _ in range(8)]
    assert 0.001 < np.std(scores, ddof=1) < 0.04
    assert np.mean(scores) == pytest.approx(expected, abs=0.04)
    for value in (model.elbo_, -model.restarts_[0]["loss"]):
        assert value == pytest.approx(expected, abs=0.12)


def test_copies_of_a_row_have_one_score_whatever_is_beside_them(wine):
    X, model = wine
    whole = model.score_samples(X)
    twice = model.score_samples(np.vstack([X[::-1], X[:60]]))
    np.testing.assert_allclose(twice, np.r_[whole[::-1], whole[:60]], rtol=1e-9)
