"""Several processes take the steps of one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from gmvae.config import ModelConfig, ObjectiveConfig, TrainingConfig
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.training.loop import Trainer
from gmvae.training.random import RandomStream
from gmvae.training.workers import ALONE, start_workers

WORK = """
import sys, torch
sys.path.insert(0, sys.argv[3])
from test_workers import trained
from gmvae.training.workers import start_workers
workers = start_workers("cpu")
state, record, _ = trained(sys.argv[1], workers)
if not workers.rank:
    torch.save((state, record), sys.argv[2])
workers.end()
"""
FORMS = {
    "recogniser": (ModelConfig(clusters=4, assignment="recogniser"), (6,)),
    "posterior": (ModelConfig(clusters=4, assignment="posterior"), (6,)),
    "images": (ModelConfig(clusters=4, network="compact", filters=4, likelihood="bernoulli"), (1, 8, 8)),
}


def trained(form, workers=ALONE):
    """The weights after a few epochs of a small model in 32 bits, the last record, and the weights before."""
    config, shape = FORMS[form]
    likelihood = "gaussian" if config.likelihood == "auto" else config.likelihood
    config = ModelConfig(**{
        **config.__dict__, "x_size": 3, "w_size": 2, "hidden_size": 16, "likelihood": likelihood,
        "network": "fc" if config.network == "auto" else config.network,
    })  # fmt: skip
    stream = RandomStream(5, torch.device("cpu"))
    model = fresh(lambda: GaussianMixtureVAE(shape, config), stream.cpu)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    y = torch.rand(101, *shape, generator=torch.Generator().manual_seed(1))
    training = TrainingConfig(optimiser="sgd", learning_rate=0.01, batch_size=33, epochs=2)
    objective = ObjectiveConfig(min_information=0.02)
    *_, record = Trainer(model, objective, training, stream, workers).epochs(y)
    return model.state_dict(), record, before


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("form", FORMS)
def test_workers_take_the_steps_of_one_process(tmp_path, form, size):
    """Batches of 33 and 2 cannot be divided evenly: with four workers, two get nothing of the last batch."""
    out = tmp_path / "state.pt"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)]
    script = tmp_path / "work.py"
    script.write_text(WORK)
    here = __file__.rsplit("/", 1)[0]
    said = subprocess.run([*launch, str(script), form, str(out), here], capture_output=True, text=True)
    assert not said.returncode, said.stderr
    state, record = torch.load(out)
    expected, alone, before = trained(form)
    if form == "images":  # the last bit of a sum decides now and then whether a unit is 0
        flat = [
            torch.cat([one[name].double().flatten() for name in expected])
            for one in (before, state, expected)
        ]
        assert torch.dist(flat[1], flat[2]) <= 0.01 * torch.dist(flat[0], flat[2])
    else:
        for name, value in expected.items():
            np.testing.assert_allclose(state[name], value, rtol=2e-4, atol=2e-5, err_msg=name)
    for name in ("loss", "elbo", "reconstruction", "z_prior"):
        assert record[name] == pytest.approx(alone[name], rel=1e-3 if form == "images" else 1e-4)


def test_one_process_has_no_workers(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert start_workers("cpu") is ALONE
    batch = torch.arange(5)
    assert ALONE.share(batch) is batch


@pytest.mark.slow
def test_an_epoch_resumes_in_its_middle():
    """A state taken after any step resumes to the same bits, for tensors in memory."""
    y = torch.randn(101, 6, generator=torch.Generator().manual_seed(1))
    config = ModelConfig(clusters=4, x_size=3, w_size=2, hidden_size=16, likelihood="gaussian", network="fc")
    training = TrainingConfig(batch_size=10, epochs=2)

    def trainer(seed):
        stream = RandomStream(seed, torch.device("cpu"))
        model = fresh(lambda: GaussianMixtureVAE((6,), config), stream.cpu)
        return Trainer(model, ObjectiveConfig(), training, stream)

    whole, states = trainer(1), []
    records = list(whole.epochs(y, lambda _: states.append(whole.state())))
    states = [({k: v.clone() for k, v in s[0].items()}, s[1]) for s in states]
    stopped, taken = trainer(1), {}

    def keep(done):
        if round(done * 10) in (3, 14):
            tensors, about = stopped.state()
            taken[round(done * 10)] = ({k: v.clone() for k, v in tensors.items()}, dict(about))

    list(stopped.epochs(y, keep))
    assert sorted(taken) == [3, 14]
    for state in taken.values():
        other = trainer(99)
        other.restore(*state)
        again = list(other.epochs(y))
        strip = [{k: v for k, v in r.items() if k != "seconds"} for r in again]
        assert strip == [{k: v for k, v in r.items() if k != "seconds"} for r in records[-len(again) :]]
        for name, value in whole.model.state_dict().items():
            assert torch.equal(other.model.state_dict()[name], value), name


@pytest.mark.slow
def test_torchrun_restarts_from_the_last_checkpoint_if_a_worker_is_killed(tmp_path):
    """One of two processes is killed in the middle of an epoch; the run still ends with all of its epochs."""
    table = tmp_path / "rows.npy"
    np.save(table, np.random.default_rng(0).normal(size=(20_000, 5)))
    run = tmp_path / "run"
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1"]
    flags = ["--path", str(table), "--clusters", "3", "--stream", "--init", "random", "--epochs", "3"]
    flags += ["--checkpoint-every", "0.5", "--plot-every", "0", "--run-dir", str(run)]
    command = [*launch, "--standalone", "-m", "gmvae", "train", "data", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
        while not (run / "checkpoint" / "state.safetensors").exists():
            assert job.poll() is None, job.stdout.read()
            time.sleep(0.1)
        children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        said = job.communicate()[0]
    assert not job.returncode, said
    assert said.count("20,000 observations from disk") == 2  # the header of each start
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert json.loads((run / "summary.json").read_text())["epochs"] == 3
    assert not list(tmp_path.glob(".gmvae-rows*"))
