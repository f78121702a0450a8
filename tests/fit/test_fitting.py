"""Fits: starts by k-means, weights, restarts, warm starts, early stopping, and progress reports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler
from small_fits import quick, taught

import gmvae
from gmvae.data.observations import Observations
from gmvae.data.scales.scaling import standardising
from gmvae.data.survey import Survey
from gmvae.fit import result
from gmvae.fit.engine import Engine
from gmvae.fit.parameters import configuration
from gmvae.fit.restart import Restart
from gmvae.fit.scores import best
from gmvae.model import objective
from gmvae.model.answers import most_probable, precise
from gmvae.model.inference import assign
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.start.kmeans import guide, guided_passes, k_means
from gmvae.start.material import Material
from gmvae.training.fast.step import FastStep
from gmvae.training.random import RandomStream


@pytest.mark.slow
@pytest.mark.parametrize("assignment", ["recogniser", "posterior"])
def test_kmeans_leads_a_new_model_to_its_clusters(assignment):
    """On data without clusters, on which only k-means finds these borders."""
    y = np.random.default_rng(0).uniform(size=(200, 2)) * [1, 1000]
    parameters = taught(assignment=assignment, epochs=30).get_params()
    scaling = standardising(Survey.of(y, np.ones(200)).moments)
    standard = Observations(y, scaling, (2,), torch.device("cpu"))
    plan = configuration(parameters)
    plan = replace(plan, model=replace(plan.model, likelihood="gaussian"))
    assert guided_passes(200, plan.training) == 30  # passes of five steps; 300 would be 60
    stream = RandomStream(0, torch.device("cpu"))
    model = fresh(lambda: GaussianMixtureVAE((2,), plan.model), stream.cpu)
    labels = KMeans(3, n_init=10, random_state=4).fit_predict(scaling.apply(y))
    (values,) = standard.batches(200)
    before = assign(precise(model), values).argmax(1)
    guide(Material(model, standard, values, None, plan.objective, plan.training, 4, stream))
    after = assign(precise(model), values).argmax(1)
    assert adjusted_rand_score(labels, after) > 0.8 > 0.6 > adjusted_rand_score(labels, before)


@pytest.mark.slow
def test_a_fit_starts_from_the_best_of_ten_kmeans():
    """On iris, on which a single k-means with this seed splits setosa."""
    y, species = load_iris(return_X_y=True)
    found = taught(epochs=30).fit(y)
    assert adjusted_rand_score(species, found.labels_) > 0.55
    assert len(set(found.labels_[species == 0])) == 1


def test_kmeans_sees_weights_and_narrow_groups():
    rng = np.random.default_rng(0)
    y = np.repeat([[0.0], [1.0], [1.0 + 1e-4]], 20, axis=0) + 1e-6 * rng.normal(size=(60, 1))
    far = np.vstack([1e3 + y, [[1e3 + 40], [1e3 - 40]]])
    weights = np.r_[np.full(60, 1e9), 1e-9, 1e-9]
    found = k_means(far, 3, 0, weights).clusters[:60]
    assert adjusted_rand_score(np.repeat([0, 1, 2], 20), found) == 1


@pytest.mark.slow
def test_weights_are_numbers_of_rows(blobs):
    y = blobs[0][::4]
    weights = np.random.default_rng(0).integers(0, 4, len(y))
    ours = taught().fit(y, sample_weight=weights)
    theirs = taught().fit(np.repeat(y, weights, axis=0))
    without = taught().fit(y[weights > 0], sample_weight=weights[weights > 0])
    for other in (theirs, without):
        np.testing.assert_array_equal(ours.predict_proba(y), other.predict_proba(y))
        assert ours.elbo_ == pytest.approx(other.elbo_, rel=1e-9)
    plain = taught(cv_weight=0.0).fit(y, sample_weight=weights)
    assert plain.elbo_ == pytest.approx(np.average(plain.score_samples(y), weights=weights), rel=1e-9)
    assert plain.restarts_[0]["loss"] == pytest.approx(-plain.elbo_, rel=1e-9)
    assert (ours.predict_proba(y) != taught().fit(y).predict_proba(y)).any()
    strange = np.vstack([y, 1e6 * y[:5]])
    zeros = np.r_[np.ones(len(y)), np.zeros(5)]
    np.testing.assert_array_equal(
        taught().fit(strange, sample_weight=zeros).predict_proba(y), taught().fit(y).predict_proba(y)
    )


@pytest.mark.slow
def test_clusters_of_rows_without_weight_are_not_in_use(blobs, monkeypatch):
    y, labels = blobs
    shares = np.bincount(labels) / len(labels)
    monkeypatch.setattr(result, "number", lambda *given, **named: (labels, shares))
    assert taught(epochs=1).fit(y).n_clusters_used_ == 3
    assert taught(epochs=1).fit(y, sample_weight=(labels != 2).astype(float)).n_clusters_used_ == 2


@pytest.mark.slow
def test_the_restart_that_agrees_most_with_the_others_is_kept(blobs, monkeypatch):
    outcomes, outcome = [], Restart.outcome
    monkeypatch.setattr(Restart, "outcome", lambda restart: outcomes.append(outcome(restart)) or outcomes[-1])
    model = quick(n_init=4, init="random").fit(blobs[0])
    partitions = [most_probable(found.model, Observations.of(blobs[0])) for found in outcomes]
    mean = [np.mean([adjusted_rand_score(a, b) for b in partitions if b is not a]) for a in partitions]
    assert len(set(mean)) == 4
    kept = outcomes[int(np.argmax(mean))]
    assert model.history_ == kept.history
    agree = adjusted_rand_score(
        most_probable(model.model_, Observations.of(blobs[0])), partitions[np.argmax(mean)]
    )
    assert agree == 1
    assert [restart["agreement"] for restart in model.restarts_] == pytest.approx(mean)
    assert {restart["n_iter"] for restart in model.restarts_} == {model.n_iter_} == {3}


def test_restarts_are_recorded():
    rows = Observations.of(np.arange(12.0).reshape(6, 2))

    def kept(*clusters: list[int], losses=(4.0, 3.0, 2.0, 1.0)) -> tuple[int, list[float]]:
        chosen, scores = best([np.array(c) for c in clusters], losses[: len(clusters)], rows)
        return chosen, [score["agreement"] for score in scores]

    halves, same, other, one = [0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 0, 1], [0] * 6
    assert kept(halves) == (0, [0.0])
    assert kept(halves, other)[0] == kept(other, halves)[0] == 1  # of two, the one with the smaller loss
    assert kept(halves, other, same)[0] == 2
    assert kept(other, same, halves, [0, 0, 1, 1, 1, 1])[0] == 2
    assert kept(one, one, halves, same) == (3, [0.0, 0.0, pytest.approx(1 / 3), pytest.approx(1 / 3)])


@pytest.mark.slow
def test_the_loss_of_a_restart_is_that_of_the_objective_with_full_weights(blobs):
    """Even while everything still warms up in training, cv_weight affects the value."""
    light, heavy = (
        quick(init="random", warm_up=3, cv_warm_up=9, cv_weight=w).fit(blobs[0]) for w in (0.0, 50.0)
    )
    np.testing.assert_array_equal(light.transform(blobs[0]), heavy.transform(blobs[0]))
    standard = torch.from_numpy(StandardScaler().fit_transform(blobs[0].astype(np.float64)))
    with torch.no_grad():
        terms = objective.five_terms(precise(light.model_), standard, 300)
    violation = terms.consistency_violation.mean().item()
    difference = heavy.restarts_[0]["loss"] - light.restarts_[0]["loss"]
    assert difference == pytest.approx(50 * violation, rel=0.2)


@pytest.mark.slow
def test_a_warm_start_continues(blobs):
    y = blobs[0]
    model = taught(warm_start=True, epochs=4, warm_up=0, cv_warm_up=0, learning_rate=3e-3).fit(y)
    before = model.score(y)
    model.fit(y)
    assert [record["epoch"] for record in model.history_] == list(range(1, 9))
    assert model.n_iter_ == 8
    assert model.history_[4]["loss"] < model.history_[0]["loss"]
    assert model.score(y) > before
    model.set_params(warm_start=False).fit(y)
    assert model.n_iter_ == len(model.history_) == 4
    assert model.score(y) == before
    with pytest.raises(ValueError, match="warm_start would continue a model with other sizes"):
        model.set_params(warm_start=True, n_clusters=2).fit(y)
    with pytest.raises(ValueError, match="is expecting 3 features"):
        model.set_params(n_clusters=3).fit(y[:, :2])
    assert (model.n_clusters_, model.n_features_in_, model.score(y)) == (3, 3, before)


@pytest.mark.slow
def test_a_warm_start_does_not_warm_up_again(blobs):
    """However many epochs follow, their objective has its full weights."""
    seen = []
    model = taught(warm_start=True, epochs=4, warm_up=0.5, cv_warm_up=0.5).fit(blobs[0])
    step = FastStep.__call__
    with pytest.MonkeyPatch.context() as patch:

        def watched(one, y, epoch, noise):
            seen.append(one.objective.warmth(epoch))
            return step(one, y, epoch, noise)

        patch.setattr(FastStep, "__call__", watched)
        model.set_params(epochs=20, max_clusters=7).fit(blobs[0][:64])
    assert set(seen) == {(1.0, 1.0)}


@pytest.mark.slow
def test_a_warm_start_is_anchored_to_the_taught_partition(blobs, monkeypatch):
    held = []
    monkeypatch.setattr("gmvae.training.loop.Trainer.anchor", lambda trainer: held.append(trainer.epoch))
    model = quick(warm_start=True, epochs=2, init="random").fit(blobs[0])
    model.fit(blobs[0])
    assert held == []
    model.start_ = {"init": "candidates"}
    model.set_params(init="candidates").fit(blobs[0])
    assert held == [4]


@pytest.mark.parametrize(
    ("options", "epochs", "rate"),
    [
        ({}, 80, 3e-3),
        ({"learning_rate": 0.01, "epochs": 2}, 2, 0.01),
        ({"image_shape": (3, 1)}, 80, 1e-3),
        ({"init": "random"}, 150, 1e-3),
        ({"assignment": "posterior"}, 150, 1e-3),
    ],
)
def test_fits_after_a_taught_start_are_shorter(monkeypatch, options, epochs, rate):
    def fit(engine):
        training = engine.config.training
        raise RuntimeError(f"{training.epochs} passes at {training.learning_rate:g}")

    monkeypatch.setattr(Engine, "fit", fit)
    y = np.random.default_rng(0).normal(size=(480, 3))  # 10 steps of 48 a pass
    with pytest.raises(RuntimeError, match=f"^{epochs} passes at {rate:g}"):
        taught(**{"epochs": "auto", "learning_rate": "auto", "batch_size": 48} | options).fit(y)


@pytest.mark.slow
def test_early_stopping_stops_and_keeps_the_best(blobs):
    model = quick(
        early_stopping=True, validation_fraction=0.25, n_iter_no_change=3, tol=1e3, epochs=40,
        warm_up=2, cv_warm_up=3, init="random",
    ).fit(blobs[0])  # fmt: skip
    assert (
        model.n_iter_ == len(model.history_) == 6 + 3
    )  # the first epoch without warm-up, and three after it
    after = [record["validation_loss"] for record in model.history_[5:]]
    assert model.restarts_[0]["loss"] == pytest.approx(min(after), rel=1e-9)
    patient = quick(early_stopping=True, n_iter_no_change=1.0, tol=0, epochs=5, init="random").fit(blobs[0])
    assert patient.n_iter_ == 5


@pytest.mark.slow
def test_verbose_prints_epochs(blobs, capsys):
    taught(epochs=20, verbose=1).fit(blobs[0][::8])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "start" not in line.split(", ")[2]] == lines[-10:]
    assert lines[0] == "GMVAE, restart 1 of 1, start: 0 %"
    assert lines[-10].startswith("GMVAE, restart 1 of 1, epoch 2 of 20: loss ")


@pytest.mark.slow
def test_select_keeps_the_model_that_agrees_most_with_others(blobs):
    y, labels = blobs
    models = [taught(epochs=15, x_size=size, random_state=size).fit(y) for size in (2, 3)]
    models.append(quick(epochs=1, init="random", random_state=5).fit(y))
    best, agreement = gmvae.select(models, y)
    assert best in (0, 1)
    assert adjusted_rand_score(labels, models[best].predict(y)) > 0.95
    assert agreement.argmin() == 2
    first, second = (model.score(y) for model in models[:2])
    assert gmvae.select(models[:2], y)[0] == int(second > first)
    with pytest.raises(ValueError, match="there are 1 models: there must be at least two"):
        gmvae.select(models[:1], y)
