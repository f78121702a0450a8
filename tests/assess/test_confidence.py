"""Stability and confidence of rows: shares computed by hand, and a calibration with a known truth."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import expit, logit

import gmvae
from gmvae import GMVAE
from gmvae.assess.confidence import Confidence, stability

SLOPE, INTERCEPTS = 0.7, np.array([1.0, -2.0, 0.0])


def observed(count: int, seed: int, starts: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """q(z | y) of rows, and the share of a number of starts in which each row keeps its cluster."""
    rng = np.random.default_rng(seed)
    highest, clusters = rng.uniform(0.5, 0.999, count), rng.integers(3, size=count)
    q = np.repeat((1 - highest)[:, None] / 2, 3, 1)
    q[range(count), clusters] = highest
    kept = expit(INTERCEPTS[clusters] + SLOPE * logit(highest))
    return q, rng.binomial(starts, kept) / starts


def error(stated: np.ndarray, found: np.ndarray) -> float:
    """The mean difference between stated and found probabilities over ten bins."""
    bins = np.minimum((stated * 10).astype(int), 9)
    return sum(
        abs(stated[bins == b].mean() - found[bins == b].mean()) * (bins == b).mean() for b in set(bins)
    )


def test_stability_is_the_share_of_partitions_that_agree():
    clusters = np.array([0, 0, 0, 1, 1, 1])
    renamed = np.array([2, 2, 2, 0, 0, 0])
    moved = np.array([1, 1, 0, 0, 0, 0])  # the third row has changed clusters
    merged = np.zeros(6, int)  # one cluster: it is matched with one of the two
    found = stability(clusters, [renamed, moved])
    assert found.tolist() == [1, 1, 0.5, 1, 1, 1]
    assert sorted(stability(clusters, [merged]).tolist()) == [0, 0, 0, 1, 1, 1]


def test_calibration_finds_the_truth():
    found = Confidence.of(*observed(20_000, 0))
    assert found.slope == pytest.approx(SLOPE, abs=0.03)
    assert found.intercepts == pytest.approx(INTERCEPTS, abs=0.05)
    assert Confidence.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("seed", range(5))
def test_calibration_holds_for_other_rows(seed):
    found = Confidence.of(*observed(500, seed))
    q, kept = observed(2000, 100 + seed)
    assert error(found(q), kept) < 0.05 < error(q.max(1), kept)


def test_confidence_is_one_if_every_row_keeps_its_cluster():
    q, _ = observed(50, 0)
    assert Confidence.of(q, np.ones(50))(q) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_a_fit_knows_which_clusters_depend_on_the_sample(tmp_path):
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(200, 2)), 0.1 * rng.normal(size=(50, 2)) + 15])
    model = GMVAE(3, epochs=5, random_state=0, resamples=10).fit(X)  # the wide blob is split in some way
    small = model.labels_[-1]
    assert (model.labels_[200:] == small).all()
    assert (model.labels_[:200] != small).all()
    assert model.stability_[200:].mean() > 0.99 > 0.97 > model.stability_[:200].mean()
    assert model.cluster_stability_.argmax() == small

    fresh = np.vstack([rng.normal(size=(50, 2)), 0.1 * rng.normal(size=(50, 2)) + 15])
    stated = model.confidence(fresh)
    assert stated[50:].min() > stated[:50].mean()
    model.save(tmp_path / "m.safetensors")
    assert (gmvae.load(tmp_path / "m.safetensors").confidence(fresh) == stated).all()
    with pytest.raises(ValueError, match="not calibrated: fit with resamples=20"):
        GMVAE(2, epochs=1).fit(X[:20]).confidence(X)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["iris", "wine"])
def test_confidence_is_calibrated_on_held_out_rows(name):
    from sklearn import datasets

    X = getattr(datasets, f"load_{name}")().data
    for seed in range(3):
        model = GMVAE(5, random_state=seed, resamples=20).fit(X)
        order = np.random.default_rng(seed).permutation(len(X))
        used, others = order[::2], order[1::2]
        q = model.predict_proba(X)
        stated = Confidence.of(q[used], model.stability_[used])(q[others])
        assert error(stated, model.stability_[others]) < 0.1
