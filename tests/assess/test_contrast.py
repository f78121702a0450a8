"""What sets clusters apart, compared with definitions written as loops."""

import numpy as np
import pytest

from gmvae.assess.contrast import borderline, common, contrast, reliability, typical

RNG = np.random.default_rng(0)
Y = RNG.normal(size=(60, 4)) * [1, 100, 0.01, 0] + [0, 1e6, 5, 3]
OF_ROW = np.arange(60) % 3  # of four: the last one is empty


def test_differences_are_in_pooled_standard_deviations():
    found = contrast(Y, OF_ROW, 4)
    for k in range(3):
        here, others = Y[k == OF_ROW], Y[k != OF_ROW]
        np.testing.assert_allclose(found.mean[k], here.mean(0), rtol=1e-12)
        np.testing.assert_allclose(found.rest[k], others.mean(0), rtol=1e-12)
        np.testing.assert_allclose(found.deviation[k], here.std(0), rtol=1e-9)
        pooled = np.sqrt((here.var(0) + others.var(0)) / 2)[:3]
        expected = (here.mean(0) - others.mean(0))[:3] / pooled
        np.testing.assert_allclose(found.difference[k, :3], expected, rtol=1e-6)


def test_undefined_differences_are_zero():
    found = contrast(Y, OF_ROW, 4)
    assert (found.difference[3] == 0).all()  # an empty cluster
    assert (found.difference[:, 3] == 0).all()  # a constant column
    assert (contrast(Y, np.zeros(60, int), 2).difference == 0).all()  # nothing to differ from


def test_a_column_that_is_constant_on_either_side_is_measured_by_all_rows():
    y = np.array([[0.0], [0.0], [1.0], [1.0], [1.0], [1.0]])
    found = contrast(y, np.array([0, 0, 1, 1, 1, 1]), 2)
    np.testing.assert_allclose(found.difference[:, 0], [-1 / y.std(), 1 / y.std()])


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_zeros_are_not_hidden_by_rounding(unit):
    y = unit * np.stack([Y[:, 0] - Y[:, 0].mean(), np.full(60, 0.1), np.tile([-0.1, 0.3, -0.2], 20)], 1)
    whole = contrast(y, np.zeros(60, int), 1)
    assert unit > 1 or y[:, 0].mean() != 0  # but for rounding, it is 0
    assert whole.mean[0].tolist() == [0, pytest.approx(0.1 * unit), 0]
    assert contrast(y, OF_ROW, 3).deviation[:, 1:].tolist() == [[0, 0]] * 3
    small = np.r_[np.full(30, 1e-5), np.full(30, 1e9)][:, None]
    assert contrast(small, np.repeat([0, 1], 30), 2).mean[0, 0] == pytest.approx(1e-5)


def test_typical_members_are_nearest_to_the_mean_and_borderline_ones_least_sure():
    x = np.array([[0, 0], [10, 0], [1, 0], [-1, 0], [0.1, 0], [5.0, 5.0]])
    clusters = np.array([0, 0, 0, 0, 0, 1])
    assert typical(x, clusters, 0, 2).tolist() == [2, 4]  # their mean is (2.02, 0)
    assert typical(x, clusters, 2, 2).tolist() == []
    q = np.array([[0.9, 0.1], [0.6, 0.4], [0.995, 0.005], [0.4, 0.6], [0.7, 0.3]])
    assert borderline(q, 0, 5).tolist() == [1, 4, 0]
    assert borderline(q, 1, 5).tolist() == [3]


def test_reliability_bins_rows_by_probability():
    probability = np.array([0.55, 0.58, 0.9, 0.94, 1.0, 0.992])
    found = reliability(probability, np.array([True, False, True, True, True, False]))
    assert found.low.tolist() == [0.5, 0.9, 0.99]
    assert found.high.tolist() == [0.6, 0.95, 1.0]
    assert found.rows.tolist() == [2, 2, 2]
    np.testing.assert_allclose(found.claimed, [0.565, 0.92, 0.996])
    np.testing.assert_allclose(found.right, [0.5, 1, 0.5])
    assert found.gap == pytest.approx((0.065 + 0.08 + 0.496) / 3)


def test_the_most_common_label_leaves_unknown_ones_aside():
    labels = np.array([-1, -1, -1, 2, 2, 0, -1])
    assert common(labels, np.array([0, 0, 0, 0, 0, 0, 1]), 3).tolist() == [2, -1, -1]


@pytest.mark.parametrize("low", [0.48, 0.1, 0.3])
@pytest.mark.parametrize("every", [67, 100, 300, 1000])
def test_a_column_that_is_constant_on_either_side_is_measured_by_its_deviation_in_all_rows(low, every):
    """As lip in UCI's E. coli, 1 in ten rows and 0.48 in all others: sums of squares leave a little variance
    of rounding."""
    clusters = np.where(np.arange(10 * every) % every == 0, 1, 0)
    y = np.where(clusters == 1, 1.0, low)[:, None]
    found = contrast(y, clusters, 2)
    assert found.difference[1, 0] == pytest.approx((1 - low) / y.std())
