"""The loop: what it minimises, that it can stop and resume, and that it finds clusters without labels."""

from __future__ import annotations

import threading
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from typing import get_args

import numpy as np
import pytest
import torch

from gmvae.config import ModelConfig, ObjectiveConfig, Optimiser, TrainingConfig
from gmvae.data.sets.spiral import spiral
from gmvae.experiments import EXPERIMENTS
from gmvae.model import inference, objective
from gmvae.model.inference import assign
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.training.devices import cpu_threads, pick_device, pick_threads
from gmvae.training.fast.step import FastStep
from gmvae.training.loop import Trainer
from gmvae.training.optimisers import Sign, light, optimiser
from gmvae.training.passes import batches
from gmvae.training.random import RandomStream
from gmvae.training.recovery import SMALLER

CPU = torch.device("cpu")
SMALL = ModelConfig(clusters=3, x_size=2, w_size=2, hidden_size=16)


def trainer(
    epochs: int = 4,
    name: Optimiser = "adam",
    rate: float = 1e-3,
    seed: int = 1,
    model_config: ModelConfig = SMALL,
    y_shape: tuple[int, ...] = (2,),
    **options: object,
) -> Trainer:
    stream = RandomStream(seed, CPU)
    model = fresh(lambda: GaussianMixtureVAE(y_shape, model_config), stream.cpu)
    config = TrainingConfig(
        optimiser=name, learning_rate=rate, batch_size=64, epochs=epochs, device="cpu", **options
    )
    return Trainer(model, ObjectiveConfig(cv_warm_up=1), config, stream)


Y = torch.from_numpy(spiral(points=257).y)


def test_an_epoch_is_the_written_out_loop():
    """Compared with the same steps by hand: the same batches and noise, torch's own Adam."""
    ours = trainer(epochs=2)
    torch.manual_seed(1)
    model = GaussianMixtureVAE((2,), SMALL)
    adam = light(torch.optim.Adam)(model.parameters(), lr=1e-3)
    for record in ours.epochs(Y):
        total = torch.zeros(8, dtype=torch.float64)
        for batch in batches(257, 64):
            terms = objective.five_terms(model, Y[batch])
            bound = terms.reconstruction - terms.conditional_prior - terms.w_prior - terms.z_prior
            loss = -bound + (record["epoch"] - 1) * terms.consistency_violation  # a warm-up of one epoch
            adam.zero_grad()
            loss.mean().backward()
            adam.step()
            total += torch.stack([v.detach().double().sum() for v in (loss, bound, *terms)])
        names = ["loss", "elbo", *objective.Terms._fields]
        assert [record[n] for n in names] == pytest.approx((total / 257).tolist(), rel=1e-4)


def test_batches_are_a_permutation_and_none_is_single():
    torch.manual_seed(0)
    parts = batches(257, 64)
    assert [len(p) for p in parts] == [64, 64, 64, 65]
    assert sorted(torch.cat(parts).tolist()) == list(range(257))
    assert [len(p) for p in batches(10, 50)] == [10]
    assert [len(p) for p in batches(130, 64)] == [64, 64, 2]


def test_a_short_pass_draws_other_rows_each_time():
    torch.manual_seed(0)
    passes = [batches(100, 16, 33) for _ in range(50)]
    assert {tuple(map(len, parts)) for parts in passes} == {(16, 17)}
    drawn = [torch.cat(parts).tolist() for parts in passes]
    assert all(len(set(batch)) == 33 for batch in drawn)
    assert set().union(*drawn) == set(range(100))
    counts = np.bincount(np.concatenate(drawn), minlength=100)  # each with chances of 33 in 100
    assert abs(counts - 16.5).max() < 4.5 * (50 * 0.33 * 0.67) ** 0.5
    assert [len(p) for p in batches(100, 64, 500)] == [64, 36]


