"""The command as its users run it: real processes, real folders."""

from __future__ import annotations

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
from PIL import Image

from gmvae import cli
from gmvae.config import Config
from gmvae.files import load_model

TRAIN = ["train", "spiral", "--epochs", "4", "--points", "600", "--plot-every", "2", "--device", "cpu"]
TRAIN += ["--warm-up", "0", "--cv-warm-up", "0"]


def gmvae(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gmvae.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    result = gmvae(*TRAIN, "--run-dir", folder)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return folder


def test_a_run_folder_holds_what_the_readme_lists(finished):
    assert {p.name for p in finished.iterdir()} == {
        "config.json", "metrics.jsonl", "summary.json", "model.safetensors", "checkpoint", "plots",
    }  # fmt: skip
    assert {p.name for p in (finished / "plots").iterdir()} == {
        "latent.png", "recon.png", "bound.png", "consistency.png", "snapshot.npz",
    }  # fmt: skip
    for picture in (finished / "plots").glob("*.png"):
        assert np.asarray(Image.open(picture).convert("L")).std() > 5


def test_a_run_can_be_read_back_from_its_folder(finished):
    about = json.loads((finished / "config.json").read_text())
    config = Config.from_json(about["config"])
    assert (config.training.epochs, config.data.points, config.model.clusters) == (4, 600, 8)
    assert about["data"]["shape"] == [600, 2]
    assert about["versions"]["torch"] == torch.__version__
    assert load_model(finished / "model.safetensors").config == config.model


def test_records_and_summary_agree(finished):
    lines, summary = records(finished), json.loads((finished / "summary.json").read_text())
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    keys = {
        "epoch", "seconds", "loss", "elbo", "reconstruction", "conditional_prior", "w_prior", "z_prior",
        "consistency_violation", "clusters_used", "acc", "acc_aae", "nmi", "ari",
    }  # fmt: skip
    for line in lines:
        assert set(line) == keys
        parts = ("conditional_prior", "w_prior", "z_prior")
        assert line["elbo"] == pytest.approx(line["reconstruction"] - sum(line[p] for p in parts), rel=1e-4)
        assert line["loss"] == pytest.approx(-line["elbo"] + 20 * line["consistency_violation"], rel=1e-4)
    assert {key: summary[key] for key in keys - {"epoch", "seconds"}} == {
        key: lines[-1][key] for key in keys - {"epoch", "seconds"}
    }
    assert summary["best_elbo"]["elbo"] == max(line["elbo"] for line in lines)
    assert summary["seconds"] == pytest.approx(sum(line["seconds"] for line in lines))
    assert summary["samples_per_second"] == pytest.approx(4 * 600 / summary["seconds"])


def test_a_picture_can_be_drawn_again(finished):
    picture = finished / "plots" / "latent.png"
    before = picture.read_bytes()
    picture.unlink()
    result = gmvae("plot", "latent", finished)
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()) == picture
    assert picture.read_bytes() == before


def test_a_window_without_a_display_is_said_in_one_line(finished):
    environment = {
        k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    }
    result = gmvae("plot", "latent", finished, "--live", env=environment)
    assert result.returncode == 2
    assert "no window can be opened" in result.stderr
    assert result.stderr.count("\n") == 1


def test_training_for_longer_is_the_same_as_training_long_at_once(finished, tmp_path):
    short, long = tmp_path / "short", tmp_path / "long"
    assert gmvae(*TRAIN, "--epochs", 2, "--run-dir", short).returncode == 0
    resumed = gmvae("resume", short, "--epochs", 4)
    assert resumed.returncode == 0, resumed.stderr
    ours, theirs = records(short), records(finished)
    for one, other in zip(ours, theirs, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    one, other = (load_model(f / "model.safetensors").state_dict() for f in (short, finished))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not long.exists()


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_checkpoint(finished, tmp_path):
    folder = tmp_path / "run"
    arguments = [*TRAIN, "--epochs", "400", "--checkpoint-every", "0", "--plot-every", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gmvae.cli", *arguments, "--run-dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    for _ in range(600):
        if (folder / "metrics.jsonl").exists() and len(records(folder)) > 4:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "summary.json").exists()
    done = len(records(folder))
    assert gmvae("resume", folder, "--epochs", done + 2).returncode == 0
    lines = records(folder)
    assert [line["epoch"] for line in lines] == list(range(1, done + 3))
    for one, other in zip(lines, records(finished), strict=False):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_data_of_a_file_with_labels(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=400)
    np.save(tmp_path / "y.npy", rng.normal(size=(400, 4)) + 5 * np.eye(4)[labels])
    np.save(tmp_path / "labels.npy", labels)
    result = gmvae(
        *TRAIN, "--data-path", "y.npy", "--labels-path", "labels.npy", "--run-dir", "run", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert "y.npy: 400 observations of shape (4,)" in result.stdout
    assert "nmi" in records(tmp_path / "run")[-1]


def test_a_run_whose_data_changed_does_not_go_on(tmp_path):
    np.save(tmp_path / "y.npy", np.random.default_rng(0).normal(size=(400, 2)))
    assert gmvae(*TRAIN, "--data-path", "y.npy", "--run-dir", "run", cwd=tmp_path).returncode == 0
    np.save(tmp_path / "y.npy", np.random.default_rng(1).normal(size=(400, 2)))
    result = gmvae("resume", "run", "--epochs", "9", cwd=tmp_path)
    assert result.returncode == 2
    assert "y.npy has changed since the run in run began" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "command is 'trian': it must be one of train, "),
        (["train", "spirla"], "experiment is 'spirla': it must be one of spiral"),
        (["train", "spiral", "--clusters", "-3"], "clusters is -3: it must be a whole number of at least 1"),
        (
            ["train", "spiral", "--mc-samples", "0"],
            "mc_samples is 0: it must be a whole number of at least 1",
        ),
        (["train", "spiral", "--clusters", "many"], "--clusters: invalid literal for int"),
        (["train", "spiral", "--colour", "3"], "Unrecognized options: --colour"),
        (["train", "spiral", "--device", "cuda:63"], "device is 'cuda:63', but there are"),
        (["train", "spiral", "--data-path", "none.npy"], "none.npy: No such file or directory"),
        (["train", "spiral", "--run-dir", "/dev/null/run"], "/dev/null/run: Not a directory"),
        (["resume", "nowhere"], "nowhere holds no run"),
        (["plot", "latent", "nowhere"], "nowhere holds no run"),
        (["plot", "loss", "nowhere"], "invalid choice"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_not_overwritten(finished):
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*")}
    result = gmvae(*TRAIN, "--run-dir", finished)
    assert result.returncode == 2
    assert "already holds a run" in result.stderr
    assert result.stderr.count("\n") == 1
    assert {p: p.stat().st_mtime_ns for p in finished.rglob("*")} == before


def test_a_diverging_run_ends_with_one_line_and_status_1(tmp_path):
    result = gmvae(*TRAIN, "--optimiser", "sgd", "--learning-rate", "1e9", "--run-dir", tmp_path / "run")
    assert result.returncode == 1
    assert "lower the learning rate" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["--help"], ["train"], ["train", "--help"], ["--version"]])
def test_help_names_what_there_is(arguments, capsys):
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert "spiral" in out or "0.1" in out


def test_every_field_is_a_flag_with_its_help():
    result = gmvae("train", "spiral", "--help", env={**os.environ, "COLUMNS": "200"})
    assert result.returncode == 0
    for section in Config().to_json().values():
        for name in section:
            assert f"--{name.replace('_', '-')}" in result.stdout
    assert "Number of clusters, K. (default: 8)" in result.stdout
