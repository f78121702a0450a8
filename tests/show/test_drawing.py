"""Pictures of a run show the epoch that they are of, although another process draws them later."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import bad, here, records
from small_fits import three_blobs

import gmvae
from gmvae import Run, experiment
from gmvae.fit.observer import Observer
from gmvae.show import process
from gmvae.show.run_figures import draw_plot
from gmvae.store.run_folder import RunFolder

TRAIN = ["train", "data", "--clusters", 3, "--hidden-size", 8, "--x-size", 2, "--w-size", 2, "--epochs", 2]
TRAIN += ["--plots", "latent", "--init", "random", "--restarts", 3, "--seed", 2, "--device", "cpu"]
SPIRAL = ["train", "spiral", "--points", 200, "--hidden-size", 8, "--device", "cpu"]
PLOTS = ("latent", "samples", "terms")


class DrawnAtOnce(Observer):
    """Draws the pictures of each epoch in the training process, before the next epoch begins."""

    def __init__(self, folder: RunFolder, to: Path) -> None:
        self.folder, self.to = folder, to

    def epoch(self, record, moment):
        for name in PLOTS:
            draw_plot(self.folder, name, out=self.to / f"{name}-{record['epoch']}.png")


def small_run(folder: Path, *, epochs: int, every: int, keep: int, plots=PLOTS) -> Run:
    """A run of the spiral whose epochs take milliseconds."""
    config = experiment("spiral")
    return Run.new(
        "spiral",
        replace(
            config,
            data=replace(config.data, points=200),
            model=replace(config.model, hidden_size=8),
            training=replace(config.training, epochs=epochs, device="cpu"),
            run=replace(
                config.run, run_dir=str(folder), plots=plots, plot_every=every, keep_every=keep, measure=False
            ),
        ),
    )


@pytest.mark.slow
def test_pictures_are_those_that_training_would_draw(tmp_path):
    """Epochs are shorter than the start of the other process, so it draws the first ones when later ones have
    replaced their files."""
    run = small_run(tmp_path / "run", epochs=3, every=1, keep=1)
    run.finish(DrawnAtOnce(run.folder, tmp_path / "expected"))
    expected = {path.name: path.read_bytes() for path in (tmp_path / "expected").iterdir()}
    assert len(set(expected.values())) == len(expected) == 3 * len(PLOTS)  # no two epochs look the same
    drawn = {path.name: path.read_bytes() for path in run.folder.plots.glob("*.png")}
    assert drawn == expected | {f"{name}.png": expected[f"{name}-3.png"] for name in PLOTS}


@pytest.mark.slow
def test_pictures_of_a_finished_run_have_its_numbers(tmp_path):
    y = three_blobs()[0][::4]
    np.save(tmp_path / "y.npy", y)
    run = tmp_path / "run"
    assert here(*TRAIN, "--path", tmp_path / "y.npy", "--run-dir", run).status == 0
    folder, model = RunFolder(run), gmvae.load(run)
    shown = dict(np.load(folder.snapshot))
    np.testing.assert_array_equal(shown["clusters"], model.predict(y))
    np.testing.assert_allclose(shown["x"], model.transform(y), atol=1e-5)
    sizes = np.bincount(shown["clusters"], minlength=3).tolist()
    assert sizes == sorted(sizes, reverse=True)
    again = draw_plot(folder, "latent", out=tmp_path / "again.png")
    assert (folder.plots / "latent.png").read_bytes() == again.read_bytes()


@pytest.mark.slow
def test_training_does_not_wait_for_a_picture(tmp_path, monkeypatch):
    """The process draws nothing until training has reached its last epoch, or a minute is over."""
    may, late = tmp_path / "may", tmp_path / "late"
    script = """
import sys, time
from pathlib import Path
from gmvae.show import pictures, process
may, late = map(Path, sys.argv[1:])
draw = pictures.draw
def slow(request):
    until = time.monotonic() + 60
    while not (may.exists() or late.exists()):
        if time.monotonic() > until:
            late.touch()
        time.sleep(0.01)
    draw(request)
