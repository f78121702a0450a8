"""The command on images: small versions of MNIST and SVHN, and everything that can be wrong with files."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import DIAGNOSTICS, TIMES, bad, contents, here, records
from PIL import Image
from scipy.io import loadmat, savemat
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, v_measure_score

from gmvae.data.sets import images as published
from gmvae.data.sets import locate
from gmvae.model.objective import elbo, five_terms
from gmvae.store.model_file import ModelFile

IMAGES = ["train", "mnist_fc", "--hidden-size", 32, "--x-size", 4, "--w-size", 3, "--device", "cpu"]
SCORES = {"clusters_used", "acc", "acc_aae", "nmi", "ari", "elbo", "bits_per_dimension"}
PICTURES = ("latent", "recon", "samples", "styles", "bound", "terms", "consistency", "scores", "shares")


@pytest.fixture(scope="module")
def digits(small_mnist, tmp_path_factory) -> Path:
    """A run of two epochs on real digits."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    said = here(*IMAGES, "--epochs", 2, "--data-dir", small_mnist, "--run-dir", folder)
    assert (said.status, said.err) == (0, "")
    assert "mnist: 600 observations and 200 held out of shape (1, 28, 28), with labels" in said.out
    return folder


def read(small_mnist: Path, part: str) -> tuple[torch.Tensor, np.ndarray]:
    """Images as numbers from 0 to 1, and labels, read without the package."""
    folder = small_mnist / "mnist"
    pixels = np.frombuffer(gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes()), np.uint8)
    labels = np.frombuffer(gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes()), np.uint8)
    return torch.tensor(pixels[16:].reshape(-1, 1, 28, 28) / 255, dtype=torch.float32), labels[8:]


def measured(folder: Path, images: torch.Tensor, labels: np.ndarray) -> dict[str, float]:
    """The measures of a run's model, computed without the package's own functions."""
    model = ModelFile.load(folder / "model.safetensors").model
    with torch.no_grad():
        probabilities = model.recognition(images)[2].probs.numpy()
    clusters, count = probabilities.argmax(1), probabilities.shape[1]
    table = np.array([[sum(labels[clusters == k] == c) for c in range(10)] for k in range(count)])
    rows, columns = linear_sum_assignment(-table)
    likely = [labels[probabilities[:, k].argmax()] for k in range(count)]
    return {
        "acc": table[rows, columns].sum() / len(labels),
        "acc_aae": np.mean([likely[k] == label for k, label in zip(clusters, labels, strict=True)]),
        "nmi": v_measure_score(labels, clusters),
        "ari": adjusted_rand_score(labels, clusters),
        "clusters_used": sum(held > 0 for held in table.sum(1)),
    }


def bounds(folder: Path, images: torch.Tensor, times: int = 30) -> np.ndarray:
    """Means of the bound over the images, each with new samples."""
    model = ModelFile.load(folder / "model.safetensors").model
    torch.manual_seed(1)
    with torch.no_grad():
        return np.array([elbo(five_terms(model, images)).mean().item() for _ in range(times)])


@pytest.mark.slow
def test_measures_are_those_of_the_saved_model(digits, small_mnist):
    summary = json.loads((digits / "summary.json").read_text())
    for part, prefix in (("train", ""), ("t10k", "test_")):
        assert {prefix + key for key in SCORES} <= summary.keys()
        for key, value in measured(digits, *read(small_mnist, part)).items():
            assert summary[prefix + key] == pytest.approx(value, rel=1e-9), prefix + key
        bits = -summary[f"{prefix}elbo"] / (784 * np.log(2))
        assert summary[f"{prefix}bits_per_dimension"] == pytest.approx(bits, rel=1e-9)
    ours = bounds(digits, read(small_mnist, "t10k")[0])
    assert abs(summary["test_elbo"] - ours.mean()) < 4.5 * ours.std()
    assert ours.std() < 1


@pytest.mark.slow
def test_every_record_of_images_has_every_measure(digits):
    first, last = records(digits)
    assert first.keys() == last.keys() >= SCORES | {f"test_{key}" for key in SCORES}
    summary = json.loads((digits / "summary.json").read_text())
    assert {key: summary[key] for key in last.keys() - {"epoch", *TIMES}} == {
        key: value for key, value in last.items() if key not in ("epoch", *TIMES)
    }


