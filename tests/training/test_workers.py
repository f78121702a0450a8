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
from together import FORMS, same_steps_as_one_process, work

from gmvae.config import ModelConfig, ObjectiveConfig, TrainingConfig
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.training.loop import Trainer
from gmvae.training.random import RandomStream
from gmvae.training.workers import ALONE, start_workers


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("form", FORMS)
def test_workers_take_the_steps_of_one_process(tmp_path, form, size):
    """Batches of 33 and 2 cannot be divided evenly: with four workers, two get nothing of the last batch."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)]
    said = subprocess.run([*launch, *work(tmp_path, form)], capture_output=True, text=True)
    assert not said.returncode, said.stderr
    same_steps_as_one_process(tmp_path, form)


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
@pytest.mark.parametrize(
    ("seconds", "awaited"), [(0.5, "checkpoint/state.safetensors"), (1000, "config.json")]
)
def test_torchrun_restarts_from_the_last_checkpoint_if_a_worker_is_killed(tmp_path, seconds, awaited):
    """One of two processes is killed in the middle of an epoch, or before there is a checkpoint. The run
    still ends with all of its epochs."""
    table = tmp_path / "rows.npy"
    np.save(table, np.random.default_rng(0).normal(size=(20_000, 5)))
    run = tmp_path / "run"
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1"]
    flags = ["--path", str(table), "--clusters", "3", "--stream", "--init", "random", "--epochs", "3"]
    flags += ["--checkpoint-every", str(seconds), "--plot-every", "0", "--run-dir", str(run)]
    command = [*launch, "--standalone", "-m", "gmvae", "train", "data", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
        while not (run / awaited).exists():
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


@pytest.mark.slow
def test_a_restart_does_not_continue_an_older_run(tmp_path):
    """The folder already holds a run, which is an error; torchrun then restarts both processes in vain."""
    run, new = tmp_path / "run", tmp_path / "new.npy"
    np.save(new, np.random.default_rng(0).normal(size=(200, 3)))
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1"]
    flags = [
        "--path",
        str(new),
        "--init",
        "random",
        "--epochs",
        "1",
        "--plot-every",
        "0",
        "--run-dir",
        str(run),
    ]
    train = ["-m", "gmvae", "train", "data", "--clusters"]
    subprocess.run([sys.executable, *train, "4", *flags], check=True, capture_output=True)
    before = (run / "metrics.jsonl").read_bytes()
    job = subprocess.run(
        [*launch, "--standalone", *train, "7", *flags], capture_output=True, text=True, check=False
    )
    assert job.returncode
    assert job.stderr.count("already holds a run") == 2
    assert (run / "metrics.jsonl").read_bytes() == before
