"""Modularity compared with hand calculation; merging compared with all partitions and known clusters."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from gmvae.partition import communities


def test_modularity_is_newmans():
    """Two pairs with one edge between them, by hand: e = [[3, 1], [1, 3]] / 8."""
    graph = np.array([[1, 2], [0, 0], [3, 0], [2, 2]])
    assert communities.modularity(np.array([0, 0, 1, 1]), graph) == pytest.approx(6 / 8 - 2 * (4 / 8) ** 2)
    assert communities.modularity(np.array([0, 0, 0, 0]), graph) == 0
    assert communities.modularity(np.array([0, 1, 1, 0]), graph) < 0


def test_merging_finds_the_partition_of_the_greatest_modularity():
    """Compared with all ways to put six cells of a random graph into three groups."""
    rng = np.random.default_rng(4)
    cells, graph = np.repeat(np.arange(6), 20), rng.integers(0, 120, (120, 5))
    near = rng.random((120, 5)) < 0.5
    graph = np.where(near, (np.arange(120)[:, None] // 40) * 40 + rng.integers(0, 40, (120, 5)), graph)
    every = (np.array(groups) for groups in itertools.product(range(3), repeat=6) if len(set(groups)) == 3)
    greatest = max(communities.modularity(groups[cells], graph) for groups in every)
    found = communities.merge(cells, graph, 3, seed=0)
    assert communities.modularity(found, graph) == pytest.approx(greatest)


def test_merging_rejoins_groups_that_were_cut_up():
    """Three groups, with edges only within each, were cut into eight cells each."""
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], [50, 100, 250])
    graph = np.stack([rng.choice(np.flatnonzero(groups == group), 6) for group in groups])
    cells = groups * 8 + rng.integers(0, 8, len(groups))
    for seed in range(3):
        assert adjusted_rand_score(groups, communities.merge(cells, graph, 3, seed)) == 1


def test_merging_leaves_few_cells_alone():
    cells = np.array([0, 1, 1, 0])
    assert communities.merge(cells, np.array([[1], [0], [3], [2]]), 2, seed=0) is cells
