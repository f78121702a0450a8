"""One engine: the command line and Python give the same fit, and a fit resumes from any point as if it had
never stopped."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from commands import here, records
from sklearn.datasets import make_blobs, make_moons

import gmvae
from gmvae import GMVAE
from gmvae.config import Config, ModelConfig, ObjectiveConfig, TrainingConfig
from gmvae.data.prepare import Prepared, prepare
from gmvae.fit.engine import Engine
from gmvae.fit.observer import Observer
from gmvae.store.files import read_tensors, write_tensors

CPU = torch.device("cpu")
SMALL = {"x_size": 2, "w_size": 2, "hidden_size": 16, "batch_size": 50}


def blobs(rows: int = 150) -> np.ndarray:
    """Three groups, with some rows that occur twice."""
    y = make_blobs(rows, 4, centers=3, random_state=2)[0]
    return np.concatenate([y, y[:20]])


def bars() -> np.ndarray:
    """Images of a bar in one of three places, as bytes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 60, (120, 6, 6))
    y[np.arange(120), :, 1 + 2 * rng.integers(3, size=120)] += 180
    return y.astype(np.uint8)


def flags(options: dict) -> list[str]:
    """Parameters of the estimator as flags of the command line."""
    names = {"n_clusters": "clusters", "n_init": "restarts"}
    given = []
    for name, value in options.items():
        flag = "--" + names.get(name, name).replace("_", "-")
        given += [flag] if value is True else [flag, "0" if value == "auto" else str(value)]
    return given


CASES = {
    "k-means": (blobs, {"n_clusters": 3, "init": "kmeans", "epochs": 4}),
    "restarts, early stopping": (
        blobs, {"n_clusters": 3, "n_init": 3, "epochs": 12, "early_stopping": True, "n_iter_no_change": 2},
    ),
    "posterior": (blobs, {"n_clusters": 3, "assignment": "posterior", "epochs": 4}),
    "images": (bars, {"n_clusters": 3, "init": "kmeans", "epochs": 3, "filters": 2}),
    "open number of clusters": (
        blobs, {"n_clusters": "auto", "max_clusters": 4, "n_init": 2, "init": "kmeans", "epochs": 3},
    ),
    "manifold": (
        lambda: make_moons(1_000, noise=0.05, random_state=0)[0],
        {"n_clusters": 2, "init": "manifold", "epochs": 2},
    ),
}  # fmt: skip
SLOW = ("open number of clusters", "manifold")


@pytest.mark.slow
def test_a_column_of_weights_is_sample_weight(tmp_path):
    y = blobs()
    weights = np.random.default_rng(3).integers(0, 5, len(y)) / 4
    pd.DataFrame(y, columns=list("abcd")).assign(w=weights).to_parquet(tmp_path / "y.parquet")
    options = {**SMALL, "n_clusters": 3, "epochs": 4, "n_init": 2, "threads": 1}
    said = here(
        "train", "data", "--path", tmp_path / "y.parquet", "--weight-column", "w", *flags(options),
        "--seed", "7", "--device", "cpu", "--run-dir", tmp_path / "run",
    )  # fmt: skip
    assert said.status == 0, said.err
    model = GMVAE(**options, random_state=7, device="cpu").fit(y, sample_weight=weights)
    theirs = gmvae.load(tmp_path / "run", "cpu")
    assert theirs.elbo_ == model.elbo_
    for name, value in theirs.model_.state_dict().items():
        assert torch.equal(value, model.model_.state_dict()[name]), name
    # the weights are no feature: another file need not have them
    pd.DataFrame(y, columns=list("abcd")).to_csv(tmp_path / "other.csv", index=False)
    assert here("predict", tmp_path / "run", tmp_path / "other.csv", "-o", tmp_path / "p.csv").status == 0
    assert pd.read_csv(tmp_path / "p.csv")["cluster"].tolist() == model.labels_.tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow if case in SLOW else ()) for case in CASES]
)
def test_the_command_line_and_python_give_the_same_fit(case, tmp_path):
    """The same rows, settings and seed: the same labels, and the same weights of the network, bit for bit."""
    make, options = CASES[case]
    y, options = make(), {**SMALL, **options, "threads": 1}
    np.save(tmp_path / "y.npy", y)
    run = tmp_path / "run"
    said = here(
        "train", "data", "--path", tmp_path / "y.npy", *flags(options), "--seed", "7", "--device", "cpu",
        "--plot-every", "0", "--run-dir", run,
    )  # fmt: skip
    assert said.status == 0, said.err
    shape = None if y.ndim == 2 else y.shape[1:]
    model = GMVAE(**options, random_state=7, image_shape=shape, device="cpu").fit(y.reshape(len(y), -1))
    theirs = gmvae.load(run, "cpu")
    np.testing.assert_array_equal(theirs.predict(y.reshape(len(y), -1)), model.labels_)
    ours = model.model_.state_dict()
    for name, value in theirs.model_.state_dict().items():
        assert torch.equal(value, ours[name]), name
    assert theirs.elbo_ == model.elbo_
    assert (theirs.restarts_, theirs.start_) == (model.restarts_, model.start_)
    assert (theirs.choice_, theirs.holdout_) == (model.choice_, model.holdout_)


