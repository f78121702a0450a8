"""Few rows of many columns: how long they are fitted, and what the doctor says about held-out rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from commands import here
from scipy.stats import trim_mean
from sklearn.metrics import adjusted_rand_score

import gmvae
from gmvae import GMVAE
from gmvae.assess.diagnostics import Diagnostics
from gmvae.assess.doctor import diagnose
from gmvae.assess.holdout import Holdout, Trial, trimmed_mean
from gmvae.config import ModelConfig, ObjectiveConfig
from gmvae.fit.holdout import few_rows, surely_positive

SMALL = {"hidden_size": 32, "x_size": 2, "w_size": 2, "batch_size": 50, "learning_rate": 1e-2}


def wide() -> tuple[np.ndarray, np.ndarray]:
    """100 rows of two groups, which differ in 30 of 60 columns, with heavy-tailed noise."""
    y = np.random.default_rng(0).standard_t(2, size=(100, 60))
    groups = np.arange(100) % 2
    y[:, :30] += 8.0 * groups[:, None]
    return 3.0 * y, groups


@pytest.fixture(scope="module")
def fitted() -> GMVAE:
    return GMVAE(2, random_state=0, threads=1, **SMALL).fit(wide()[0])


@pytest.mark.slow
def test_few_rows_are_fitted_until_held_out_rows_stop_gaining(fitted):
    found = fitted.holdout_
    assert (found["rows"], found["full"]) == (10, 200)  # passes of two steps
    lengths = [trial["epochs"] for trial in found["trials"]]
    assert lengths == [7, 13, 25, 50, 100, 200][: len(lengths)]  # 4 epochs are only 8 steps
    assert fitted.n_iter_ == len(fitted.history_) == found["epochs"] < 100
    best = max(found["trials"], key=lambda trial: trial["trimmed"])
    assert found["epochs"] <= best["epochs"]
    assert found["trials"][-1]["held_out_elbo"] < best["held_out_elbo"] < best["elbo"]
    assert adjusted_rand_score(wide()[1], fitted.labels_) > 0.9


@pytest.mark.slow
def test_all_rows_are_fitted_for_the_epochs_that_were_found(fitted):
    """As if this number were given, with warm-ups that are shares of it."""
    y = wide()[0]
    given = GMVAE(2, epochs=fitted.n_iter_, random_state=0, threads=1, **SMALL).fit(y)
    assert given.holdout_ is None
    np.testing.assert_array_equal(given.predict_proba(y), fitted.predict_proba(y))


@pytest.mark.slow
def test_copies_of_rows_change_nothing(fitted):
    y = wide()[0]
    twice = GMVAE(2, random_state=0, threads=1, **SMALL).fit(np.repeat(y, 2, axis=0))
    assert twice.holdout_ == fitted.holdout_
    np.testing.assert_array_equal(twice.labels_[::2], fitted.labels_)


@pytest.mark.slow
def test_the_doctor_reports_both_bounds(fitted, tmp_path):
    (finding,) = [finding for finding in fitted.findings_ if finding.name == "overfit"]
    (trial,) = [trial for trial in fitted.holdout_["trials"] if trial["epochs"] == fitted.n_iter_]
    assert finding.severity == "warning"  # 10 rows have some outlying values
    assert finding.message == (
        f"After {fitted.n_iter_} epochs the bound is {trial['elbo']:.1f} nats on fitted rows, "
        f"and {trial['held_out_elbo']:.1f} on 10 held-out rows."
    )
    # in the units of the data, as score is
    assert trial["elbo"] == pytest.approx(fitted.score(wide()[0]), abs=50)  # the unit alone is about 120
    fitted.save(tmp_path / "model.safetensors")
    assert gmvae.load(tmp_path / "model.safetensors").holdout_ == fitted.holdout_


@pytest.mark.parametrize(
    ("rows", "y_shape", "answer"),
    [
        (19, (60,), False),
        (20, (60,), True),
        (599, (60,), True),
        (600, (60,), False),
        (39, (1, 8, 8), True),
        (40, (1, 8, 8), False),
        (1854, (1, 16, 16), False),
        (575, (1, 32, 32), True),
        (150, (4,), False),
        (178, (13,), False),
        (700, (765,), True),
    ],
)
def test_what_counts_as_few_rows(rows, y_shape, answer):
    assert few_rows(rows, y_shape) == answer


@pytest.mark.slow
def test_a_fit_that_stops_too_late_overfits():
    """On heavy-tailed noise, with early stopping after the warm-ups."""
    y = np.random.default_rng(0).standard_t(2, size=(60, 200))
    options = {
        "x_size": 10,
        "hidden_size": 64,
        "batch_size": 18,
        "epochs": 60,
        "warm_up": 0,
        "cv_warm_up": 50,
    }
    model = GMVAE(2, early_stopping=True, random_state=0, threads=1, **SMALL | options).fit(y)
    (trial,) = model.holdout_["trials"]
    assert (model.holdout_["rows"], trial["epochs"]) == (6, model.n_iter_)
    assert trial["elbo"] - trial["held_out_elbo"] > 200  # a warning needs 100, half a nat a column
    (finding,) = [finding for finding in model.findings_ if finding.name == "overfit"]
    assert finding.severity == "warning"
    bounds = f"{trial['elbo']:.1f} nats on fitted rows, and {trial['held_out_elbo']:.1f} on 6 held-out rows"
    assert bounds in finding.message


@pytest.mark.slow
def test_a_run_also_holds_rows_out(tmp_path):
    y, groups = wide()
    np.save(tmp_path / "wide.npy", np.repeat(y, 2, axis=0))
    flags = ["--clusters", 2, "--hidden-size", 32, "--x-size", 2, "--w-size", 2, "--batch-size", 100]
    flags += ["--learning-rate", 0.01, "--plot-every", 0, "--seed", 0]
    run = tmp_path / "run"
    said = here("train", "data", "--path", tmp_path / "wide.npy", *flags, "--run-dir", run)
    assert said.status == 0, said.err
    summary = json.loads((run / "summary.json").read_text())
    found = summary["holdout"]
    assert (found["rows"], found["full"]) == (10, 400)  # distinct ones: copies are held out together
    assert summary["epochs"] == found["epochs"] < 200
    config = json.loads((run / "config.json").read_text())["config"]
    assert config["training"]["epochs"] == found["epochs"]
    assert config["objective"]["warm_up"] < found["epochs"]
    assert "overfit" in [finding["name"] for finding in summary["findings"]]
    assert "on 10 held-out rows" in said.out
    assert gmvae.load(run).holdout_ == found
    assert adjusted_rand_score(groups, gmvae.load(run).predict(y)) > 0.9


def test_the_doctor_compares_held_out_rows():
    calm = Diagnostics((0.5, 0.5), 0.0, 0.69, 1, 1, 1.0, (), 1.0)
    model, objective = ModelConfig(clusters=2), ObjectiveConfig()

    def said(epochs: int, *bounds: tuple[int, float, float]) -> list[tuple[str, str, str]]:
        trials = tuple(Trial(length, seen, unseen, unseen) for length, seen, unseen in bounds)
        holdout = Holdout(rows=5, epochs=epochs, full=40, columns=10, trials=trials)
        assert Holdout.from_json(holdout.to_json()) == holdout
        return [
            (f.name, f.severity, f.advice[:31]) for f in diagnose(calm, model, objective, holdout=holdout)
        ]

    assert said(40, (20, -9, -10), (40, -6, -8)) == []
    assert said(20, (20, -9, -10), (40, -6, -12)) == [("overfit", "note", "There is nothing to mend. With ")]
    assert said(20, (20, -4, -10), (40, -3, -12)) == [
        ("overfit", "warning", "Use more rows, fewer columns (s")
    ]


def test_outliers_at_either_end_do_not_count():
    values = np.random.default_rng(0).normal(size=200)
    values[:5] = -1e6
    assert trimmed_mean(values, np.ones(200)) == pytest.approx(trim_mean(values, 0.1), rel=1e-9)
    weights = np.random.default_rng(1).integers(1, 4, size=200)
    repeated = np.repeat(values, weights)
    assert trimmed_mean(np.tile(values, 10), np.tile(weights, 10)) == pytest.approx(
        trim_mean(np.tile(repeated, 10), 0.1), abs=1e-6
    )


def test_a_gain_above_its_standard_error_is_significant():
    even = np.linspace(-1, 1, 101)
    error = even[10:91].clip(-0.8, 0.8).std() / np.sqrt(101) / 0.8  # about
    assert surely_positive(even + 1.4 * error, np.ones(101))
    assert not surely_positive(even + 0.7 * error, np.ones(101))
    even[-5:] = 1e6  # outliers say nothing
    assert not surely_positive(even + 0.7 * error, np.ones(101))
    assert not surely_positive(np.zeros(101), np.ones(101))