def test_an_epoch_is_as_long_as_asked_for():
    """Compared with a step written out on the same 20 observations of 257; records are means over these."""
    ours = trainer(epochs=1, epoch_size=20)
    torch.manual_seed(1)
    model = GaussianMixtureVAE((2,), SMALL)
    (record,) = ours.epochs(Y)
    observed = Y[torch.randperm(257)[:20]]
    terms = objective.five_terms(model, observed)
    assert record["reconstruction"] == pytest.approx(terms.reconstruction.mean().item(), rel=1e-5)
    assert record["elbo"] == pytest.approx(objective.elbo(terms).mean().item(), rel=1e-5)
    steps = []
    list(trainer(epochs=3, epoch_size=150).epochs(Y, steps.append))
    assert len(steps) == 3 * 3  # of 64, 64 and 22


def test_progress_is_reported_after_each_step():
    shares = []
    ours = trainer(epochs=3)
    for record in ours.epochs(Y, shares.append):
        assert shares[-1] == record["epoch"]
    assert shares == pytest.approx([step / 4 for step in range(1, 13)])
    shares.clear()
    longer = trainer(epochs=4)
    longer.restore(*ours.state())
    list(longer.epochs(Y, shares.append))
    assert shares == pytest.approx([3.25, 3.5, 3.75, 4])


@pytest.mark.parametrize(("network", "likelihood"), [("fc", "bernoulli"), ("conv", "gaussian")])
def test_bytes_train_as_levels_of_255(network, likelihood):
    levels = np.random.default_rng(0).integers(256, size=(100, 1, 12, 12), dtype=np.uint8)
    config = replace(SMALL, network=network, likelihood=likelihood, filters=2)
    histories, models = [], []
    for y in (levels, levels / np.float32(255), levels.astype(np.float32)):
        ours = trainer(epochs=2, model_config=config, y_shape=(1, 12, 12))
        records = ours.epochs(torch.from_numpy(y))
        histories.append([{**record, "seconds": 0} for record in records])
        models.append(ours.model.state_dict())
    assert histories[0] == histories[1] != histories[2]
    for name, value in models[0].items():
        assert torch.equal(value, models[1][name]), name


@pytest.mark.slow
@pytest.mark.parametrize("name", get_args(Optimiser))
def test_a_restored_run_continues_as_if_never_stopped(name):
    whole = trainer(4, name)
    list(whole.epochs(Y))
    first = trainer(2, name)
    list(first.epochs(Y))
    second = trainer(4, name, seed=99)
    second.restore(*first.state())
    records = list(second.epochs(Y))
    assert [r["epoch"] for r in records] == [3, 4]
    for (key, ours), theirs in zip(
        second.model.state_dict().items(), whole.model.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), key