@pytest.mark.slow
def test_every_picture_is_drawn_and_can_be_drawn_again(digits):
    before = contents(digits / "plots")
    assert {path.name for path in before} == {f"{name}.png" for name in PICTURES} | {
        "snapshot.npz",
        "overview.npz",
    }
    for name in PICTURES:
        assert np.asarray(Image.open(digits / "plots" / f"{name}.png").convert("L")).std() > 5
    picture = digits / "plots" / "samples.png"
    picture.unlink()
    assert here("plot", "samples", digits) == (0, f"{picture}\n", "")
    assert picture.read_bytes() == before[picture][1]


@pytest.mark.slow
def test_evaluate_prints_what_the_summary_says_and_an_estimate_of_the_likelihood(digits, small_mnist):
    before = contents(digits)
    said = here("evaluate", digits, "--samples", 20)
    assert (said.status, said.err) == (0, "")
    assert contents(digits) == before
    found, summary = json.loads(said.out), json.loads((digits / "summary.json").read_text())
    assert found.keys() == SCORES | DIAGNOSTICS | {f"test_{key}" for key in SCORES} | {"test_log_likelihood"}
    of_training = {"elbo", "bits_per_dimension", "test_log_likelihood"}  # the summary's are of the last epoch
    for key in found.keys() - of_training:
        assert found[key] == summary[key], key
    assert found["test_log_likelihood"] >= found["test_elbo"]
    ours = bounds(digits, read(small_mnist, "train")[0])
    assert abs(found["elbo"] - ours.mean()) < 4.5 * ours.std()
    assert found["bits_per_dimension"] == pytest.approx(-found["elbo"] / (784 * np.log(2)))
    assert "test_log_likelihood" not in json.loads(here("evaluate", digits).out)


@pytest.mark.slow
def test_a_run_without_a_checkpoint_is_not_evaluated(digits, tmp_path):
    folder = tmp_path / "begun"
    shutil.copytree(digits, folder, ignore=shutil.ignore_patterns("checkpoint"))
    assert f"{folder} has no checkpoint yet: wait for it" in bad(here("evaluate", folder))


