"""The doctor: its diagnostics, compared with other calculations, and its findings on fits with problems."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from commands import here
from scipy.special import xlogy
from sklearn.datasets import load_wine, make_blobs
from sklearn.metrics import mutual_info_score

from gmvae import GMVAE
from gmvae.assess.diagnostics import Diagnostics, confusion, examine
from gmvae.assess.doctor import ONE, WORDS, diagnose
from gmvae.config import ModelConfig, ObjectiveConfig

SMALL = {"hidden_size": 32, "x_size": 2, "w_size": 2, "batch_size": 64, "learning_rate": 3e-3}
COLD = {"init": "random", "warm_up": 0, "cv_warm_up": 0}
rng = np.random.default_rng(0)
BLOBS, GROUPS = make_blobs(600, 3, centers=3, cluster_std=0.6, random_state=1)
NOISE = rng.normal(size=(600, 3))
OUTLIERS = np.r_[rng.normal(size=(570, 3)), 0.3 * rng.normal(size=(30, 3)) + 9]
COINS = (rng.random((600, 30)) < 0.5).astype(float)
TWO_VALUES = np.c_[BLOBS, GROUPS == 0]


def fit(y: np.ndarray, clusters: int, seed: int = 0, **options) -> GMVAE:
    return GMVAE(clusters, random_state=seed, threads=1, **{**SMALL, "epochs": 40, **options}).fit(y)


def said(y: np.ndarray, clusters: int, **options) -> dict[str, str]:
    """The findings: severity and message by name."""
    return findings(fit(y, clusters, **options))


def findings(model: GMVAE) -> dict[str, str]:
    return {f.name: f"{f.severity}: {f.message}" for f in model.findings_}


# ---- diagnostics


@pytest.mark.parametrize("assignment", ["recogniser", "posterior"])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_diagnostics_are_those_of_a_calculation_with_numpy(build, observations, assignment, likelihood):
    model, y = build(assignment=assignment, likelihood=likelihood), observations(likelihood, 2500)
    diagnostics, q = examine(model, y)  # three batches
    with torch.no_grad():
        q_x, q_w, q_z = model.recognition(y)
        mean, variance = model.generative.p_x(q_w.mean).mean, model.generative.p_x(q_w.mean).variance
        x = q_x.mean[:, None]
        logits = (-0.5 * ((x - mean) ** 2 / variance + variance.log())).sum(-1).numpy()
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = p if assignment == "posterior" else q_z.probs.numpy()
    np.testing.assert_allclose(q, expected, atol=1e-12)
    entropy = -xlogy(expected, expected).sum(1).mean()
    whole = -(expected.mean(0) * np.log(expected.mean(0))).sum()
    assert diagnostics.z_entropy == pytest.approx(entropy, rel=1e-9)
    assert diagnostics.z_information == pytest.approx(whole - entropy, rel=1e-9)
    assert diagnostics.active_x == sum(np.var(q_x.mean.numpy()[:, d]) > 0.01 for d in range(2))
    assert diagnostics.active_w == sum(np.var(q_w.mean.numpy()[:, d]) > 0.01 for d in range(2))
    assert diagnostics.agreement == pytest.approx(np.mean(expected.argmax(1) == p.argmax(1)))
    shares = [np.mean(expected.argmax(1) == k) for k in range(4)]
    np.testing.assert_allclose(diagnostics.occupancy, shares)
    with torch.no_grad():
        p_y = model.generative.p_y(q_x.mean)
    smallest = 1.0 if likelihood == "bernoulli" else float(p_y.variance.mean(0).min())
    assert diagnostics.smallest_variance == pytest.approx(smallest)
    assert Diagnostics.from_json(json.loads(json.dumps(diagnostics.to_json()))) == diagnostics


def test_information_of_certain_assignments_is_that_of_labels(build):
    model, y = build(scale=1.0), torch.randn(500, 3, dtype=torch.float64)
    with torch.no_grad():
        model.recognition.z.weight.mul_(1e4)
    diagnostics, q = examine(model, y)
    clusters = q.argmax(1)
    assert diagnostics.z_entropy < 0.01
    assert diagnostics.z_information == pytest.approx(mutual_info_score(clusters, clusters), abs=0.01)


def test_units_that_do_not_move_are_not_active(build, observations):
    model, y = build(), observations("gaussian", 200)
    with torch.no_grad():
        model.recognition.x.weight[1] = 0  # the mean of the second unit
        model.recognition.w.weight[:2] = 0
    diagnostics, _ = examine(model, y)
    assert (diagnostics.active_x, diagnostics.active_w) == (1, 0)


def test_confusion_of_posteriors_made_by_hand():
    halves = np.array([[0.5, 0.5, 0, 0]] * 6 + [[0, 0, 1, 0]] * 6)
    assert confusion(halves) == ((0, 1, 0.5),)
    certain = np.eye(4)[[0, 1, 2] * 4]
    assert confusion(certain) == ()
    assert confusion(certain, halves) == ((0, 1, 0.5),)
    touching = np.array([[1.0, 0], [1, 0], [1, 0], [0.2, 0.8], [0, 1]])
    assert confusion(touching) == ((0, 1, round(0.16 / 1.8, 4)),)


def test_estimators_that_were_pickled_with_the_earlier_name_can_be_read():
    with pytest.warns(FutureWarning, match="Signs is now called Diagnostics"):
        assert pickle.loads(b"cgmvae.assess.diagnostics\nSigns\n.") is Diagnostics


# ---- findings


@pytest.mark.slow
def test_a_healthy_fit_has_none():
    assert said(BLOBS, 3) == {}
    assert said(BLOBS, 3, init="random") == {}


@pytest.mark.slow
def test_clusters_that_ignore_the_data():
    found = said(NOISE, 4, cv_weight=0.0, init="random")
    assert list(found) == ["ignored"]
    assert found["ignored"].startswith("warning: Clusters ignore the data: they carry 0.0")
    assert found["ignored"].endswith(" of at most 1.39 nats about the data.")


@pytest.mark.slow
def test_clusters_that_die():
    model = fit(BLOBS, 20, cv_weight=5.0, **COLD)
    found = findings(model)
    assert list(found) == ["dead"]
    assert found["dead"].startswith("warning: 1")
    assert "of 20 clusters hold no data; " in found["dead"]
    assert "give cv_warm_up some epochs" in model.findings_[0].advice


@pytest.mark.slow
def test_everything_in_one_cluster():
    """Most seeds, but not all, end there with so large a weight: seeds are tried until one does."""
    fits = (fit(NOISE, 4, cv_weight=20.0, epochs=25, seed=seed, **COLD) for seed in range(12))
    for model in fits:
        found, share = findings(model), (model.labels_ == 0).mean()
        assert ("one-cluster" in found) == (share >= ONE)
        if share >= ONE:
            assert found["one-cluster"] == f"warning: Cluster 0 holds {share:.1%} of the data."
            assert "dead" not in found
            return
    pytest.fail("no fit ended in one cluster")


@pytest.mark.slow
def test_one_cluster_and_outliers_are_a_note():
    assert said(OUTLIERS, 2) == {"lopsided": "note: Cluster 0 holds 95% of the data."}


@pytest.mark.slow
def test_clusters_that_share_one_group():
    model = fit(BLOBS, 6, cv_weight=0.0, init="kmeans", view_weight=0.0)
    found = findings(model)
    assert found["merged"].startswith("warning: Clusters ")
    assert found["merged"].count(" and ") >= 1
    assert "disagreement" in found  # which half an observation belongs to is arbitrary
    assert ("dead" in found) == (0.0 in model.diagnostics_.occupancy)


def test_latents_that_are_not_used():
    """With coins, which have no structure, most seeds leave x unused: seeds are tried until one does."""
    for seed in range(12):
        model = fit(COINS, 4, seed=seed, epochs=15, **COLD)
        found = findings(model)
        assert ("x-unused" in found) == (model.diagnostics_.active_x == 0)
        if "x-unused" in found:
            assert found["x-unused"] == (
                "warning: None of the 2 units of x changes with the data: the decoder gives the same output "
                "for everything."
            )
            return
    pytest.fail("every fit used x")


@pytest.mark.slow
def test_unbounded_densities():
    fits = (findings(fit(TWO_VALUES, 3, seed=seed, min_variance=0.0, epochs=300)) for seed in range(8))
    found = next(found for found in fits if "unbounded" in found)  # most of them do
    assert found["unbounded"].startswith("warning: p(y | x) has a variance of ")
    assert "unbounded" not in said(TWO_VALUES, 3, epochs=100)


@pytest.mark.slow
def test_training_that_has_not_ended(tmp_path):
    """Noise has clusters with arbitrary borders, and the steps here are far too large."""
    np.save(tmp_path / "noise.npy", NOISE)
    flags = ["--clusters", 6, "--hidden-size", 16, "--x-size", 2, "--w-size", 2, "--batch-size", 64]
    flags += ["--epochs", 30, "--warm-up", 0, "--cv-warm-up", 0, "--init", "random", "--learning-rate", 0.02]
    run = tmp_path / "run"
    said = here(
        "train", "data", "--path", tmp_path / "noise.npy", *flags, "--plot-every", 0, "--run-dir", run
    )
    assert said.status == 0, said.err
    summary = json.loads((run / "summary.json").read_text())
    found = {finding["name"]: finding["message"] for finding in summary["findings"]}
    moved = [json.loads(line)["moved"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert found["moving"].startswith(f"{np.mean(moved[-3:]):.1%} of the data still change their cluster")


def test_a_bound_that_falls():
    """Compare the records of a run with too high a learning rate and of a good run."""
    calm = Diagnostics((0.5, 0.5), 0.0, 0.69, 1, 1, 1.0, (), 1.0)
    model, objective = ModelConfig(clusters=2), ObjectiveConfig(warm_up=5)

    def records(bounds):
        return [{"epoch": 1 + i, "elbo": bound, "moved": 0.0} for i, bound in enumerate(bounds)]

    falling = records([-9.0] * 5 + [-3.0] * 10 + [-4.5] * 10)
    (finding,) = diagnose(calm, model, objective, falling)
    assert finding.name == "unstable"
    assert finding.message == "The bound fell from -3.0 to -4.5 nats while all weights were full."
    assert diagnose(calm, model, objective, records([-3.0] * 5 + [-9.0] * 10 + [-4.5] * 10)) == []
    assert diagnose(calm, model, objective, records([-3.0] * 5 + [-9.0])) == []


@pytest.mark.slow
def test_the_default_on_wine_is_healthy_and_three_too_many_on_the_spiral_a_note(tmp_path):
    assert GMVAE(3, random_state=0, threads=1).fit(load_wine().data).findings_ == []
    run = tmp_path / "run"
    assert here("train", "spiral", "--plot-every", 0, "--run-dir", run).status == 0
    findings = json.loads((run / "summary.json").read_text())["findings"]
    assert [(f["name"], f["severity"]) for f in findings] == [("dead", "note")]
    assert findings[0]["message"].startswith("3 of 8 clusters hold no data")
    assert findings[0]["advice"].startswith("That is fine if the data have 5 groups. If they have more")


def test_every_finding_has_its_words():
    for message, advice in WORDS.values():
        assert message.endswith(".")
        assert advice.endswith(".") or advice == "{tried}"
        assert "\n" not in message + advice
