"""What TensorBoard reads from a run."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec

import pytest
from small_fits import three_blobs

from gmvae.config import RunConfig
from gmvae.experiments import DATA
from gmvae.run import Run
from gmvae.store.tracker import tag

if find_spec("tensorboard") is None:
    pytest.skip("tensorboard is not installed", allow_module_level=True)


def read(folder):
    """The numbers in a folder by tag, as TensorBoard's own reader has them, and the tags of texts."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder)).Reload()
    numbers = {
        one: [(event.step, event.value) for event in found.Scalars(one)] for one in found.Tags()["scalars"]
    }
    return numbers, {one.removesuffix("/text_summary") for one in found.Tags()["tensors"]}


def run_of(tmp_path, **training) -> Run:
    path = tmp_path / "blobs.csv"
    y, labels = three_blobs()
    lines = (",".join(map(str, (*row, f"kind {label}"))) for row, label in zip(y, labels, strict=True))
    path.write_text("a,b,c,kind\n" + "\n".join(lines) + "\n")
    config = replace(
        DATA,
        data=replace(DATA.data, path=str(path), label_column="kind"),
        model=replace(DATA.model, clusters=3, hidden_size=16, x_size=2, w_size=2),
        training=replace(DATA.training, device="cpu", **training),
        run=RunConfig(run_dir=str(tmp_path / "run"), plot_every=0, checkpoint_every=0, tracker="tensorboard"),
    )
    return Run.new("data", config)


@pytest.mark.slow
def test_it_has_every_number_of_every_epoch(tmp_path):
    list(run_of(tmp_path, epochs=4).train())
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    numbers, texts = read(tmp_path / "run" / "tensorboard")
    assert len(records) == 4
    for name in records[0].keys() - {"epoch", "restart"}:
        expected = [(record["epoch"], pytest.approx(record[name], rel=1e-6)) for record in records]
        assert numbers[tag(name)] == expected, name
    assert texts == {"config", "doctor"}


@pytest.mark.slow
def test_a_resumed_run_removes_lost_epochs(tmp_path):
    """Killed two epochs after its last checkpoint: they are made again, and occur once."""
    run = run_of(tmp_path, epochs=5)
    records = run.train()
    next(records)
    run.writer.config = replace(run.config, run=replace(run.config.run, checkpoint_every=1e9))
    run.writer.interrupted = lambda: None  # as SIGKILL
    next(records), next(records)
    records.close()
    resumed = Run.resume(tmp_path / "run")
    assert resumed.epoch == 1
    list(resumed.train())
    numbers, _ = read(tmp_path / "run" / "tensorboard")
    assert [step for step, _ in numbers["elbo/training"]] == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_restarts_have_folders_of_their_own(tmp_path):
    list(run_of(tmp_path, epochs=2, restarts=2).train())
    for place in ("tensorboard", "tensorboard/restart-2"):
        assert [step for step, _ in read(tmp_path / "run" / place)[0]["loss/training"]] == [1, 2]


def test_held_out_numbers_are_beside_those_of_training():
    tags = [tag(name) for name in ("elbo", "test_elbo", "validation_loss")]
    assert tags == ["elbo/training", "elbo/test", "loss/validation"]


def test_without_tensorboard_no_run_is_started(tmp_path, monkeypatch):
    monkeypatch.setattr("gmvae.store.tracker.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install tensorboard"):
        run_of(tmp_path, epochs=2)
    assert not (tmp_path / "run").exists()


def test_an_unknown_tracker_is_refused():
    with pytest.raises(ValueError, match="tracker is 'paper'"):
        RunConfig(tracker="paper")
