"""Candidate partitions: what each method finds, the scores of a partition, and which one is chosen."""

import json

import networkx as nx
import numpy as np
import pytest
from commands import here
from scipy.stats import multivariate_normal
from sklearn.covariance import oas
from sklearn.datasets import make_blobs, make_moons
from sklearn.metrics import adjusted_rand_score
from small_fits import quick

from gmvae import GMVAE
from gmvae.partition.conductance import conductance
from gmvae.partition.gaussians import RIDGE, criterion
from gmvae.start.candidates import centres, density, embedded, mixtures, spectral, trees
from gmvae.start.candidates.base import Rows
from gmvae.start.choice import CLOSE, choose
from gmvae.start.resampling import resampled

METHODS = [centres.candidates, mixtures.candidates, trees.candidates, spectral.candidates]
METHODS += [density.candidates, embedded.candidates, embedded.at_several_scales]


def moons(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return make_moons(count, noise=0.05, random_state=seed)


def blobs(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Twelve round clusters on a grid, with touching neighbours."""
    centres = np.stack(np.meshgrid(range(4), range(3)), -1).reshape(-1, 2)
    return make_blobs([60] * 12, 2, centers=centres, cluster_std=0.16, random_state=seed)


def test_conductance_is_that_of_networkx():
    rng = np.random.default_rng(0)
    clusters = rng.integers(3, size=40)
    near = np.stack([rng.permutation(np.delete(np.arange(40), i))[:4] for i in range(40)])
    graph = nx.Graph([(i, int(j)) for i in range(40) for j in near[i]])
    expected = [nx.conductance(graph, np.flatnonzero(clusters == k)) for k in range(3)]
    np.testing.assert_allclose(conductance(clusters, near), expected, rtol=1e-12)


def test_the_criterion_is_that_of_the_densities():
    rng = np.random.default_rng(0)
    y = np.concatenate([rng.normal(size=(50, 2)), [5.0, 0.0] + rng.normal(size=(30, 2)) * [0.2, 2.0]])
    clusters = np.repeat([0, 1], [50, 30])
    means = [y[clusters == k].mean(0) for k in (0, 1)]
    own = [oas(y[clusters == k])[0] + RIDGE * np.eye(2) for k in (0, 1)]
    both = oas(y - np.array(means)[clusters], assume_centered=True)[0] + RIDGE * np.eye(2)
    of_models = []
    for covariances, numbers in ((own, 2 * 2 + 1 + 2 * 3), ([both, both], 2 * 2 + 1 + 3)):
        total = sum(
            np.log(share) * (clusters == k).sum()
            + multivariate_normal(means[k], covariances[k]).logpdf(y[clusters == k]).sum()
            for k, share in ((0, 50 / 80), (1, 30 / 80))
        )
        of_models.append((total - numbers / 2 * np.log(80)) / 80)
    assert criterion(y, clusters) == pytest.approx(max(of_models), rel=1e-9)
    assert criterion(y, clusters) > criterion(y, rng.permutation(clusters)) + 1
    assert np.isfinite(criterion(np.repeat(y[:2], 5, axis=0), np.repeat([0, 1], [9, 1])))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=lambda method: f"{method.__module__}.{method.__name__}")
def test_every_method_finds_clear_clusters(method):
    y, labels = make_blobs([80, 50, 30], 3, centers=np.eye(3) * 20, random_state=0)
    found = list(method(Rows(y, 3, 0)))
    assert found
    for name, clusters in found:
        assert adjusted_rand_score(labels, clusters) == 1, name


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 4, 8, 14, 20])
@pytest.mark.parametrize("clusters", [2, 3])
def test_few_rows_are_enough(count, clusters):
    y = np.random.default_rng(count).normal(size=(count, 2))
    found = choose(Rows(y, clusters, 0), image=False)
    assert len(np.unique(found.clusters)) == clusters
    assert len(found.clusters) == count


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shapes_win_if_separated_and_gaussians_if_touching(seed):
    y, labels = moons(seed=seed)
    found = choose(Rows(y, 2, seed), image=False)
    assert adjusted_rand_score(labels, found.clusters) > 0.98
    assert adjusted_rand_score(labels, dict(centres.candidates(Rows(y, 2, seed)))["k-means"]) < 0.6
    rng = np.random.default_rng(seed)  # a small cloud at the edge of a large one, with no gap between them
    y = np.concatenate([2.0 * rng.normal(size=(500, 2)), 0.5 * rng.normal(size=(500, 2)) + [5.0, 0.0]])
    found = choose(Rows(y, 2, seed), image=False)
    assert adjusted_rand_score(np.repeat([0, 1], 500), found.clusters) > 0.9
    scores = {candidate.name: candidate for candidate in found.candidates}
    close = [c for c in scores.values() if c.criterion is not None]
    assert max(close, key=lambda c: c.criterion).name == found.name
    smallest = found.candidates[0].conductance
    assert all((c.criterion is not None) == (c.conductance <= CLOSE * smallest) for c in scores.values())


def test_images_are_not_scored_as_gaussians():
    found = choose(Rows(moons()[0], 2, 0), image=True)
    assert {candidate.criterion for candidate in found.candidates} == {None}
    assert found.name == found.candidates[0].name


@pytest.mark.slow
def test_tables_have_two_embeddings_and_the_second_can_be_found_again():
    y = make_blobs(80, 5, centers=3, cluster_std=3.0, random_state=1)[0]
    first, second = Rows(y, 3, 4), Rows(y, 3, 5)
    found, of_next = dict(embedded.candidates(first)), dict(embedded.candidates(second))
    kinds = ("full mixture", "single linkage")
    assert list(found) == [f"UMAP 20{number} + {kind}" for number in ("", " (2)") for kind in kinds]
    for kind in kinds:
        assert np.array_equal(found[f"UMAP 20 (2) + {kind}"], of_next[f"UMAP 20 + {kind}"])
    name = "UMAP 20 (2) + full mixture"
    agreement = [adjusted_rand_score(found[name], one) for one in resampled(first, name, 3)]
    assert len(agreement) == 3
    assert min(agreement) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("make", [moons, blobs])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_fit_keeps_its_start(make, seed):
    y, labels = make(seed=seed)
    k = len(set(labels))
    model = GMVAE(k, random_state=seed, threads=1, epochs=60).fit(y)
    start = choose(Rows((y - y.mean(0)) / y.std(0), k, seed), image=False)
    assert model.start_["init"] == "candidates"
    assert adjusted_rand_score(start.clusters, model.labels_) > 0.95
    assert adjusted_rand_score(labels, model.labels_) > 0.95


@pytest.mark.slow
def test_a_start_lists_its_candidates(tmp_path):
    y, _ = moons(100)
    np.save(tmp_path / "y.npy", y)
    flags = ["--clusters", 2, "--epochs", 1, "--plot-every", 0, "--hidden-size", 16, "--seed", 3]
    said = here("train", "data", "--path", tmp_path / "y.npy", *flags, "--run-dir", tmp_path / "run")
    assert said.status == 0, said.err
    (start,) = json.loads((tmp_path / "run" / "start.json").read_text())
    named = {candidate["name"] for candidate in start["candidates"]}
    assert {"k-means", "full mixture", "Ward", "spectral"} <= named
    conductances = [candidate["conductance"] for candidate in start["candidates"]]
    assert conductances == sorted(conductances)
    assert "mean conductance" in start["reason"]
    assert start["reason"] in " ".join(here("info", tmp_path / "run").out.split())
    assert quick(random_state=3, init="random", epochs=1).fit(y).start_["candidates"] == []