def configuration(**training: object) -> Config:
    return Config(
        model=ModelConfig(
            clusters=3,
            x_size=2,
            w_size=2,
            hidden_size=8,
            network="auto",
            likelihood="auto",
            min_variance=0.01,
        ),
        objective=ObjectiveConfig(warm_up=0.2, cv_warm_up=0.2),
        training=replace(
            TrainingConfig(batch_size=50, epochs=3, init="kmeans", seed=5, threads=1, device="cpu"),
            **training,
        ),
    )


class States(Observer):
    """Records the state of a fit at every event between which it may be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0

    def begin(self, fit):
        self.fit = fit

    def _take(self) -> None:
        self.count += 1
        write_tensors(self.folder / f"{self.count}.safetensors", *self.fit.state())

    def started(self, restart, start):
        self._take()

    def epoch(self, record, moment):
        self._take()


@pytest.fixture(scope="module")
def data() -> Prepared:
    return prepare(blobs(), device=CPU)


@pytest.mark.slow
@pytest.mark.parametrize(
    "training",
    [
        {"restarts": 3},
        pytest.param(
            {"restarts": 2, "early_stopping": True, "epochs": 8, "n_iter_no_change": 2},
            marks=pytest.mark.slow,
        ),
        {"augment": "table"},
    ],
)
def test_a_fit_resumes_from_every_state_to_the_same_bits(data, tmp_path, training):
    """Through a file and back, in a new engine."""
    states = States(tmp_path)
    whole = Engine(configuration(**training), data, [states]).fit()
    assert states.count >= 4
    for number in range(1, states.count + 1):
        engine = Engine(configuration(**training), data)
        engine.restore(read_tensors(tmp_path / f"{number}.safetensors"))
        again = engine.fit()
        assert (again.elbo, again.kept) == (whole.elbo, whole.kept)
        np.testing.assert_array_equal(again.labels, whole.labels)
        for key in ("seconds",):
            ours, theirs = ([{**r, key: 0} for r in found.history] for found in (again, whole))
            assert ours == theirs
        for name, value in again.model.state_dict().items():
            assert torch.equal(value, whole.model.state_dict()[name]), (number, name)


@pytest.mark.slow
def test_killed_restarts_end_as_if_never_killed(tmp_path):
    """Three restarts side by side: killed by SIGKILL, and resumed from the command line."""
    np.save(tmp_path / "y.npy", blobs())
    options = {**SMALL, "n_clusters": 3, "n_init": 3, "init": "kmeans", "epochs": 40, "threads": 1}
    command = ["train", "data", "--path", str(tmp_path / "y.npy"), *flags(options), "--seed", "7"]
    command += ["--plot-every", "0", "--checkpoint-every", "0", "--device", "cpu"]
    assert here(*command, "--run-dir", tmp_path / "whole").status == 0
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "gmvae", *command, "--run-dir", str(killed)], stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (killed / "metrics.jsonl").exists() and len(records(killed)) > 10:
            break
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (killed / "summary.json").exists()
    assert here("resume", killed).status == 0
    one, other = (gmvae.load(tmp_path / name, "cpu") for name in ("whole", "killed"))
    assert one.restarts_ == other.restarts_
    for name, value in one.model_.state_dict().items():
        assert torch.equal(value, other.model_.state_dict()[name])
    numbers = [(record["restart"], record["epoch"]) for record in records(killed)]
    assert numbers == [(restart, epoch) for restart in (1, 2, 3) for epoch in range(1, 41)]


@pytest.mark.slow
def test_parallel_fits_do_not_affect_each_other():
    """Two threads fit while others score and sample; the caller's generators are left alone."""
    y = blobs()
    fit = lambda seed: GMVAE(3, **SMALL, epochs=3, random_state=seed).fit(y)  # noqa: E731
    model, alone = fit(0), {seed: fit(seed).predict_proba(y) for seed in (1, 2)}
    scores, drawn = model.score_samples(y), model.sample(20)[0]
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    found: dict[str, list[np.ndarray]] = {"score": [], "sample": [], "1": [], "2": []}

    def repeat(name, function):
        found[name] += [function() for _ in range(2)]

    work = [("score", lambda: model.score_samples(y)), ("sample", lambda: model.sample(20)[0])] * 3
    work += [(str(seed), lambda seed=seed: fit(seed).predict_proba(y)) for seed in (1, 2)]
    threads = [threading.Thread(target=repeat, args=given) for given in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    right = {"score": scores, "sample": drawn, "1": alone[1], "2": alone[2]}
    for name, results in found.items():
        assert results
        for result in results:
            np.testing.assert_array_equal(result, right[name])
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.slow
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(monkeypatch):
    y = blobs()
    model = GMVAE(3, **SMALL, epochs=3, random_state=0).fit(y)
    before, state = model.predict_proba(y), dict(vars(model))

    def check(error, **changes):
        model.set_params(**changes)
        with pytest.raises(error):
            model.fit(1000 * y[:, :3] if "n_clusters" in changes else y)
        model.set_params(n_clusters=3, optimiser="adam", learning_rate=1e-3, warm_start=False)
        assert {k: v for k, v in vars(model).items() if k.endswith("_")} == {
            k: v for k, v in state.items() if k.endswith("_")
        }
        np.testing.assert_array_equal(model.predict_proba(y), before)

    check(ValueError, n_clusters=500)
    check(FloatingPointError, optimiser="sgd", learning_rate=1e30)
    check(FloatingPointError, optimiser="sgd", learning_rate=1e30, warm_start=True)

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("gmvae.fit.engine.conclude", stop)
    check(KeyboardInterrupt)
