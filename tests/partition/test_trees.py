"""Cuts of trees, against SciPy's."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import cut_tree, linkage

from gmvae.partition.trees import cut


@pytest.mark.parametrize("method", ["ward", "single"])
@pytest.mark.parametrize("rows", [2, 3, 40])
def test_a_tree_is_cut_as_by_scipy(method, rows):
    merges = linkage(np.random.default_rng(rows).normal(size=(rows, 2)), method)
    for clusters in range(1, rows + 1):
        np.testing.assert_array_equal(cut(merges, clusters), cut_tree(merges, clusters)[:, 0])


def test_tied_merges_still_give_the_number_of_clusters_asked_for():
    merges = linkage(np.arange(8.0)[:, None], "single")  # seven merges at a distance of 1
    for clusters in range(1, 9):
        assert len(np.unique(cut(merges, clusters))) == clusters
