"""How long a fit is: as long as clusters, or the bound on held-out rows, still change."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from commands import here
from sklearn.datasets import make_blobs

import gmvae
from gmvae import GMVAE
from gmvae.config import TrainingConfig
from gmvae.data.observations import Observations
from gmvae.fit import length
from gmvae.fit.engine import Engine
from gmvae.fit.length import Length
from gmvae.fit.observer import Observer
from gmvae.store.files import read_tensors, write_tensors

Y = make_blobs(200, 3, centers=2, random_state=1)[0]
SMALL = {"x_size": 2, "w_size": 2, "hidden_size": 16, "batch_size": 20, "init": "kmeans", "random_state": 0}


@pytest.fixture
def looked_at(monkeypatch):
    """A function that gives the numbers of epochs of all looks and the last one's answer, if bounds and
    clusters change in a given way with the number of epochs."""

    def ask(bound, clusters=lambda _: 0, *, epochs=400, batch_size=20, rows=200):
        y = np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32)
        found = Length(Observations.of(y), TrainingConfig(batch_size=batch_size, epochs=epochs), 3)
        at = [0]
        monkeypatch.setattr(length, "bound", lambda _, y, draws: np.full(len(y), bound(at[0])))
        monkeypatch.setattr(
            length, "assign", lambda _, y: (np.arange(len(y)) < clusters(at[0]))[:, None] == [False, True]
        )
        for at[0] in range(1, epochs // 2 + 1):
            if found.enough(at[0], None):
                return [look.epochs for look in found.looks], True
        return [look.epochs for look in found.looks], False

    return ask


def constant(_):
    return 0.0


def test_looks_are_spaced_by_a_factor(looked_at):
    """180 of 200 rows in batches of 20 are 9 steps, so 50 steps are done after 6 epochs."""
    assert looked_at(lambda epoch: epoch) == ([6, 9, 13, 19, 27, 39, 56, 80, 114, 162], False)
    assert looked_at(lambda epoch: epoch, epochs=300, rows=20) == ([50, 71, 101, 143], False)


def test_nothing_changes(looked_at):
    """It ends with the first look that is at twice the epochs of another."""
    assert looked_at(constant) == ([6, 9, 13], True)


@pytest.mark.parametrize(("rise", "ends"), [(0.24, True), (0.26, False)])
def test_the_bound_rises_as_epochs_double(looked_at, rise, ends):
    assert looked_at(lambda epoch: rise * math.log2(epoch), rows=20, epochs=1600)[1] == ends


def test_one_bound_that_is_low_by_chance_ends_nothing(looked_at):
    rising = lambda epoch: epoch / 10  # noqa: E731
    assert looked_at(lambda epoch: rising(epoch) - 5 * (epoch == 13), epochs=60) == (
        [6, 9, 13, 19, 27],
        False,
    )


def test_clusters_still_change(looked_at):
    """Of the 20 held-out rows, one changes its cluster between the looks at 9 and 13."""
    assert looked_at(constant, lambda epoch: epoch >= 10) == ([6, 9, 13, 19, 27], True)


def test_held_out_rows_are_not_fitted():
    y = Y.astype(np.float32)
    rows = Observations.of(y)
    found = Length(rows, TrainingConfig(batch_size=20), 3)
    held_out, rest = set(found.held_out.order), set(found.rest.order)
    assert len(held_out) == 20
    assert not held_out & rest
    assert held_out | rest == set(range(200))
    many = Observations.of(np.arange(5000.0, dtype=np.float32)[:, None])
    assert len(Length(many, TrainingConfig(), 3).held_out.order) == 200


@pytest.fixture(
    params=[
        pytest.param(math.inf, id="shortest"),
        pytest.param(-math.inf, id="longest", marks=pytest.mark.slow),
    ]
)
def gain(monkeypatch, request):
    monkeypatch.setattr(length, "GAIN", request.param)
    return request.param


def test_the_length_of_a_fit(gain):
    """10 steps an epoch, 9 in the first half: the longest fit has 80 epochs, and the shortest is twice 13."""
    model = GMVAE(2, **SMALL, threads=1).fit(Y)
    assert model.n_iter_ == (26 if gain > 0 else 80)
    assert len(model.history_) == model.n_iter_


class Rates(Observer):
    """The learning rate of each epoch, and the warm-up factors."""

    def __init__(self):
        self.rates, self.warmth = [], []

    def begin(self, fit):
        self.fit = fit

    def epoch(self, record, moment):
        trainer = self.fit.current.trainer
        self.rates.append(trainer.optimiser.param_groups[0]["lr"])
        self.warmth.append(trainer.objective.warmth(record["epoch"]))


def engine(training=None, observers=()):
    """An engine with an open number of epochs."""
    from gmvae.config import Config, ModelConfig, ObjectiveConfig
    from gmvae.data.prepare import prepare

    model = ModelConfig(2, 2, 2, hidden_size=16, network="auto", likelihood="auto", min_variance=0.01)
    usual = TrainingConfig(batch_size=20, epochs=0, init="kmeans", seed=5, threads=1, device="cpu")
    config = Config(
        model=model,
        objective=ObjectiveConfig(warm_up=0.15, cv_warm_up=0.3),
        training=replace(usual, **training or {}),
    )
    return Engine(config, prepare(Y, device=torch.device("cpu")), observers)


@pytest.mark.slow
def test_the_rate_decays_over_the_second_half(gain):
    rates = Rates()
    made = engine(observers=[rates])
    made.fit()
    half = 13 if gain > 0 else 40
    assert len(rates.rates) == 2 * half
    assert rates.rates[:half] == pytest.approx([1e-4] * half)
    assert rates.rates[half:] == pytest.approx([1e-4 * (half - i) / half for i in range(half)])
    assert made.config.training.epochs == 2 * half
    assert set(rates.warmth[half:]) == {(1.0, 1.0)}  # shares of all epochs, however many these are
    assert rates.warmth[0] == (0.0, 0.0)


class States(Observer):
    """Writes the state of a fit after the start and after each epoch."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0

    def begin(self, fit):
        self.fit = fit

    def started(self, restart, start):
        self.count += 1
        write_tensors(self.folder / f"{self.count}.safetensors", *self.fit.state())

    def epoch(self, record, moment):
        self.started(0, None)


