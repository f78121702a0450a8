"""Rows without groups are distinguished from groups, and the number of clusters of made tables is found."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris, load_wine, make_blobs
from sklearn.preprocessing import StandardScaler

from gmvae.config import ModelConfig, TrainingConfig
from gmvae.fit.clusters import choose_clusters
from gmvae.partition.gap import DEPARTURE, SEPARATION, Comparison, nearest
from gmvae.training.random import RandomStream


def departure(rows: np.ndarray, clusters: int, seed: int) -> float:
    return Comparison(rows, seed).departure(clusters)


def chosen(y: np.ndarray, seed: int = 0) -> int:
    rows = torch.from_numpy(StandardScaler().fit_transform(y)).float()
    stream = RandomStream(seed, torch.device("cpu"))
    config = ModelConfig(clusters=0, max_clusters=8)
    return choose_clusters(rows, rows, config, TrainingConfig(), seed=seed, stream=stream).clusters


@pytest.mark.slow
@pytest.mark.parametrize("columns", [1, 2, 5])
def test_a_gaussian_has_no_departure(columns):
    rows = {seed: np.random.default_rng(seed).normal(size=(200, columns)) * 3 + 7 for seed in range(8)}
    found = [Comparison(rows[seed], seed).compared(k, "gaussian").departure for seed in rows for k in (2, 3)]
    assert abs(np.mean(found)) < 2  # its own covariance is estimated, too
    assert sum(z >= DEPARTURE for z in found) <= 1
    assert departure(rows[0], 2, 0) <= found[0]


def test_groups_have_a_departure():
    assert departure(make_blobs(200, 2, centers=2, random_state=2, cluster_std=1.5)[0], 2, 0) > DEPARTURE


@pytest.mark.slow
@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_tables_with_classes_have_a_departure(load):
    assert departure(StandardScaler().fit_transform(load().data), 3, 0) > DEPARTURE


def uniform(kind: str, seed: int) -> np.ndarray:
    """Rows without groups that are no Gaussian."""
    rng = np.random.default_rng(seed)
    if kind == "disk":
        radius, angle = np.sqrt(rng.uniform(size=300)), rng.uniform(0, 2 * np.pi, 300)
        return np.stack((radius * np.cos(angle), radius * np.sin(angle)), 1)
    return rng.exponential(size=(300, 2)) if kind == "exponential" else rng.uniform(size=(300, 2))


@pytest.mark.parametrize(
    ("kind", "clusters", "seed"),
    [
        ("square", 4, 0),
        *(
            pytest.param(*shape, seed, marks=pytest.mark.slow)
            for shape in (("square", 4), ("disk", 3), ("exponential", 3))
            for seed in range(1, 6)
        ),
    ],
)
def test_shapes_without_groups_have_no_departure(kind, clusters, seed):
    rows = StandardScaler().fit_transform(uniform(kind, seed))
    assert departure(rows, clusters, seed) < DEPARTURE


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["square", "disk", "exponential"])
def test_shapes_without_groups_are_one_cluster(kind):
    assert chosen(uniform(kind, 0)) == 1


def test_distances_of_clusters_are_in_standard_deviations_within_them():
    rows = np.array([[0, 0], [2, 0], [10, 0], [12, 0], [0, 30], [4, 30]], dtype=float)
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert nearest(rows[:4], labels[:4]) == pytest.approx(10)
    along = rows @ (np.array([-9.0, 30.0]) / np.hypot(9, 30))  # from the second cluster to the third
    within = np.sqrt((along[2:4].var() + along[4:].var()) / 2)
    assert nearest(rows[2:], labels[2:]) == pytest.approx(np.hypot(9, 30) / within)
    assert nearest(rows, labels) == pytest.approx(10)


@pytest.mark.parametrize(
    "kind", ["square", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("disk", "exponential"))]
)
def test_shapes_without_groups_are_not_separated(kind):
    comparison = Comparison(StandardScaler().fit_transform(uniform(kind, 1)), 1)
    assert comparison.separation(3) < 1.2


def hidden(kind: str, seed: int) -> tuple[np.ndarray, int]:
    """Distant groups beside columns without groups, and their number."""
    rng = np.random.default_rng(seed)
    groups = np.arange(300) % 3
    if kind == "two":
        return np.c_[8 * (groups > 0) + 0.3 * rng.normal(size=300), rng.normal(size=(300, 4))], 2
    centres = np.array([[0, 0], [4, 0], [2, 3.5]])[groups]
    return np.c_[centres + 0.3 * rng.normal(size=(300, 2)), rng.normal(size=(300, 8))], 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["two", "three"])
def test_groups_beside_columns_without_groups_are_separated(kind):
    rows, number = hidden(kind, 3)
    comparison = Comparison(StandardScaler().fit_transform(rows), 0)
    assert comparison.separation(number) > SEPARATION + 0.5
    assert comparison.clear(number)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["two", "three"])
def test_groups_beside_columns_without_groups_are_found(kind, seed):
    rows, number = hidden(kind, seed)
    assert chosen(rows, seed) == number


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_one_three_and_seven_are_found(seed):
    rng = np.random.default_rng(seed)
    assert chosen(rng.normal(size=(240, 2)), seed) == 1
    assert chosen(rng.normal(size=(240, 6)), seed) == 1
    centres = [[0, 0, 0], [9, 0, 5], [0, 9, -5]]
    three = make_blobs(240, centers=centres, random_state=seed)[0]
    assert chosen(three, seed) == 3
    assert chosen(np.c_[three, rng.integers(0, 2, 240)], seed) == 3  # a column of 0 and 1 makes no clusters
    seven = np.eye(7)[:, :6] * 12
    assert chosen(make_blobs(280, centers=seven, random_state=seed)[0], seed) == 7


def minimum_within(y: np.ndarray, clusters: int) -> float:
    """The smallest sum of squares within clusters of numbers, over all ways to cut their sorted sequence."""
    y = np.sort(y)
    cuts = itertools.combinations(range(1, len(y)), clusters - 1)
    return min(sum(part.var() * len(part) for part in np.split(y, list(cut))) for cut in cuts)


@pytest.mark.slow
def test_the_gap_is_that_of_exhaustive_search():
    """Tibshirani's formula, with other samples from the Gaussian: the mean of 20 is off by about 0.05."""
    rng = np.random.default_rng(0)
    y = np.concatenate([rng.normal(center, 0.3, 12) for center in (-4, 0, 5)])
    gaussians = rng.normal(y.mean(), y.std(ddof=1), (30, len(y)))
    comparison = Comparison(y[:, None], 1)
    for clusters in (2, 3):
        within = [minimum_within(v, clusters) / (v.var() * len(v)) for v in (y, *gaussians)]
        ours, *lone = np.log(within)
        assert comparison.gap(clusters) == pytest.approx(np.mean(lone) - ours, abs=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_fourth_cluster_of_three_is_not_worth_it(seed):
    rng = np.random.default_rng(seed)
    y = np.concatenate([rng.normal(center, 0.3, (40, 2)) for center in ((-4, 0), (0, 4), (5, 0))])
    comparison = Comparison(y, seed)
    assert comparison.preferred(3, 2)
    assert not comparison.preferred(4, 3)


def beside(seed: int) -> np.ndarray:
    """Three groups in two columns, beside a third column without groups."""
    rng = np.random.default_rng(seed)
    centres = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0]])
    return centres[rng.integers(3, size=300)] + rng.normal(size=(300, 3))


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_cluster_that_a_column_without_groups_halves_is_not_worth_it(seed):
    comparison = Comparison(StandardScaler().fit_transform(beside(seed)), seed)
    assert comparison.preferred(3, 2)
    assert not comparison.preferred(4, 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_three_groups_beside_a_column_without_groups_are_three(seed):
    assert chosen(beside(seed), seed) == 3
