"""``accelerate launch`` takes the place of ``torchrun``."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from together import same_steps_as_one_process, work

pytestmark = pytest.mark.slow
FLAGS = ["--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"]


def launch(folder, *arguments):
    """What two processes on the CPU print. Without a GPU, --multi_gpu starts processes that use gloo."""
    pytest.importorskip("accelerate")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", *FLAGS, *arguments]
    environment = os.environ | {"HF_HOME": str(folder)}  # without the settings of this user
    said = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert not said.returncode, said.stderr
    return said.stdout


def test_its_processes_take_the_steps_of_one(tmp_path):
    launch(tmp_path, *work(tmp_path, "recogniser"))
    same_steps_as_one_process(tmp_path, "recogniser")


def test_it_starts_the_command(tmp_path):
    """Two processes read the rows once between them, and one of them writes the run."""
    table, run = tmp_path / "rows.npy", tmp_path / "run"
    np.save(table, np.random.default_rng(0).normal(size=(500, 5)))
    flags = ["--path", str(table), "--clusters", "3", "--stream", "--init", "random", "--epochs", "2"]
    said = launch(
        tmp_path, "-m", "gmvae", "train", "data", *flags, "--plot-every", "0", "--run-dir", str(run)
    )
    assert said.count("500 observations from disk") == 1  # the second process prints nothing
    assert json.loads((run / "summary.json").read_text())["epochs"] == 2
    assert not list(tmp_path.glob(".gmvae-rows*"))
