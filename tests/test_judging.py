"""What speaks for partitions of the same rows, and which model is selected, without labels."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

import gmvae
from gmvae.data.rows import Rows, Survey
from gmvae.data.scaling import standardising
from gmvae.fitting import Fit, keep
from gmvae.judging import merits
from gmvae.rounds import MANIFOLD_FROM


def arcs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles inside each other, which k-means parts across."""
    rng = np.random.default_rng(0)
    angle, half = rng.uniform(0, np.pi, count), np.arange(count) % 2
    y = np.c_[np.cos(angle), np.sin(angle)] * (1 + half)[:, None] + rng.normal(0, 0.05, (count, 2))
    return y, half


def rows(y: np.ndarray) -> Rows:
    return Rows(y, standardising(Survey.of(y, np.ones(len(y))).moments), (2,), torch.device("cpu"))


def test_links_speak_for_the_arcs_where_most_fits_agree_on_something_else():
    y, truth = arcs(MANIFOLD_FROM)
    means = KMeans(2, n_init=1, random_state=0).fit_predict(y)
    found = merits([means, truth, 1 - means], rows(y))
    assert list(found) == ["agreement", "modularity"]
    assert found["agreement"].argmin() == found["modularity"].argmax() == 1


def test_the_restart_that_links_speak_for_is_kept_whatever_its_loss():
    y, truth = arcs(MANIFOLD_FROM)
    means = KMeans(2, n_init=1, random_state=0).fit_predict(y)
    fits = [Fit(None, [], float(i), 0, clusters) for i, clusters in enumerate((means, 1 - means, truth))]
    best, found = keep(fits, rows(y))
    assert best is fits[2]
    assert found[0] == found[1]
    assert found[2]["agreement"] < found[0]["agreement"]
    assert found[2]["modularity"] > found[0]["modularity"]


def test_the_modularity_is_that_of_the_graph_of_nearest_neighbours():
    y, truth = arcs(MANIFOLD_FROM)
    standard = (y - y.mean(0)) / y.std(0)
    links = NearestNeighbors(n_neighbors=20).fit(standard).kneighbors(return_distance=False)
    graph = networkx.MultiGraph([(i, int(j)) for i, near in enumerate(links) for j in near])
    expected = networkx.community.modularity(graph, [set(np.flatnonzero(truth == k)) for k in (0, 1)])
    found = merits([truth, 1 - truth], rows(y))["modularity"]
    assert found == pytest.approx([expected, expected], abs=1e-6)


def test_of_few_rows_agreement_is_all_that_speaks():
    y, truth = arcs(MANIFOLD_FROM - 1)
    assert list(merits([truth, truth], rows(y))) == ["agreement"]
    assert list(merits([truth], rows(np.tile(y, (2, 1))))) == ["agreement"]


def test_of_many_rows_the_model_is_selected_whose_clusters_the_links_support(monkeypatch):
    y, truth = arcs(MANIFOLD_FROM)
    y, truth = y[np.argsort(truth)], np.sort(truth)  # in an order that means something
    means = KMeans(2, n_init=1, random_state=0).fit(y)
    options = {"hidden_size": 4, "x_size": 2, "w_size": 2, "epochs": 1, "init": "random"}
    models = [gmvae.GMVAE(2, random_state=seed, **options).fit(y) for seed in range(3)]
    said = {id(model.model_): i for i, model in enumerate(models)}

    def clusters(model, some):
        points = some.source[some.order]
        across = means.predict(points)
        inner = (np.hypot(*points.T) > 1.5).astype(np.int64)
        return (across, inner, across)[said[id(model)]]

    monkeypatch.setattr("gmvae.selection.most_probable", clusters)
    best, merit = gmvae.select(models, y)
    assert best == 1
    assert merit[0] == merit[2] < merit[1]
