"""Scores of partitions of the same rows without labels, and the model that is selected by them."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors

import gmvae
from gmvae.data.observations import Observations
from gmvae.fit.scores import best, restart_scores
from gmvae.start.rounds import MANIFOLD_FROM


def arcs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved half circles, which k-means cuts across."""
    rng = np.random.default_rng(0)
    angle, half = rng.uniform(0, np.pi, count), np.arange(count) % 2
    y = np.c_[np.cos(angle), np.sin(angle)] * (1 + half)[:, None] + rng.normal(0, 0.05, (count, 2))
    return y, half


def test_modularity_prefers_arcs_even_if_most_fits_disagree():
    y, truth = arcs(MANIFOLD_FROM)
    rows, means = Observations.of(y), KMeans(2, n_init=1, random_state=0).fit_predict(y)
    found = restart_scores([clusters[rows.order] for clusters in (means, truth, 1 - means)], rows)
    assert list(found) == ["agreement", "modularity"]
    assert found["agreement"].argmin() == found["modularity"].argmax() == 1


def test_the_restart_with_the_greatest_modularity_is_kept_whatever_its_loss():
    y, truth = arcs(MANIFOLD_FROM)
    rows, means = Observations.of(y), KMeans(2, n_init=1, random_state=0).fit_predict(y)
    partitions = [clusters[rows.order] for clusters in (means, 1 - means, truth)]
    kept, found = best(partitions, [0.0, 1.0, 2.0], rows)
    assert kept == 2
    assert found[0] == found[1]
    assert found[2]["agreement"] < found[0]["agreement"]
    assert found[2]["modularity"] > found[0]["modularity"]


def test_the_modularity_is_that_of_the_graph_of_nearest_neighbours():
    y, truth = arcs(MANIFOLD_FROM)
    standard = (y - y.mean(0)) / y.std(0)
    indices = NearestNeighbors(n_neighbors=20).fit(standard).kneighbors(return_distance=False)
    graph = networkx.MultiGraph([(i, int(j)) for i, near in enumerate(indices) for j in near])
    expected = networkx.community.modularity(graph, [set(np.flatnonzero(truth == k)) for k in (0, 1)])
    rows = Observations.of(y)
    found = restart_scores([truth[rows.order], 1 - truth[rows.order]], rows)["modularity"]
    assert found == pytest.approx([expected, expected], abs=1e-6)


def test_only_agreement_counts_for_few_rows():
    y, truth = arcs(MANIFOLD_FROM - 1)
    assert list(restart_scores([truth, truth], Observations.of(y))) == ["agreement"]
    assert list(restart_scores([truth], Observations.of(np.tile(y, (2, 1))))) == ["agreement"]


OPTIONS = {"hidden_size": 4, "x_size": 2, "w_size": 2, "epochs": 1, "init": "random"}


def predicting(monkeypatch, models, *clusters):
    """Models that assign given clusters to points."""
    said = {id(model.model_): find for model, find in zip(models, clusters, strict=True)}
    monkeypatch.setattr(
        "gmvae.estimator.selection.most_probable",
        lambda model, rows: said[id(model)](rows.source[rows.order]),
    )


def outer(points: np.ndarray) -> np.ndarray:
    return (np.hypot(*points[:, :2].T) > 1.5).astype(np.int64)


@pytest.mark.slow
def test_select_uses_modularity_for_many_rows(monkeypatch):
    y, truth = arcs(MANIFOLD_FROM)
    y = y[np.argsort(truth)]  # in a meaningful order
    across = KMeans(2, n_init=1, random_state=0).fit(y).predict
    models = [gmvae.GMVAE(2, random_state=seed, **OPTIONS).fit(y) for seed in range(3)]
    predicting(monkeypatch, models, across, outer, across)
    best, scores = gmvae.select(models, y)
    assert best == 1
    assert scores[0] == scores[2] < scores[1]


@pytest.mark.slow
def test_copies_of_rows_do_not_affect_selection(monkeypatch):
    """If a row occurs fifty times, all its neighbour edges lead to copies of it."""
    y = np.tile(
        np.r_[np.zeros(10), np.full(30, 9.0)][:, None] + np.random.default_rng(0).random((40, 2)), (50, 1)
    )
    models = [gmvae.GMVAE(2, random_state=seed, **OPTIONS).fit(y) for seed in range(3)]
    apart = lambda points: (points[:, 0] > 5).astype(np.int64)  # noqa: E731
    predicting(monkeypatch, models, apart, lambda points: (points[:, 1] % 1 > 0.5).astype(np.int64), apart)
    best, scores = gmvae.select(models, y)
    assert best in (0, 2)
    same, other = 1.0, adjusted_rand_score(apart(y[:40]), y[:40, 1] % 1 > 0.5)
    assert scores == pytest.approx([(same + other) / 2, other, (same + other) / 2])


@pytest.mark.slow
def test_models_that_see_other_columns_are_compared_on_the_same_rows(monkeypatch):
    """Those of the model with the most columns, if only as many rows as fit into memory are used."""
    y = np.c_[arcs(2 * MANIFOLD_FROM)[0], np.random.default_rng(1).random(2 * MANIFOLD_FROM)]
    plain = np.c_[y[:, :2], np.zeros(len(y))]
    monkeypatch.setattr("gmvae.data.observations.SAMPLE", 3 * MANIFOLD_FROM)
    models = [gmvae.GMVAE(2, random_state=0, **OPTIONS).fit(table) for table in (plain, y)]
    assert [model.model_.y_shape for model in models] == [(2,), (3,)]
    seen = []
    predicting(monkeypatch, models, *(lambda points: seen.append(points) or outer(points) for _ in models))
    _, scores = gmvae.select(models, y)
    assert len(seen[0]) == MANIFOLD_FROM
    np.testing.assert_array_equal(*seen)
    assert scores[0] == scores[1]
