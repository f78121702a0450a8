"""A run that is interrupted while an epoch is recorded keeps the last whole epoch."""

from __future__ import annotations

import json

import pytest
from commands import bad, here, records

from gmvae.assess.measures import Measures
from gmvae.store.run_folder import RunFolder

TRAIN = ["train", "spiral", "--points", 200, "--hidden-size", 8, "--epochs", 6, "--plot-every", 0]
"""Only the first and the last epoch write a checkpoint by themselves."""


def timeless(run):
    return [{k: v for k, v in line.items() if "seconds" not in k} for line in records(run)]


@pytest.mark.parametrize(
    ("where", "flags"),
    [
        ((Measures, "of"), ["--early-stopping", "--restarts", 2]),
        *(
            pytest.param(*one, marks=pytest.mark.slow)
            for one in (
                ((Measures, "of"), []),
                ((RunFolder, "append"), []),
                ((RunFolder, "append"), ["--early-stopping", "--restarts", 2]),
            )
        ),
    ],
)
def test_the_last_whole_epoch_is_in_the_checkpoint(tmp_path, monkeypatch, flags, where):
    kind, name = where
    work, calls = getattr(kind, name), []
    assert here(*TRAIN, *flags, "--run-dir", tmp_path / "whole").status == 0

    def interrupted(*given):
        calls.append(0)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return work(*given)

    run = tmp_path / "run"
    with monkeypatch.context() as broken:
        broken.setattr(kind, name, interrupted)
        said = here(*TRAIN, *flags, "--run-dir", run)
    assert said.status == 130
    assert "continue after epoch 4 with" in said.out
    about = RunFolder(run).read_checkpoint()[1]["current"]
    assert about["trainer"]["epoch"] == len(about["about"]["history"]) == len(records(run)) == 4
    assert here("resume", run).status == 0
    assert timeless(run) == timeless(tmp_path / "whole")
    model = [json.dumps(RunFolder(one).read_summary()["elbo"]) for one in (run, tmp_path / "whole")]
    assert model[0] == model[1]
    weights = [(one / "model.safetensors").read_bytes() for one in (run, tmp_path / "whole")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("more", [b"\xff\xfe", b'{"epoch": 9999\n', b"\xff\n[]\n"])
def test_whatever_follows_the_records_of_the_checkpoint_is_dropped(tmp_path, more):
    run = tmp_path / "run"
    assert here(*TRAIN, "--run-dir", run).status == 0
    before = (run / "metrics.jsonl").read_bytes()
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(more)
    assert here("resume", run, "--epochs", 7).status == 0
    assert (run / "metrics.jsonl").read_bytes().startswith(before + b"{")


@pytest.mark.parametrize("epoch", [-5, 1.5])
def test_a_checkpoint_with_an_impossible_epoch_is_named(tmp_path, epoch):
    run = tmp_path / "run"
    assert here(*TRAIN, "--epochs", 1, "--run-dir", run).status == 0
    (run / "summary.json").unlink()
    folder = RunFolder(run)
    tensors, about = folder.read_checkpoint()
    about["current"]["trainer"]["epoch"] = epoch
    folder.write_checkpoint((tensors, about))
    assert bad(here("resume", run)).startswith(f"gmvae: {folder.checkpoint}: the checkpoint is not one that")