@pytest.mark.slow
def test_the_anchor_is_kept_and_restored():
    def taught(epochs: int, seed: int = 1) -> Trainer:
        ours = trainer(epochs, seed=seed, augment="table", rate=0.02)
        ours.anchor()
        return ours

    whole, first, second = taught(30), taught(30), taught(30, seed=99)
    known = assign(whole.model, Y)
    rates = [first.learning_rate for _ in islice(first.epochs(Y), 20)]
    assert rates[:15] == [0.02] * 15  # then down to 0 at the end of the 30
    assert rates[15:] == pytest.approx([0.02 * (1 - step / 15) for step in range(1, 6)])
    second.restore(*first.state())
    assert list(whole.epochs(Y))[-1]["view_consistency"] == list(second.epochs(Y))[-1]["view_consistency"]
    for ours, theirs in zip(second.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(torch.from_numpy(known), whole.taught(Y)[2].probs)
    free = trainer(30, augment="auto", rate=0.02)
    assert list(free.epochs(Y))[-1]["view_consistency"] == 0
    moved, kept = (np.abs(assign(ours.model, Y) - known).mean() for ours in (free, whole))
    assert kept < 0.5 * moved


def test_the_same_seed_gives_the_same_run_and_another_another():
    def losses(seed):
        torch.manual_seed(np.random.default_rng().integers(1 << 30).item())
        return [r["loss"] for r in trainer(2, seed=seed).epochs(Y)]

    assert losses(3) == losses(3) != losses(4)


def test_the_callers_random_numbers_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    for _ in trainer(2).epochs(Y):
        pass
    assert torch.equal(torch.rand(3), expected)


def test_sign_is_adam_with_a_fresh_state_at_every_step():
    torch.manual_seed(0)
    start, target = torch.randn(2, 40, dtype=torch.float64)
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    sign = Sign([ours], lr=0.01)
    for _ in range(30):
        for parameter in (ours, theirs):
            parameter.grad = None
            (parameter - target).square().sum().backward()
        sign.step()
        light(torch.optim.Adam)([theirs], lr=0.01).step()
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    assert (ours - target).abs().max() < (start - target).abs().max()


@pytest.mark.parametrize("name", get_args(Optimiser))
def test_every_optimiser_descends(name):
    parameter = torch.nn.Parameter(torch.ones(3, 3))
    steps = optimiser(name, [parameter], 1e-2)
    for _ in range(50):
        steps.zero_grad()
        parameter.square().sum().backward()
        steps.step()
    assert parameter.square().sum() < 9


def test_unknown_optimiser():
    with pytest.raises(ValueError, match="optimiser is 'nothing'"):
        optimiser("nothing", [torch.nn.Parameter(torch.ones(1))], 1)


def test_a_loss_that_is_no_number_is_reported():
    with pytest.raises(
        FloatingPointError,
        match=r"not a finite number in epoch 1, batch \d+ of \d+, first in reconstruction: lower",
    ):
        list(trainer(3, "sgd", rate=1e12).epochs(Y))


def test_the_last_update_is_checked():
    before = trainer(1, "adam", rate=1e30)
    before.config = replace(before.config, batch_size=len(Y))
    weights = {name: value.clone() for name, value in before.model.state_dict().items()}
    with pytest.raises(FloatingPointError, match=r"in epoch 1, after the last update, in reconstruction"):
        list(before.epochs(Y))
    for name, value in before.model.state_dict().items():  # the model is the last good one
        torch.testing.assert_close(value, weights[name], rtol=0, atol=0)


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_epoch_is_repeated_with_a_smaller_step(seed, monkeypatch):
    plain, hit = (trainer(4, "adam", rate=1e-3, seed=seed) for _ in range(2))
    reference = list(plain.epochs(Y))
    epochs, made = hit.epochs(Y), []
    made.append(next(epochs))
    broken = iter([True, False])
    original = hit._epoch

    def overflowing(*arguments, **options):
        means = original(*arguments, **options)
        if next(broken, False):
            next(hit.model.parameters()).data.fill_(float("nan"))
        return means

    monkeypatch.setattr(hit, "_epoch", overflowing)
    made += epochs
    assert [record.get("rollbacks", 0) for record in made] == [0, 1, 1, 1]
    assert made[0]["loss"] == reference[0]["loss"]
    assert made[-1]["elbo"] > made[0]["elbo"]
    assert hit.learning_rate == pytest.approx(SMALLER * plain.learning_rate)
    again = trainer(4, "adam", rate=1e-3, seed=seed)
    again.restore(*hit.state())
    assert again.learning_rate == hit.learning_rate


def test_a_state_between_two_steps_resumes_to_the_same_bits():
    seen: list = []
    one = trainer(3, "adam", rate=1e-3)
    list(one.epochs(Y, lambda done: seen.append(deepcopy(one.state())) if 1.4 < done < 1.6 else None))
    assert seen[0][1]["steps"] > 0
    two = trainer(3, "adam", rate=1e-3, seed=99)
    two.restore(*seen[0])
    assert [record["epoch"] for record in two.epochs(Y)] == [2, 3]
    for ours, theirs in zip(two.model.state_dict().values(), one.model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_state_within_a_step_is_that_before_the_epoch(monkeypatch):
    one, step, calls = trainer(3, "adam", rate=1e-3), FastStep.__call__, []

    def interrupted(*given):
        calls.append(0)
        if len(calls) == steps + 2:
            raise KeyboardInterrupt
        return step(*given)

    steps = len(batches(len(Y), one.config.batch_size))
    monkeypatch.setattr(FastStep, "__call__", interrupted)
    epochs = one.epochs(Y)
    next(epochs)
    tensors, about = one.state()
    before = {name: value.clone() for name, value in tensors.items()}
    with pytest.raises(KeyboardInterrupt):
        next(epochs)
    assert one.state()[1] == about
    for name, value in before.items():
        torch.testing.assert_close(one.state()[0][name], value, rtol=0, atol=0)


def test_threads_are_few_for_small_layers_and_put_back():
    with cpu_threads(2):
        check_threads(before=2)
    check_threads(before=torch.get_num_threads())


def check_threads(before):
    with cpu_threads(pick_threads(0, work=200 * 100**2)):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    with cpu_threads(pick_threads(0, work=50 * 1000**2)):
        assert torch.get_num_threads() == before
    with cpu_threads(pick_threads(before + 1, work=1)):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_overlapping_fits_leave_the_number_of_threads_as_it_was():
    """One thread enters while another is in, and leaves after it."""
    found, inside, leave = [], threading.Event(), threading.Event()

    def other():
        with cpu_threads(3):
            inside.set()
            leave.wait()
        found.append(torch.get_num_threads())

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        thread = threading.Thread(target=other)
        with cpu_threads(1):
            thread.start()
            inside.wait()
            with cpu_threads(4):
                pass
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        leave.set()
        thread.join()
        assert found == [2]
    finally:
        torch.set_num_threads(before)


def test_devices():
    assert pick_device("cpu") == CPU
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match=r"device is 'cuda:63', but there are \d+ cuda devices"):
        pick_device("cuda:63")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_short_run_recovers_the_arms_without_labels(seed):
    data, preset = spiral(), EXPERIMENTS["spiral"]
    stream = RandomStream(seed, CPU)
    model = fresh(lambda: GaussianMixtureVAE((2,), preset.model), stream.cpu)
    y = torch.from_numpy(data.y)
    config = replace(preset.training, epochs=150, device="cpu")
    records = list(Trainer(model, preset.objective, config, stream).epochs(y))
    assert records[-1]["elbo"] > records[0]["elbo"] + 1
    scores = inference.measure(model, y, data.labels)
    assert scores["clusters_used"] == 5
    assert scores["nmi"] > 0.98


@pytest.mark.slow
def test_the_posterior_form_learns_clusters_of_its_own():
    """Without labels or consistency violation, the information about z is well above the constraint, and
    useful."""
    data = spiral(seed=11)
    stream = RandomStream(1, CPU)
    config = replace(EXPERIMENTS["spiral"].model, assignment="posterior")
    model = fresh(lambda: GaussianMixtureVAE((2,), config), stream.cpu)
    y = torch.from_numpy(data.y)
    config = replace(EXPERIMENTS["spiral"].training, epochs=100, device="cpu")
    records = list(Trainer(model, ObjectiveConfig(min_information=1.0), config, stream).epochs(y))
    assert records[-1]["elbo"] > records[0]["elbo"] + 1
    assert records[-1]["z_prior"] > 1.0
    assert inference.measure(model, y, data.labels)["nmi"] > 0.6


def test_training_goes_on_after_an_epoch_that_diverged():
    """As a new trainer does from the same state: the search for the batch that diverged leaves nothing."""
    ours, other = trainer(epochs=3), trainer(epochs=3)
    next(ours.epochs(Y))
    state = deepcopy(ours.state())
    ours.config = replace(ours.config, learning_rate=1e30)
    with pytest.raises(FloatingPointError, match="epoch 2"):
        list(ours.epochs(Y))
    ours.config, ours.rollbacks = other.config, 0
    other.restore(*state)
    assert [r["loss"] for r in ours.epochs(Y)] == [r["loss"] for r in other.epochs(Y)]
