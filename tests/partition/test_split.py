"""A split finds the two groups within a cluster, whatever the units of x."""

import numpy as np
import pytest

from gmvae.partition.split import Split, halves, overlap_of_halves


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_two_groups_are_separated(scale):
    rng = np.random.default_rng(1)
    group = rng.random(900) < 0.3
    x = rng.normal(size=(900, 4)) * [1, 1, 1, 1e-3]
    x[group] += [5, -5, 0, 0]
    found = halves(scale * (x + 7), 3)
    part = found.part(scale * (x + 7))
    np.testing.assert_array_equal(part > 0.5, group)
    assert found.cluster == 3
    assert found.share == pytest.approx(group.mean(), abs=1e-5)
    assert np.minimum(part, 1 - part).mean() < 0.001  # they are far apart, and the probability says so


def test_the_plane_is_the_bayes_boundary_of_two_gaussians():
    rng = np.random.default_rng(2)
    group = rng.random(200_000) < 0.25
    x = np.where(group, 2.0, -2.0)[:, None] + rng.normal(size=(200_000, 1))
    found = halves(x, 0)
    grid = np.linspace(-2, 2, 9)[:, None]
    density = [share * np.exp(-((grid[:, 0] - mean) ** 2) / 2) for share, mean in ((0.75, -2), (0.25, 2))]
    np.testing.assert_allclose(found.part(grid), density[1] / sum(density), atol=0.05)


@pytest.mark.parametrize(
    "x", [np.zeros((50, 2)), np.empty((0, 2)), np.random.default_rng(0).normal(size=(9, 2))]
)
def test_too_few_or_equal_rows_are_not_split(x):
    assert halves(x, 0) is None


@pytest.mark.parametrize(
    ("rows", "columns"),
    [(60, 10), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((150, 5), (500, 2)))],
)
def test_the_overlap_of_one_group_is_greater_than_that_of_two(rows, columns):
    rng = np.random.default_rng(3)
    one, two = [], []
    for _ in range(9):
        x = rng.normal(size=(rows, columns))
        one.append(overlap_of_halves(x))
        two.append(overlap_of_halves(x + 6 * (rng.random(rows) < 0.4)[:, None] * np.eye(columns)[0]))
    assert 0.2 < np.median(one) < 0.45
    assert np.median(two) < 0.06


def test_the_overlap_of_too_few_rows_is_not_known():
    assert overlap_of_halves(np.random.default_rng(0).normal(size=(15, 2))) is None


def test_json_has_the_values():
    split = Split(2, (1.0, -0.5), 0.25, 0.5)
    assert split.to_json() == {"cluster": 2, "direction": [1.0, -0.5], "offset": 0.25, "share": 0.5}
