"""Rows that belong to no cluster: limits from known log densities, and from fits."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.datasets import make_moons
from small_fits import three_blobs

import gmvae
from gmvae import GMVAE
from gmvae.assess.outliers import RATE, Limits
from gmvae.cli.app import main

SCALES = np.array([0.5, 1.0, 4.0])


def gaussians(size: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three Gaussians that are far apart and of different widths, and their clusters."""
    rng = np.random.default_rng(seed)
    clusters = rng.integers(3, size=count)
    return rng.normal(size=(count, size)) * SCALES[clusters, None] + 100.0 * clusters[:, None], clusters


def density(y: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Their exact log densities."""
    size = y.shape[1]
    each = [multivariate_normal(np.full(size, 100.0 * k), SCALES[k] ** 2).logpdf(y) for k in range(3)]
    return np.array(each)[clusters, range(len(y))]


def certain(clusters: np.ndarray) -> np.ndarray:
    return np.eye(3)[clusters]


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 5, 30])
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_of_gaussians_few_rows_are_outliers_and_nearly_all_outliers_are(size, share):
    y, clusters = gaussians(size, 5000, seed=size)
    strange = np.random.default_rng(0).random(len(y)) < share
    y[strange] += 60 * np.random.default_rng(1).normal(size=(strange.sum(), size))
    limits = Limits.of(density(y, clusters), certain(clusters))
    fresh, theirs = gaussians(size, 100_000, seed=99)
    wrong = limits.beyond(density(fresh, theirs), certain(theirs)).mean()
    assert RATE / 3 < wrong < 2.5 * RATE if not share else wrong < 2.5 * RATE
    if share:
        assert limits.beyond(density(y, clusters), certain(clusters))[strange].mean() > 0.85


def test_rows_between_clusters_are_outliers():
    y, clusters = gaussians(2, 5000, seed=0)
    q = 0.9 * certain(clusters) + 0.1 / 3
    q[:10] = 0.4, 0.35, 0.25
    found = Limits.of(density(y, clusters), q).beyond(density(y, clusters), q)
    assert found[:10].all()
    q[:] = 0.4, 0.35, 0.25  # if all rows are between clusters, few are excluded for that
    assert Limits.of(density(y, clusters), q).probability == pytest.approx(0.4)


def test_a_cluster_of_few_rows_is_measured_by_all_rows():
    y, clusters = gaussians(2, 2000, seed=3)
    kept = (clusters != 2) | (np.cumsum(clusters == 2) <= 5)
    d = density(y[kept], clusters[kept])
    limits = Limits.of(d, certain(clusters[kept]))
    assert limits.median[2] == np.median(d)
    assert limits.median[0] == np.median(d[clusters[kept] == 0])
    assert Limits.from_json(json.loads(json.dumps(limits.to_json()))) == limits


@pytest.mark.slow
def test_a_fit_labels_them_where_it_is_asked_to(tmp_path):
    X, _ = three_blobs()
    planted = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]]) * 4 * np.ptp(X, 0)[:2]
    rows = np.vstack([X, np.hstack([planted, np.tile(X.mean(0)[2:], (4, 1))])])
    usual = GMVAE(3, epochs=40, random_state=0).fit(rows)
    model = GMVAE(3, epochs=40, random_state=0, outliers="label").fit(rows)
    assert usual.labels_.min() == 0
    assert (model.labels_[-4:] == -1).all()
    assert (model.labels_[:-4] == -1).mean() < 0.05
    kept = model.labels_ >= 0
    assert (model.labels_[kept] == usual.labels_[kept]).all()
    assert (model.predict(rows) == model.labels_).all()
    assert (usual.is_outlier(rows) == ~kept).all()
    model.save(tmp_path / "m.safetensors")
    assert (gmvae.load(tmp_path / "m.safetensors").predict(rows) == model.labels_).all()

    np.save(tmp_path / "rows.npy", rows)
    command = ["predict", str(tmp_path / "m.safetensors"), str(tmp_path / "rows.npy"), "-o"]
    for options, wanted in ((["--outliers", "label"], model.labels_), ([], usual.labels_)):
        assert main([*command, str(tmp_path / "out.npy"), *options]) == 0
        assert (np.load(tmp_path / "out.npy")[:, 0] == wanted).all()


def test_unknown_values_of_outliers_are_refused():
    with pytest.raises(ValueError, match="outliers is 'drop': it must be one of keep, label"):
        GMVAE(2, outliers="drop").fit(np.zeros((10, 2)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("kind", ["blobs", "wide", "moons", "tails"])
def test_of_clean_rows_at_most_a_few_in_a_hundred_are_outliers(kind, seed):
    rng = np.random.default_rng(seed)
    size, clusters = {"blobs": (2, 4), "wide": (30, 3), "moons": (2, 2), "tails": (5, 3)}[kind]
    if kind == "moons":
        y = make_moons(3000, noise=0.06, random_state=seed)[0]
    else:
        centres = rng.normal(size=(clusters, size)) * 14
        noise = rng.standard_t(8, size=(3000, size)) if kind == "tails" else rng.normal(size=(3000, size))
        y = centres[rng.integers(clusters, size=3000)] + noise
    strange = rng.uniform(2 * y.min(0) - y.max(0), 2 * y.max(0) - y.min(0), size=(50, size))
    for rows in (y[:1000], np.vstack([y[:1000], strange])):
        model = GMVAE(clusters, random_state=seed).fit(rows)
        assert model.is_outlier(y[1000:]).mean() < 0.06
    assert model.is_outlier(strange).mean() > (0.3 if kind == "moons" else 0.75)
