"""Restarts of a small model are spread over the processes, and are those of one process, but for rounding."""

import fcntl
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from commands import here
from sklearn.datasets import make_blobs

import gmvae

FLAGS = ["--clusters", "3", "--hidden-size", "16", "--x-size", "2", "--w-size", "2", "--batch-size", "50"]
FLAGS += ["--init", "kmeans", "--seed", "7", "--threads", "1", "--device", "cpu", "--plot-every", "0"]


def command(tmp_path, name, *more):
    if not (tmp_path / "y.csv").exists():
        y, labels = make_blobs(150, 4, centers=3, random_state=2)
        np.savetxt(tmp_path / "y.csv", np.c_[y, labels], delimiter=",", header="a,b,c,d,kind", comments="")
    flags = ["--path", str(tmp_path / "y.csv"), "--label-column", "kind", *FLAGS, *more]
    return ["train", "data", *flags, "--run-dir", str(tmp_path / name)]


def launched(processes, *arguments):
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
    ]
    said = subprocess.run([*launch, "-m", "gmvae", *arguments], capture_output=True, text=True, timeout=500)
    assert not said.returncode, said.stdout + said.stderr
    return said.stdout


def same(one, other, restarts):
    """Check that two runs have the same model but for rounding, which grows from step to step, and records of
    all epochs of all restarts."""
    ours, theirs = gmvae.load(one, "cpu"), gmvae.load(other, "cpu")
    assert ours.elbo_ == pytest.approx(theirs.elbo_, abs=0.05)
    rows = np.loadtxt(one.parent / "y.csv", delimiter=",", skiprows=1)[:, :4]
    np.testing.assert_array_equal(ours.predict(rows), theirs.predict(rows))
    assert [r["seed"] for r in ours.restarts_] == [r["seed"] for r in theirs.restarts_]
    lines = [
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (one, other)
    ]
    assert [(r["restart"], r["epoch"]) for r in lines[0]] == [(r["restart"], r["epoch"]) for r in lines[1]]
    assert [r["loss"] for r in lines[0]] == pytest.approx([r["loss"] for r in lines[1]], abs=0.05)
    firsts = [[r["loss"] for r in records if r["epoch"] == 1] for records in lines]
    assert firsts[0] == pytest.approx(firsts[1], rel=1e-5)
    assert {record["restart"] for record in lines[0]} == set(range(1, restarts + 1))
    summaries = [json.loads((run / "summary.json").read_text()) for run in (one, other)]
    for key in ("epochs", "acc", "nmi", "clusters_used", "gradient", "findings"):
        assert summaries[0][key] == summaries[1][key], key
    starts = [json.loads((run / "start.json").read_text()) for run in (one, other)]
    assert [start["restart"] for start in starts[0]] == [start["restart"] for start in starts[1]]


@pytest.mark.slow
@pytest.mark.parametrize("length", [["--epochs", "8"], []], ids=["given", "open"])
def test_two_processes_make_the_restarts_of_one(tmp_path, length):
    """Three restarts: two in the first process, and one in the second."""
    more = ["--restarts", "3", *length]
    assert here(*command(tmp_path, "one", *more)).status == 0
    said = launched(2, *command(tmp_path, "two", *more))
    assert "restart 2/3  epoch" in said
    same(tmp_path / "one", tmp_path / "two", 3)
    before = (tmp_path / "two" / "model.safetensors").read_bytes()
    assert here("resume", tmp_path / "two").status == 0
    assert (tmp_path / "two" / "model.safetensors").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_run_goes_on_with_any_number_of_processes(tmp_path, processes):
    more = ["--restarts", "3", "--epochs", "60", "--checkpoint-every", "0"]
    assert here(*command(tmp_path, "one", *more)).status == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    run = tmp_path / "two"
    with subprocess.Popen(
        [*launch, "-m", "gmvae", *command(tmp_path, "two", *more)], stdout=subprocess.DEVNULL
    ) as job:
        while (
            not (run / "metrics.jsonl").exists() or '"restart": 3' not in (run / "metrics.jsonl").read_text()
        ):
            assert job.poll() is None
        job.kill()
    subprocess.run(["pkill", "-KILL", "-f", str(run)])
    folder = os.open(run, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # until the killed processes have ended
    os.close(folder)
    if processes == 1:
        assert here("resume", run).status == 0
    else:
        launched(2, "resume", str(run))
    same(tmp_path / "one", run, 3)
