"""The command as users run it: with real folders and, if it matters, real processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import DIAGNOSTICS, TIMES, bad, contents, gmvae, here, records
from PIL import Image

from gmvae.cli import app
from gmvae.cli.flags import HIDDEN, narrowed, widened
from gmvae.config import Config
from gmvae.experiments import experiment
from gmvae.store.model_file import ModelFile
from gmvae.store.run_folder import RunFolder

TRAIN = ["train", "spiral", "--epochs", "4", "--points", "600", "--plot-every", "4", "--device", "cpu"]
TRAIN += ["--warm-up", "0", "--cv-warm-up", "0"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    said = here(*TRAIN, "--run-dir", folder)
    assert (said.status, said.err) == (0, "")
    return folder


@pytest.mark.slow
def test_a_run_folder_holds_what_the_readme_lists(finished):
    assert {p.name for p in finished.iterdir()} == {
        "config.json", "metrics.jsonl", "summary.json", "model.safetensors", "checkpoint", "plots",
    }  # fmt: skip
    assert {p.name for p in (finished / "plots").iterdir()} == {
        "latent.png", "recon.png", "bound.png", "consistency.png", "snapshot.npz", "overview.npz",
    }  # fmt: skip
    for picture in (finished / "plots").glob("*.png"):
        assert np.asarray(Image.open(picture).convert("L")).std() > 5


def test_a_run_can_be_read_back_from_its_folder(finished):
    about = json.loads((finished / "config.json").read_text())
    config = Config.from_json(about["config"])
    assert (config.training.epochs, config.data.points, config.model.clusters) == (4, 600, 8)
    assert about["data"]["shape"] == [600, 2]
    assert about["versions"]["torch"] == torch.__version__
    assert ModelFile.load(finished / "model.safetensors").model.config == config.model


def test_records_and_summary_agree(finished):
    lines, summary = records(finished), json.loads((finished / "summary.json").read_text())
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    keys = {
        "restart", "epoch", "seconds", "loss", "elbo", "reconstruction", "conditional_prior", "w_prior",
        "z_prior", "consistency_violation", "view_consistency", "clusters_used", "acc", "acc_aae", "nmi",
        "ari", "moved", *DIAGNOSTICS,
    }  # fmt: skip
    for line in lines:
        assert set(line) == keys | {"wall_seconds"}
        assert line["seconds"] < line["wall_seconds"]
        parts = ("conditional_prior", "w_prior", "z_prior")
        assert line["elbo"] == pytest.approx(line["reconstruction"] - sum(line[p] for p in parts), rel=1e-4)
        assert line["loss"] == pytest.approx(-line["elbo"] + 20 * line["consistency_violation"], rel=1e-4)
    assert {key: summary[key] for key in keys - {"epoch", "seconds"}} == {
        key: lines[-1][key] for key in keys - {"epoch", "seconds"}
    }
    assert summary["best_elbo"]["elbo"] == max(line["elbo"] for line in lines)
    assert summary["seconds"] == pytest.approx(sum(line["seconds"] for line in lines))
    assert summary["wall_seconds"] == pytest.approx(sum(line["wall_seconds"] for line in lines))
    assert summary["samples_per_second"] == pytest.approx(4 * 600 / summary["seconds"])


def test_a_picture_can_be_drawn_again(finished):
    picture = finished / "plots" / "latent.png"
    before = picture.read_bytes()
    picture.unlink()
    assert here("plot", "latent", finished) == (0, f"{picture}\n", "")
    assert picture.read_bytes() == before


@pytest.mark.parametrize("damage", ["of another version", "cut off"])
def test_a_snapshot_that_cannot_be_drawn_is_named(finished, tmp_path, damage):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    path = run / "plots" / "snapshot.npz"
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:500])
    else:
        with np.load(path) as arrays:
            np.savez(path, x=arrays["x"], y=arrays["y"])
    assert "snapshot.npz" in bad(here("plot", "latent", run))


@pytest.mark.slow
def test_pictures_of_a_run_that_drew_none_are_drawn_from_its_checkpoint(finished, tmp_path):
    run = tmp_path / "run"
    assert here(*TRAIN, "--plot-every", "0", "--run-dir", run).status == 0
    assert not (run / "plots").exists()
    assert here("plot", "latent", run).status == 0
    assert (run / "plots" / "latent.png").read_bytes() == (finished / "plots" / "latent.png").read_bytes()


@pytest.mark.slow
def test_resume_trains_to_the_given_epoch_and_not_backwards(tmp_path):
    run = tmp_path / "run"
    assert here(*TRAIN, "--run-dir", run).status == 0
    about = json.loads((run / "config.json").read_text())
    about["config"]["training"]["device"] = "cuda:63"
    RunFolder(run).write_about({name: value for name, value in about.items() if name != "sha256"})
    assert "device is 'cuda:63', but there are" in bad(here("resume", run, "--epochs", "5"))
    assert "has 4 epochs already: it cannot end after 3" in bad(
        here("resume", run, "--epochs", "3", "--device", "cpu")
    )
    assert here("resume", run, "--epochs", "5", "--device", "cpu").status == 0
    assert len(records(run)) == 5


def test_a_checkpoint_of_another_model_is_named(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    about = json.loads((run / "config.json").read_text())
    about["config"]["model"]["x_size"] = 3
    RunFolder(run).write_about({name: value for name, value in about.items() if name != "sha256"})
    assert "the checkpoint is of another model: " in bad(here("evaluate", run))


def test_running_out_of_memory_gives_one_line_and_leaves_no_run(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4e+18 bytes.")

    monkeypatch.setattr("gmvae.fit.restart.Trainer", full)
    said = here("train", "spiral", "--run-dir", tmp_path / "run")
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert "out of memory, make the model or the batches smaller" in said.err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_an_interrupted_run_says_how_to_resume(tmp_path):
    run = tmp_path / "run"
    long_run = ["--epochs", "4000", "--plot-every", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gmvae", *TRAIN, *long_run, "--run-dir", str(run)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "GMVAE_COMMAND": "./run.sh gmvae"},
    )  # fmt: skip
    for _ in range(600):
        if (run / "metrics.jsonl").exists() and len(records(run)) > 4:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "gmvae: stopped\n"
    said = re.search(r"continue after epoch (\d+) with: (.*)", out)
    assert said is not None
    last = int(said[1])
    assert last >= 5
    assert said[2] == f"./run.sh gmvae resume {run}"
    assert here("resume", run, "--epochs", last + 2).status == 0
    assert [line["epoch"] for line in records(run)] == list(range(1, last + 3))


@pytest.mark.slow
def test_a_run_is_found_from_another_folder(tmp_path, monkeypatch):
    np.save(tmp_path / "y.npy", np.random.default_rng(0).normal(size=(400, 2)))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    assert here(*TRAIN, "--path", "y.npy", "--run-dir", "run").status == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert here("evaluate", "../run").status == 0


@pytest.mark.slow
def test_a_window_without_a_display_gives_one_line(finished):
    environment = {
        k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    }
    result = gmvae("plot", "latent", finished, "--live", env=environment)
    assert result.returncode == 2
    assert "no window can be opened" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_training_for_longer_is_the_same_as_training_long_at_once(finished, tmp_path):
    short = tmp_path / "short"
    assert here(*TRAIN, "--epochs", 2, "--run-dir", short).status == 0
    resumed = here("resume", short, "--epochs", 4)
    assert (resumed.status, resumed.err) == (0, "")
    ours, theirs = records(short), records(finished)
    for one, other in zip(ours, theirs, strict=True):
        assert {**one, **TIMES} == {**other, **TIMES}
    one, other = (ModelFile.load(f / "model.safetensors").model.state_dict() for f in (short, finished))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_a_killed_run_resumes_from_its_checkpoint(finished, tmp_path):
    folder = tmp_path / "run"
    arguments = [*TRAIN, "--epochs", "400", "--checkpoint-every", "0", "--plot-every", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gmvae", *arguments, "--run-dir", str(folder)],
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
        assert {**one, **TIMES} == {**other, **TIMES}


@pytest.mark.slow
def test_data_of_a_file_with_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=400)
    np.save(tmp_path / "y.npy", rng.normal(size=(400, 4)) + 5 * np.eye(4)[labels])
    np.save(tmp_path / "labels.npy", labels)
    said = here(*TRAIN, "--path", "y.npy", "--labels-path", "labels.npy", "--run-dir", "run")
    assert (said.status, said.err) == (0, "")
    assert "y.npy: 400 observations of shape (4,)" in said.out
    assert "nmi" in records(tmp_path / "run")[-1]


def test_a_run_whose_data_changed_is_not_resumed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "y.npy", np.random.default_rng(0).normal(size=(400, 2)))
    assert here(*TRAIN, "--plot-every", 0, "--path", "y.npy", "--run-dir", "run").status == 0
    np.save(tmp_path / "y.npy", np.random.default_rng(1).normal(size=(400, 2)))
    for command in (["resume", "run", "--epochs", "9"], ["evaluate", "run"]):
        assert "y.npy has changed since the run in run started" in bad(here(*command))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "command is 'trian': did you mean train"),
        (["train", "spirla"], "experiment is 'spirla': did you mean spiral"),
        (["train", "spiral", "--clusters", "-3"], "clusters is -3: it must be a whole number of at least 0"),
        (
            ["train", "spiral", "--mc-samples", "0"],
            "--mc-samples is 0: it must be a whole number of at least 1",
        ),
        (
            ["train", "spiral", "--clusters", "many"],
            "--clusters is 'many': it must be a whole number, or auto",
        ),
        (["train", "spiral", "--colour", "3"], "there is no --colour: did you mean --columns?"),
        (["train", "spiral", "--device", "cuda:63"], "device is 'cuda:63', but there are"),
        (["train", "spiral", "--path", "none.npy"], "none.npy: No such file or directory"),
        (["train", "spiral", "--run-dir", "/dev/null/run"], "/dev/null/run: Not a directory"),
        (["train", "spiral", "--seed", str(2**63)], "it must be below 2 to the power of 63"),
        (["train", "spiral", "--run-dir", "/dev/null"], "/dev/null"),
        (
            ["train", "spiral", "--epoch-size", "1"],
            "--epoch-size is 1: it must be 0, for all of the data, or",
        ),
        (["train", "spiral", "--likelihood", "bernoulli"], "but likelihood bernoulli is for numbers from 0"),
        (["resume", "nowhere"], "nowhere does not exist"),
        (["plot", "latent", "nowhere"], "nowhere does not exist"),
        (["evaluate", "nowhere"], "nowhere does not exist"),
        (
            ["evaluate", ".", "--samples", "-1"],
            "samples is -1: it must be a whole number of at least 0",
        ),
        (["evaluate", "nowhere", "--samples", "few"], "--samples is 'few': it must be a whole number"),
        (["plot", "loss", "nowhere"], "plot is 'loss': it must be one of latent"),
    ],
)
def test_bad_input_gives_one_line_and_status_2(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in bad(here(*arguments))
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_not_overwritten(finished):
    before = contents(finished)
    assert "already holds a run" in bad(here(*TRAIN, "--run-dir", finished))
    assert contents(finished) == before


def test_a_diverging_run_ends_with_one_line_and_status_1(tmp_path):
    said = here(*TRAIN, "--optimiser", "sgd", "--learning-rate", "1e9", "--run-dir", tmp_path / "run")
    assert said.status == 1
    assert "lower the learning rate" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_names_every_command(arguments):
    said = here(*arguments)
    assert (said.status, said.err) == (0, "")
    for command in ("train", "resume", "evaluate", "plot"):
        assert f"\n  {command} " in said.out


@pytest.mark.parametrize("arguments", [["train"], ["train", "--help"]])
def test_help_names_every_experiment(arguments):
    said = here(*arguments)
    assert (said.status, said.err) == (0, "")
    for name in ("spiral", "mnist", "mnist_fc", "fashion_mnist", "svhn"):
        assert f"\n  {name} " in said.out


def test_version():
    assert here("--version") == (0, f"gmvae {version('gmvae')}\n", "")


@pytest.mark.parametrize("name", ["spiral", "mnist_fc", "svhn", "data"])
def test_every_field_is_a_flag_with_its_help(capsys, monkeypatch, name):
    """Except for those of other experiments; the flags of the data come first."""
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stop:
        app.main(["train", name, "--help"])
    assert not stop.value.code
    out = capsys.readouterr().out
    hidden = HIDDEN[name.partition("_")[0]]
    for section in Config().to_json().values():
        for field in section:
            there = re.search(rf"--{field.replace('_', '-')}(?![\w-])", out) is not None
            assert there != (field in hidden), field
    assert "Number of clusters, K; 0 or auto chooses" in out
    assert "None}" not in out  # what may be left out has the name of its kind
    assert out.index("data options") < out.index("model options")


def test_the_parsed_configuration_has_the_public_class():
    default = experiment("data")
    kind, shown = narrowed("data", default)
    assert type(shown) is kind is not Config
    assert widened(shown) == default


def test_points_are_evaluated_without_bits(finished):
    said = here("evaluate", finished, "--samples", 30)
    assert (said.status, said.err) == (0, "")
    found, summary = json.loads(said.out), json.loads((finished / "summary.json").read_text())
    agreement = {"clusters_used", "acc", "acc_aae", "nmi", "ari", *DIAGNOSTICS}
    assert found.keys() == agreement | {"elbo", "log_likelihood"}
    assert {key: found[key] for key in agreement} == {key: summary[key] for key in agreement}
    assert found["log_likelihood"] > found["elbo"]
    assert json.loads(here("evaluate", finished).out) == {
        key: value for key, value in found.items() if key != "log_likelihood"
    }


@pytest.mark.slow
def test_a_card_into_a_closed_pipe_is_no_error(finished):
    """As with ``gmvae info RUN | head -1``: the pipe is closed before the card is written."""
    command = [sys.executable, "-m", "gmvae", "info", str(finished)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0
