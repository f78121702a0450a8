"""Graphs and partitions, compared with scipy, hand calculation and known clusters."""

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_rand_score

from gmvae.partition.neighbours import neighbours
from gmvae.start.embedding import embed, partition


@pytest.fixture(scope="module")
def rings():
    """Two linked rings in five dimensions, which no plane separates, with their labels."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, (2, 400))
    flat = np.zeros((2, 400, 5), np.float32)
    flat[0, :, 0], flat[0, :, 1] = np.cos(angle[0]), np.sin(angle[0])
    flat[1, :, 0], flat[1, :, 2] = 1 + np.cos(angle[1]), np.sin(angle[1])
    flat += 0.05 * rng.normal(size=flat.shape).astype(np.float32)
    return flat.reshape(800, 5), np.repeat([0, 1], 400)


def test_neighbours_are_those_of_a_tree(rings, monkeypatch):
    y = rings[0]
    distances, indices = cKDTree(y.astype(np.float64)).query(y, k=8)
    found, far = neighbours(y, 7)
    np.testing.assert_array_equal(found, indices[:, 1:])
    np.testing.assert_allclose(far, distances[:, 1:], rtol=1e-3)


@pytest.mark.parametrize("columns", [3, 40])
@pytest.mark.parametrize(("width", "outlier"), [(1e-2, None), (1e-3, None), (1e-4, None), (1e-3, 1e6)])
def test_neighbours_in_narrow_groups_far_from_the_origin_are_exact(columns, width, outlier):
    """Compared with all distances, computed from differences in 64 bits."""
    rng = np.random.default_rng(0)
    centres = 3 + rng.normal(size=(5, columns))
    y = (centres[np.arange(300) % 5] + width * rng.normal(size=(300, columns))).astype(np.float32)
    if outlier is not None:
        y[0] = outlier
    distance = np.sqrt(((y[:, None].astype(np.float64) - y) ** 2).sum(2))
    np.fill_diagonal(distance, np.inf)
    found, far = neighbours(y, 20)
    np.testing.assert_allclose(far, np.sort(distance, 1)[:, :20], rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(distance, found, 1), far, rtol=1e-5)
    assert not (found == np.arange(300)[:, None]).any()


def test_copies_of_a_row_are_neighbours_and_no_row_is_its_own():
    y = np.repeat(np.arange(3.0, dtype=np.float32)[:, None], 4, axis=0)
    found, far = neighbours(y, 3)
    assert (far == 0).all()
    assert [sorted({i, *row}) for i, row in enumerate(found.tolist())] == [
        list(range(i - i % 4, i - i % 4 + 4)) for i in range(12)
    ]


def test_neighbours_do_not_depend_on_blocks():
    y = np.random.default_rng(1).normal(size=(2500, 3)).astype(np.float32)
    found = neighbours(y, 5)[0]
    assert (found[:1000] == cKDTree(y).query(y[:1000], k=6)[1][:, 1:]).all(1).mean() > 0.999
    assert not (found == np.arange(2500)[:, None]).any()


@pytest.mark.slow
@pytest.mark.parametrize("count", [4, 11])
def test_fewer_rows_than_columns_have_an_embedding_of_fewer_dimensions(count):
    y = np.random.default_rng(0).normal(size=(count, 13)).astype(np.float32)
    assert embed(y, neighbours(y), 0).shape == (count, count - 2)


@pytest.mark.slow
@pytest.mark.parametrize("joined", [False, True])
def test_rings_are_clustered_along_themselves(rings, joined):
    y, labels = rings
    before = torch.get_num_threads()
    graph = neighbours(y)
    found = partition(y, graph, 2, seed=0, joined=joined)
    assert torch.get_num_threads() == before
    assert adjusted_rand_score(labels, found) == 1
    np.testing.assert_array_equal(found, partition(y, graph, 2, seed=0, joined=joined))