@pytest.mark.slow
def test_a_fit_whose_length_is_open_resumes_to_the_same_bits(monkeypatch, tmp_path):
    """From states in both halves of two restarts side by side, whose lengths differ."""
    monkeypatch.setattr(length, "GAIN", 0.4)
    states = States(tmp_path)
    whole = engine({"restarts": 2, "learning_rate": 3e-3}, [states]).fit()
    ends = [restart["n_iter"] for restart in whole.restarts]
    assert states.count == 1 + ends[0] != 1 + ends[1]
    for number in (1, min(ends) // 2 + 5, states.count - 1, states.count):
        again = engine({"restarts": 2, "learning_rate": 3e-3})
        again.restore(read_tensors(tmp_path / f"{number}.safetensors"))
        result = again.fit()
        assert (result.elbo, result.kept, result.restarts) == (whole.elbo, whole.kept, whole.restarts)
        for name, value in result.model.state_dict().items():
            assert torch.equal(value, whole.model.state_dict()[name]), (number, name)


@pytest.mark.slow
@pytest.mark.parametrize("restarts", [1, 2])
def test_a_run_whose_length_is_open(monkeypatch, tmp_path, restarts):
    """Its folder has the length that was found; the run has ended, and Python gives the same fit."""
    monkeypatch.setattr(length, "GAIN", math.inf)
    np.save(tmp_path / "y.npy", Y)
    run = tmp_path / "run"
    flags = ["--clusters", 2, "--x-size", 2, "--w-size", 2, "--hidden-size", 16, "--batch-size", 20]
    flags += ["--init", "kmeans", "--seed", 0, "--threads", 1, "--restarts", restarts, "--plot-every", 0]
    said = here("train", "data", "--path", tmp_path / "y.npy", *flags, "--run-dir", run)
    assert said.status == 0, said.err
    assert "epoch 26/26" in said.out
    assert json.loads((run / "summary.json").read_text())["epochs"] == 26
    assert json.loads((run / "config.json").read_text())["config"]["training"]["epochs"] == 26
    model = GMVAE(2, **SMALL, threads=1, n_init=restarts, device="cpu").fit(Y)
    assert gmvae.load(run).elbo_ == model.elbo_
    before = (run / "model.safetensors").read_bytes()
    again = here("resume", run)
    assert (again.status, (run / "model.safetensors").read_bytes()) == (0, before)
    if restarts == 1:
        assert here("resume", run, "--epochs", 30).status == 0
        assert json.loads((run / "summary.json").read_text())["epochs"] == 30


@pytest.mark.slow
@pytest.mark.parametrize("longer", [1, 2])
def test_restarts_of_different_lengths_have_ended(monkeypatch, tmp_path, longer):
    """Whichever is kept, and whichever is the longer one."""
    enough, made = Length.enough, []

    def by_number(self, epochs, model):
        enough(self, epochs, model)
        if self not in made:  # the second restart is the first to be asked
            made.insert(0, self)
        return epochs == (20 if made.index(self) + 1 == longer else 10)

    monkeypatch.setattr(Length, "enough", by_number)
    run = tmp_path / "run"
    GMVAE(2, **SMALL, n_init=2, device="cpu", run_dir=run).fit(Y)
    lengths = [restart["n_iter"] for restart in gmvae.load(run).restarts_]
    assert lengths == [40 if number == longer else 20 for number in (1, 2)]
    before = (run / "model.safetensors").read_bytes()
    again = here("resume", run)
    assert (again.status, again.err) == (0, "")
    assert (run / "model.safetensors").read_bytes() == before
    # killed before the last files were written
    (run / "summary.json").unlink()
    (run / "model.safetensors").unlink()
    assert here("resume", run).status == 0
    assert (run / "model.safetensors").read_bytes() == before
