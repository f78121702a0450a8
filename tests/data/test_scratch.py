"""Folders for the rows of a process: removed at its end, also after a signal, and never by others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gmvae.data import scratch
from gmvae.inputs import stream_folder

HOLD = """
import sys, time
from pathlib import Path
from gmvae.data import scratch
scratch.take(Path(sys.argv[1]))
print("ready", flush=True)
time.sleep(100)
"""


def held(place: Path) -> subprocess.Popen[str]:
    """A process that has taken a folder."""
    job = subprocess.Popen([sys.executable, "-c", HOLD, str(place)], stdout=subprocess.PIPE, text=True)
    assert job.stdout.readline() == "ready\n"
    return job


def test_only_what_a_dead_process_of_this_machine_has_left_is_removed(tmp_path, monkeypatch):
    alive, dead, elsewhere = (tmp_path / f".gmvae-rows-{name}-0" for name in ("alive", "dead", "elsewhere"))
    jobs = [held(place) for place in (dead, elsewhere, alive)]
    for job in jobs[:2]:
        job.kill()
        job.communicate()
    (elsewhere / "lock").write_text("another machine")
    (tmp_path / "table.parquet").touch()
    mine = stream_folder(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        alive.name, elsewhere.name, mine.name, "table.parquet",
    }  # fmt: skip
    assert mine != stream_folder(tmp_path)
    scratch.remove_all()
    assert not mine.exists()
    jobs[2].kill()
    jobs[2].communicate()


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_rows_are_removed_after_a_signal(tmp_path, sent):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(5000, 4)))
    flags = ["--path", str(tmp_path / "rows.npy"), "--clusters", "3", "--stream", "--init", "random"]
    flags += ["--epochs", "10000", "--plot-every", "0", "--run-dir", str(tmp_path / "run")]
    job = subprocess.Popen([sys.executable, "-m", "gmvae", "train", "data", *flags], cwd=tmp_path)
    while not (tmp_path / "run" / "metrics.jsonl").exists():
        assert job.poll() is None
        time.sleep(0.1)
    assert list(tmp_path.glob(".gmvae-rows-*"))
    os.kill(job.pid, sent)
    assert job.wait(60) == 128 + sent
    assert not list(tmp_path.glob(".gmvae-rows-*"))