@pytest.mark.slow
def test_a_resumed_image_run_ends_as_if_never_stopped(digits, small_mnist, tmp_path):
    long, short = tmp_path / "long", tmp_path / "short"
    train = [*IMAGES, "--data-dir", small_mnist, "--plot-every", 0]
    assert here(*train, "--epochs", 3, "--run-dir", long).status == 0
    assert here(*train, "--epochs", 2, "--run-dir", short).status == 0
    for one, other in zip(records(short), records(digits), strict=True):  # pictures change nothing
        assert {**one, **TIMES} == {**other, **TIMES}
    assert here("resume", short, "--epochs", 3).status == 0
    assert len(records(short)) == 3
    for one, other in zip(records(short), records(long), strict=True):
        assert {**one, **TIMES} == {**other, **TIMES}
    assert (short / "model.safetensors").read_bytes() == (long / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_measures_use_a_part_in_training_and_all_data_at_the_end(small_mnist, tmp_path):
    train = [*IMAGES, "--data-dir", small_mnist, "--plot-every", 0, "--optimiser", "adam"]
    train += ["--learning-rate", 0.01, "--run-dir"]
    assert here(*train, tmp_path / "one", "--epochs", 1).status == 0
    assert here(*train, tmp_path / "two", "--epochs", 2, "--measure-limit", 100).status == 0
    first, last = records(tmp_path / "two")
    for part, prefix, step in (("train", "", 6), ("t10k", "test_", 2)):
        images, labels = read(small_mnist, part)
        of_part = measured(tmp_path / "one", images[::step], labels[::step])
        assert {key: first[prefix + key] for key in of_part} == pytest.approx(of_part)
        of_all = measured(tmp_path / "two", images, labels)
        assert {key: last[prefix + key] for key in of_all} == pytest.approx(of_all)
        assert of_part != pytest.approx(measured(tmp_path / "one", images, labels))


@pytest.mark.slow
def test_an_epoch_of_images_may_be_shorter_than_the_data(small_mnist, tmp_path):
    train = [
        *IMAGES,
        "--data-dir",
        small_mnist,
        "--plot-every",
        0,
        "--epochs",
        3,
        "--run-dir",
        tmp_path / "run",
    ]
    assert here(*train, "--epoch-size", 100, "--network", "conv", "--filters", 2).status == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["samples_per_second"] * summary["seconds"] == pytest.approx(3 * 100)
    assert ModelFile.load(tmp_path / "run" / "model.safetensors").model.config.network == "conv"


@pytest.mark.slow
def test_labels_can_be_ignored(small_mnist, tmp_path):
    train = [*IMAGES, "--data-dir", small_mnist, "--epochs", 1, "--run-dir", tmp_path / "run", "--no-measure"]
    assert here(*train, "--plots", "scores", "shares").status == 0
    (record,) = records(tmp_path / "run")
    assert "test_elbo" in record
    assert not {"acc", "nmi", "test_acc", "test_nmi"} & record.keys()
    assert {p.name for p in (tmp_path / "run" / "plots").iterdir()} == {
        "shares.png",
        "snapshot.npz",
        "overview.npz",
    }
    assert "scores compares clusters with labels, and there are none" in bad(
        here("plot", "scores", tmp_path / "run")
    )


# ---- SVHN


@pytest.fixture(scope="module")
def small_svhn(small_mnist, tmp_path_factory) -> Path:
    """A data folder with real digits in SVHN's format: 200, 100 and 60 of them, 32 x 32, in colour."""
    data_dir = tmp_path_factory.mktemp("svhn")
    (data_dir / "svhn").mkdir()
    images, labels = read(small_mnist, "train")
    grey = np.pad((images[:, 0] * 255).numpy().astype(np.uint8), ((0, 0), (2, 2), (2, 2)))
    X = np.stack([grey, grey // 2, 255 - grey], axis=-1).transpose(1, 2, 3, 0)
    y = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
    start = 0
    for name, count in (("train", 200), ("test", 100), ("extra", 60)):
        part = slice(start, start + count)
        savemat(data_dir / "svhn" / f"{name}_32x32.mat", {"X": X[..., part], "y": y[part]})
        start += count
    return data_dir


@pytest.mark.slow
@pytest.mark.parametrize(("flag", "count"), [("--extra", 260), ("--no-extra", 200)])
def test_a_small_svhn_trains(small_svhn, tmp_path, flag, count):
    train = ["train", "svhn", "--filters", 4, "--hidden-size", 16, "--x-size", 4, "--w-size", 3]
    train += ["--batch-size", 50, "--epochs", 1, "--epoch-size", 0, "--plots", "recon", "samples"]
    said = here(*train, "--data-dir", small_svhn, "--device", "cpu", "--run-dir", tmp_path / "run", flag)
    assert (said.status, said.err) == (0, "")
    assert f"svhn: {count} observations and 100 held out of shape (3, 32, 32), with labels" in said.out
    assert "+ max(" in said.out
    model = ModelFile.load(tmp_path / "run" / "model.safetensors").model
    assert (model.config.assignment, model.config.network, model.recognition.z) == ("posterior", "svhn", None)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert SCORES | {f"test_{key}" for key in SCORES} <= summary.keys()
    assert summary["samples_per_second"] * summary["seconds"] == pytest.approx(count)
    parts = [loadmat(small_svhn / "svhn" / f"{name}_32x32.mat") for name in ("train", "extra", "test")]
    images = [part["X"].transpose(3, 2, 0, 1) for part in parts]
    y = np.concatenate(images[: 2 if flag == "--extra" else 1])
    with np.load(tmp_path / "run" / "plots" / "snapshot.npz") as shown:
        step = -(-count // 100)
        np.testing.assert_allclose(shown["y"], y[::step].reshape(-1, 3072) / 255, rtol=1e-6)
        np.testing.assert_array_equal(shown["y_shape"], [3, 32, 32])
    clusters = model.assign(torch.tensor(images[2] / 255, dtype=torch.float32)).probs.argmax(1)
    labels = parts[2]["y"][:, 0] % 10
    assert summary["test_nmi"] == pytest.approx(v_measure_score(labels, clusters), abs=1e-9)
    for name in ("recon", "samples"):
        red, green, blue = np.asarray(Image.open(tmp_path / "run" / "plots" / f"{name}.png"))[..., :3].T
        assert (red != blue).mean() > 0.1
        assert (red != green).mean() > 0.1


# ---- bad data


def repack(path: Path, change) -> None:
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))


def truncated(folder: Path) -> None:
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1000])