pictures.draw = slow
process.main()
"""
    command = [sys.executable, "-c", script, may, late]

    def start():
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(process, "start", start)
    run = small_run(tmp_path / "run", epochs=30, every=1, keep=10, plots=("bound",))
    before = []
    for record in run.train():
        before += [record["epoch"]] * (not list(run.folder.plots.glob("*.png")))
        if record["epoch"] == 30:
            may.touch()
    assert not late.exists()
    assert before[:29] == list(range(1, 30))
    assert {path.name for path in run.folder.plots.iterdir()} == {
        f"bound{suffix}.png" for suffix in ("", "-10", "-20", "-30")
    }
    draw_plot(run.folder, "bound", out=tmp_path / "last.png")
    assert (run.folder.plots / "bound.png").read_bytes() == (tmp_path / "last.png").read_bytes()


@pytest.mark.slow
def test_an_error_of_a_picture_is_the_one_of_drawing_it_here(tmp_path, monkeypatch):
    run = tmp_path / "run"
    assert here(*SPIRAL, "--epochs", 1, "--plots", "bound", "--run-dir", run).status == 0
    (run / "plots" / "bound.png").unlink()
    (run / "plots" / "bound.png").mkdir()  # cannot be replaced by a file
    shutil.copytree(run, tmp_path / "other" / "run")
    there = here("resume", run, "--epochs", 3)
    monkeypatch.setattr(process, "_customised", lambda: True)
    monkeypatch.chdir(tmp_path / "other")
    assert (there.status, there.out.count("done")) == (2, 0)
    assert there.err.startswith(f"gmvae: {run / 'plots' / 'bound.png'} is a folder")
    assert bad(here("resume", "run", "--epochs", 3)._replace(out="")) == there.err.replace(f"{tmp_path}/", "")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_full_disk_gives_one_line_with_the_picture(tmp_path):
    """The checkpoint has 21 kB, and the picture more than 24."""
    script = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (24_000, 24_000))
from gmvae.cli.app import main
sys.exit(main(sys.argv[1:]))
"""
    run = tmp_path / "run"
    flags = [
        "--points",
        200,
        "--hidden-size",
        4,
        "--x-size",
        2,
        "--w-size",
        2,
        "--clusters",
        3,
        "--epochs",
        9,
    ]
    flags += ["--plots", "terms", "--plot-every", 1, "--device", "cpu", "--run-dir", run]
    # without bytecode (-B), of which Python would keep truncated files
    command = [sys.executable, "-B", "-c", script, "train", "spiral", *flags]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"gmvae: {run / 'plots' / 'terms.png'}: File too large"
    assert "Traceback" not in done.stderr
    assert not list(run.rglob("*.part"))
    assert here("resume", run).status == 0
    assert (run / "plots" / "terms.png").stat().st_size > 24_000


@pytest.mark.slow
def test_an_interrupted_run_has_its_last_pictures(tmp_path, monkeypatch):
    append = RunFolder.append

    def interrupted(folder, record):
        if record["epoch"] == 4:
            raise KeyboardInterrupt
        append(folder, record)

    run = tmp_path / "run"
    monkeypatch.setattr(RunFolder, "append", interrupted)
    said = here(*SPIRAL, "--epochs", 9, "--keep-every", 1, "--plots", "bound", "--run-dir", run)
    assert said.status == 130
    assert {path.name for path in (run / "plots").iterdir()} == {
        f"bound{suffix}.png" for suffix in ("", "-1", "-2", "-3")
    }


def alive(number: int) -> bool:
    """Whether a process still runs."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(number: int) -> list[int]:
    lists = Path(f"/proc/{number}/task").glob("*/children")
    return [int(child) for one in lists for child in one.read_text().split()]


def until(true, seconds: float = 120) -> bool:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes as files")
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_no_process_is_left(tmp_path, number, status):
    """The signal reaches the whole process group, as Ctrl-C in a terminal does."""
    run = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "gmvae",
        *SPIRAL,
        "--epochs",
        100_000,
        "--run-dir",
        run,
        "--keep-every",
        1,
    ]
    command += ["--plots", "bound"]
    trained = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert until(lambda: (run / "plots" / "bound-2.png").exists())
    (child,) = children(trained.pid)
    os.killpg(trained.pid, number)
    out, error = trained.communicate(timeout=120)
    assert trained.returncode == status, error
    assert until(lambda: not alive(child))
    if number != signal.SIGKILL:
        assert "gmvae resume" in out
        assert "Traceback" not in error
        # the signal can come between the record of an epoch and its pictures
        last = len(records(run))
        assert all((run / "plots" / f"bound-{epoch}.png").exists() for epoch in range(1, last))
        assert not list(run.rglob("*.part"))
