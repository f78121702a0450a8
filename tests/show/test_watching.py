"""A run in progress answers windows with its current state, at little cost, and without leaving a trace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import TIMES, bad, here
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gmvae import Run, experiment
from gmvae.show.figures import OF_SNAPSHOT
from gmvae.show.watching import OVERVIEW, Answers, Watcher
from gmvae.show.window import Followed, follow
from gmvae.store.run_folder import RunFolder, newest_run

ROOT = Path(__file__).parents[2]


def spiral(folder: Path, epochs: int = 3) -> Run:
    """A short run that draws nothing by itself."""
    usual = experiment("spiral")
    return Run.new(
        "spiral",
        replace(
            usual,
            training=replace(usual.training, epochs=epochs, device="cpu"),
            data=replace(usual.data, points=600),
            run=replace(usual.run, run_dir=str(folder), plot_every=0),
        ),
    )


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A run with windows for every picture, a run without windows, and what the windows showed."""
    folder = tmp_path_factory.mktemp("runs")
    alone = spiral(folder / "alone")
    alone = [record | TIMES for record in alone.train()]
    run = spiral(folder / "run")
    watchers = {name: Watcher(run.folder, name) for name in OF_SNAPSHOT}
    records, drawn = [], {}
    for watcher in watchers.values():
        watcher.ask()
    for record in run.train():
        records.append(record | TIMES)
        if record["epoch"] == 1:
            for name, watcher in watchers.items():
                figure = Figure()
                followed = Followed(name, lambda: run.folder)
                followed.draw((watcher.newest(), 0), figure)
                drawn[name] = figure
    before = (run.folder.path / "watch").exists()
    for watcher in watchers.values():
        watcher.close()
    return alone, records, drawn, before, run


@pytest.mark.slow
def test_a_window_does_not_change_training(watched):
    alone, records, *_ = watched
    assert records == alone


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["latent", *(pytest.param(n, marks=pytest.mark.slow) for n in OF_SNAPSHOT if n != "latent")]
)
def test_every_picture_is_drawn_from_an_answer(watched, name):
    canvas = FigureCanvasAgg(watched[2][name])
    canvas.draw()
    assert np.asarray(canvas.buffer_rgba())[..., :3].std() > 5


def test_a_window_leaves_no_trace(watched):
    *_, before, run = watched
    assert before
    assert {path.name for path in run.folder.path.iterdir()} == {
        "config.json", "metrics.jsonl", "summary.json", "model.safetensors", "checkpoint",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*non-interactive")
def test_a_window_is_drawn_anew_for_each_answer_until_it_is_closed(watched, tmp_path, monkeypatch):
    """With an invisible canvas in place of a window."""
    pyplot.switch_backend("agg")
    monkeypatch.setattr("gmvae.show.window.has_display", lambda: True)
    shutil.copytree(watched[-1].folder.path, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    watched[-1].take_snapshot()
    shutil.copy(watched[-1].folder.snapshot, tmp_path / "snapshot.npz")
    shutil.rmtree(watched[-1].folder.plots)
    drawn, looks = [], []

    class Closing(Followed):
        def look(self):
            looks.append(len(looks))
            if looks[-1] in (1, 3):  # two answers
                shutil.copy(tmp_path / "snapshot.npz", folder.path / "watch" / "latent.npz")
            if looks[-1] == 6:
                pyplot.close("all")
            return super().look()

        def draw(self, state, figure):
            super().draw(state, figure)
            drawn.append(state)

    follow(Closing("latent", lambda: folder), every=0.01)
    assert len(drawn) == 2
    assert not (folder.path / "watch").exists()


class Clock:
    """A clock that the test advances."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("step", [0.01, 0.3])
@pytest.mark.parametrize("cost", [0.02, 1.0, 30.0])
@pytest.mark.parametrize("names", [("latent",), ("latent", "recon"), (OVERVIEW,)])
def test_answers_are_recent_and_cheap(tmp_path, monkeypatch, step, cost, names):
    """Whatever a whole picture costs, answers are at most 2 s old if 1/200 of one can be made in time; those
    of a page 6 s."""
    folder, clock = RunFolder.create(tmp_path / "run", {}), Clock()
    spent, taken = [], []

    def take(name: str, share: float) -> object:
        clock.now += cost * share
        spent.append(cost * share)
        taken.append(clock.now)
        return object()

    monkeypatch.setattr("gmvae.show.watching.asdict", lambda _: {})
    monkeypatch.setattr("gmvae.show.watching.write_arrays", lambda *_: None)
    for name in names:
        Watcher(folder, name).ask()
    answers = Answers(folder, (*OF_SNAPSHOT, OVERVIEW), take, clock)
    while clock.now < 200:
        clock.now += step
        answers.look()
    assert sum(spent) < 0.02 * 100
    if cost < 30:
        ages = np.diff(taken[:: len(names)])
        assert ages[len(ages) // 2 :].max() < (5.7 if OVERVIEW in names else 1.6)


def test_without_a_window_nothing_is_drawn(tmp_path):
    folder, clock = RunFolder.create(tmp_path / "run", {}), Clock()
    answers = Answers(folder, ("latent",), lambda *_: pytest.fail("nobody asked"), clock)
    answers.look()
    watcher = Watcher(folder, "latent")
    watcher.ask()
    long_ago = watcher.request.stat().st_mtime - 60
    os.utime(watcher.request, (long_ago, long_ago))
    clock.now += 1
    answers.look()
    assert watcher.newest() is None


def test_the_newest_run_is_plotted_unless_one_is_named(watched, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "runs holds no run: name a run's folder" in bad(here("plot", "bound"))
    for second, name in enumerate(("b", "c", "a")):
        shutil.copytree(watched[-1].folder.path, tmp_path / "runs" / name)
        os.utime(tmp_path / "runs" / name / "config.json", (second, second))
    (tmp_path / "runs" / "notes.txt").touch()
    assert newest_run().path == Path("runs/a")
    assert here("plot", "bound") == (0, f"{Path('runs/a/plots/bound.png')}\n", "")
    followed = Followed("bound", newest_run)
    assert followed.look()[0] == Path("runs/a/metrics.jsonl")
    assert here("resume", "runs/b", "--epochs", "4").status == 0  # resumed last
    assert followed.look()[0] == Path("runs/b/metrics.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["latent", "recon"])
def test_the_originals_scripts_follow_the_newest_run(watched, tmp_path, name):
    """From plot/, as the original's README says; without a display into a file."""
    root = tmp_path / "clone"
    shutil.copytree(ROOT / "plot", root / "plot")
    shutil.copytree(watched[-1].folder.path, root / "runs" / "one")
    environment = {
        k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    }
    said = subprocess.run(
        [sys.executable, f"plot_{name}.py"], cwd=root / "plot", env=environment,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == f"{Path('runs/one/plots') / name}.png\n"
    assert (root / "runs" / "one" / "plots" / f"{name}.png").exists()