def of_another_kind(folder: Path) -> None:
    repack(folder / "t10k-images-idx3-ubyte.gz", lambda content: b"\0\0\x0d" + content[3:])


def a_label_short(folder: Path) -> None:
    repack(
        folder / "train-labels-idx1-ubyte.gz",
        lambda content: content[:4] + struct.pack(">I", 599) + content[8:-1],
    )


def a_page(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"<!DOCTYPE html>\n<html><body>404</body></html>\n")


def of_matlab_7_3(folder: Path) -> None:
    path = folder / "test_32x32.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n")


def a_page_of_matlab(folder: Path) -> None:
    (folder / "extra_32x32.mat").write_bytes(b"<html><head><title>502 Bad Gateway</title></head></html>\n")


@pytest.mark.parametrize(
    ("experiment", "damage", "message"),
    [
        ("mnist", truncated, "train-images-idx3-ubyte.gz is a gzip file that is cut off or broken: delete"),
        ("mnist_fc", of_another_kind, "is not an IDX file of bytes, which begins with 0 0 8: it begins with"),
        ("mnist", a_label_short, "train-labels-idx1-ubyte.gz 599 labels: fetch both again"),
        ("mnist_fc", a_page, "train-labels-idx1-ubyte.gz is a web page, not data: delete it and fetch"),
        ("svhn", of_matlab_7_3, "test_32x32.mat is a MATLAB 7.3 file (HDF5): it must be a MATLAB 5 file"),
        ("svhn", a_page_of_matlab, "extra_32x32.mat is a web page, not data: delete it and fetch it again"),
    ],
)  # fmt: skip
def test_bad_images_give_one_line_and_leave_no_run(
    experiment, damage, message, small_mnist, small_svhn, tmp_path
):
    name = "svhn" if experiment == "svhn" else "mnist"
    shutil.copytree((small_svhn if name == "svhn" else small_mnist) / name, tmp_path / "data" / name)
    damage(tmp_path / "data" / name)
    before = contents(tmp_path)
    train = ["train", experiment, "--data-dir", tmp_path / "data", "--run-dir", tmp_path / "run"]
    assert message in bad(here(*train))
    assert contents(tmp_path) == before
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("experiment", ["mnist", "fashion_mnist", "svhn"])
def test_missing_data_without_a_network_give_one_line(experiment, tmp_path, monkeypatch):
    monkeypatch.delenv("GMVAE_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / ".cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(locate, "AFTER", ("~/data",))
    source = experiment.upper()
    closed = replace(getattr(published, source), url="http://127.0.0.1:9/")
    monkeypatch.setattr(published, source, closed)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    line = bad(here("train", experiment))
    assert f"{experiment} was not found in data, {tmp_path}/home/.cache/gmvae, {tmp_path}/home/data" in line
    assert "nor fetched from http://127.0.0.1:9/" in line
    assert "no connection" in line
    assert "or name their folder with --data-dir" in line
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["spiral", "--network", "conv"], "network is 'conv', but an observation has shape (2,): it must be"),
        (["mnist", "--network", "svhn", "--path", "y.npy"], "network is 'svhn', but an observation has"),
        (["mnist", "--filters", "0"], "filters is 0: it must be a whole number of at least 1"),
        (["mnist", "--measure-limit", "0"], "--measure-limit is 0: it must be a whole number of at least 1"),
        (["svhn", "--epoch-size", "-5"], "--epoch-size is -5: it must be a whole number of at least 0"),
    ],
)
def test_settings_that_do_not_suit_images_give_one_line(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("y.npy", np.zeros((20, 7, 9), dtype=np.uint8))
    assert message in bad(here("train", *arguments))
    assert [path.name for path in tmp_path.iterdir()] == ["y.npy"]


@pytest.mark.slow
def test_a_density_of_levels_has_no_bits(small_mnist, tmp_path):
    run = tmp_path / "run"
    small = ["--hidden-size", "8", "--epochs", "1", "--epoch-size", "100", "--plot-every", "0"]
    assert here(
        "train", "mnist_fc", "--likelihood", "gaussian", *small, "--data-dir", small_mnist, "--run-dir", run
    ).status == 0  # fmt: skip
    assert not any("bits" in key for key in records(run)[0])
