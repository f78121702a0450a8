"""A run that is killed anywhere, and resumed, ends as if it had never been killed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from commands import TIMES, bad, contents, here, records

from gmvae import Run
from gmvae.fit import restart
from gmvae.store.model_file import ModelFile
from gmvae.store.run_folder import RunFolder

TRAIN = ["train", "spiral", "--epochs", "2", "--points", "300", "--plot-every", "0", "--device", "cpu"]
TRAIN += ["--warm-up", "0", "--cv-warm-up", "0", "--init", "kmeans", "--hidden-size", "16"]
TRAIN += ["--checkpoint-every", "0"]


class Killed(BaseException):
    """An exception that nothing catches."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert here(*TRAIN, "--run-dir", folder)[::2] == (0, "")
    return folder


def assert_same(one: Path, other: Path) -> None:
    """Check that two run folders hold the same, except for times."""
    for ours, theirs in zip(records(one), records(other), strict=True):
        assert {**ours, **TIMES} == {**theirs, **TIMES}
    kept = {**TIMES, "samples_per_second": 0}
    starts = (json.loads((folder / "start.json").read_text()) for folder in (one, other))
    ours, theirs = ([{**start, "seconds": 0, "sha256": ""} for start in found] for found in starts)
    assert ours == theirs
    ours, theirs = (json.loads((folder / "summary.json").read_text()) | kept for folder in (one, other))
    for found in (ours, theirs):
        found["start"]["seconds"] = 0
    assert ours == theirs
    ours, theirs = (ModelFile.load(folder / "model.safetensors") for folder in (one, other))
    assert ours.about == theirs.about
    weights = theirs.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in ours.model.state_dict().items())


RARE = pytest.mark.slow


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "name", "call"),
    [
        pytest.param(restart, "begin_start", 1, marks=RARE),
        pytest.param(RunFolder, "write_checkpoint", 1, marks=RARE),
        (RunFolder, "write_starts", 1),  # the start is in the checkpoint
        pytest.param(RunFolder, "append", 1, marks=RARE),
        (RunFolder, "write_checkpoint", 2),  # the first epoch has a record, but no checkpoint
        pytest.param(RunFolder, "write_checkpoint", 3, marks=RARE),
        (ModelFile, "save", 1),  # the last epoch is in the checkpoint
        (RunFolder, "write_summary", 1),
    ],
)
def test_a_killed_run_ends_as_if_never_killed(finished, tmp_path, monkeypatch, where, name, call):
    """Killed just before a certain call of a function that every run uses."""
    original, calls = getattr(where, name), []

    def kill(*arguments, **options):
        calls.append(name)
        if len(calls) == call:
            raise Killed
        return original(*arguments, **options)

    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(where, name, kill)
        with pytest.raises(Killed):
            here(*TRAIN, "--run-dir", folder)
    said = here("resume", folder)
    assert (said.status, said.err) == (0, "")
    assert_same(folder, finished)


@pytest.mark.slow
def test_a_finished_run_says_how_to_train_it_for_longer(finished):
    before = contents(finished)
    for more in ([], ["--epochs", "2"]):
        said = here("resume", finished, *more)
        assert (said.status, said.err, said.out.count("\n")) == (0, "", 1)
        assert f"{finished} has finished its 2 epochs" in said.out
        assert "--epochs" in said.out
    assert contents(finished) == before
    again = Run.resume(finished)
    assert again.finished
    assert list(again.train()) == []
    summary = json.loads((finished / "summary.json").read_text())
    assert json.loads(json.dumps(again.summary())) == summary
    assert contents(finished) == before


@pytest.mark.slow
def test_more_epochs_are_kept_for_the_next_time(finished, tmp_path):
    folder, whole = tmp_path / "run", tmp_path / "whole"
    shutil.copytree(finished, folder)
    for _ in Run.resume(folder, epochs=4).train():
        break  # stops after the third
    assert len(records(folder)) == 3
    assert here("resume", folder).status == 0
    assert here(*TRAIN, "--epochs", "4", "--run-dir", whole).status == 0
    assert [line["epoch"] for line in records(folder)] == [1, 2, 3, 4]
    assert json.loads((folder / "summary.json").read_text())["epochs"] == 4


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda f: f.joinpath("metrics.jsonl").unlink(),
            "metrics.jsonl does not have the records of the checkpoint",
        ),
        (
            lambda f: f.joinpath("metrics.jsonl").write_text("{\n{}\n"),
            "metrics.jsonl does not have the records of the checkpoint",
        ),
        (
            lambda f: f.joinpath("config.json").write_text("{}"),
            "config.json has no checksum: it was written by an older version of gmvae, or was",
        ),
        (lambda f: f.joinpath("checkpoint/state.safetensors").write_bytes(b"x"), "is not a complete file"),
        (
            lambda f: shutil.copy(f / "model.safetensors", f / "checkpoint/state.safetensors"),
            "was damaged, or is not a checkpoint of this version",
        ),
    ],
)
def test_damaged_runs_give_one_line(finished, tmp_path, damage, message):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    damage(folder)
    before = contents(folder)
    assert message in bad(here("resume", folder, "--epochs", "3"))
    assert contents(folder) == before


@pytest.mark.parametrize("epochs", [0, -1])
def test_resume_needs_a_valid_number_of_epochs(finished, epochs):
    assert "epochs is" in bad(here("resume", finished, "--epochs", epochs))
