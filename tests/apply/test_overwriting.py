"""Commands never overwrite their input, and no output column hides another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import bad, contents, here
from PIL import Image

from gmvae import GMVAE

TINY = [
    "--clusters", 2, "--hidden-size", 4, "--x-size", 1, "--w-size", 1, "--epochs", 1, "--plot-every", 0,
    "--init", "random",
]  # fmt: skip


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    """A folder with a run, a model file, and data in files and folders."""
    root = tmp_path_factory.mktemp("given")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(20, 2)), columns=["a", "b"])
    table.to_parquet(root / "in.parquet")
    table.to_parquet(root / "other.parquet")
    np.save(root / "in.npy", table.to_numpy())
    np.save(root / "labels.npy", rng.integers(0, 2, 20))
    (root / "parts").mkdir()
    table.to_parquet(root / "parts" / "0.parquet")
    for i in range(6):
        (root / "pictures").mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(root / "pictures" / f"{i}.png")
    flags = ["--path", root / "in.parquet", "--labels-path", root / "labels.npy"]
    assert here("train", "data", *flags, *TINY, "--run-dir", root / "run").status == 0
    model = GMVAE(2, hidden_size=4, x_size=1, w_size=1, epochs=1, init="random", random_state=0)
    model.fit(table).save(root / "model.npy")  # a model file may have any name
    more = [["g/part-*.parquet", "glob"], ["parts", "of_parts"], ["pictures", "of_pictures"]]
    (root / "g").mkdir()
    for i in range(2):
        table.to_parquet(root / "g" / f"part-{i}.parquet")
    for path, run in more:
        network = ["--network", "fc"] if path == "pictures" else []
        flags = ["--path", root / path, *network, *TINY, "--run-dir", root / run]
        assert here("train", "data", *flags).status == 0
    (root / "hard.parquet").hardlink_to(root / "in.parquet")
    (root / "soft.parquet").symlink_to("in.parquet")
    (root / "linked").symlink_to(root, target_is_directory=True)
    return root


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "run", "in.parquet", "-o", "in.parquet"],
        ["predict", "run", "in.parquet", "-o", "./parts/../in.parquet"],
        ["predict", "run", "in.parquet", "-o", "hard.parquet"],
        ["predict", "run", "in.parquet", "-o", "soft.parquet"],
        ["predict", "run", "soft.parquet", "-o", "in.parquet"],
        ["predict", "run", "in.parquet", "-o", "linked/in.parquet"],
        ["predict", "run", "linked/hard.parquet", "-o", "in.parquet"],
        ["predict", "run", "-o", "in.parquet"],
        ["predict", "run", "other.parquet", "-o", "in.parquet"],
        ["predict", "run", "other.parquet", "-o", "labels.npy"],
        ["predict", "run", "in.npy", "-o", "in.npy"],
        ["predict", "run", "parts", "-o", "parts/0.parquet"],
        ["predict", "run", "parts", "-o", "linked/parts/1.parquet"],
        ["predict", "glob", "g/part-*.parquet", "-o", "g/part-0.parquet"],
        ["predict", "glob", "-o", "linked/g/part-1.parquet"],
        ["predict", "glob", "other.parquet", "-o", "g/part-7.parquet"],
        ["predict", "of_parts", "other.parquet", "-o", "parts/0.parquet"],
        ["embed", "run", "in.parquet", "-o", "in.parquet"],
        ["describe", "glob", "other.parquet", "-o", "g/part-0.parquet"],
        ["plot", "bound", "of_pictures", "-o", "pictures/0.png"],
        ["plot", "map", "of_pictures", "-o", "pictures/new.png"],
        ["sample", "of_parts", "-o", "parts/0.parquet"],
        ["sample", "of_pictures", "-o", "pictures/0.png"],
        ["embed", "run", "in.parquet", "-o", "hard.parquet"],
        ["embed", "model.npy", "in.parquet", "-o", "model.npy"],
        ["sample", "run", "-o", "soft.parquet"],
        ["sample", "model.npy", "-o", "linked/model.npy"],
        ["export", "encoder.onnx", "-o", "."],
    ],
)
def test_an_input_is_never_an_output(given, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(given)
    shutil.copy("model.npy", "encoder.onnx")
    before = contents(given)
    assert "is the model or its data, which would be overwritten: name another file" in bad(here(*arguments))
    assert contents(given) == before


def test_the_default_output_is_never_an_input_either(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("predictions.csv", "embedding.csv"):
        pd.DataFrame({"a": [1.0, 2.0], "b": [0.0, 1.0]}).to_csv(name, index=False)
    before = contents(tmp_path)
    assert "predictions.csv is the model or its data" in bad(
        here("predict", given / "run", "predictions.csv")
    )
    assert "embedding.csv is the model or its data" in bad(here("embed", given / "run", "embedding.csv"))
    assert contents(tmp_path) == before


def test_other_files_are_overwritten(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(given / "parts", "parts")
    Path("old.csv").write_text("mine")
    os.link("old.csv", "older.csv")
    assert here("predict", given / "run", "parts", "-o", "parts/clusters.csv").status == 0
    assert here("predict", given / "run", "parts", "-o", "old.csv").status == 0
    assert len(pd.read_csv("old.csv")) == len(pd.read_csv("parts/clusters.csv")) == 20
    assert Path("older.csv").read_text() == "mine"


@pytest.mark.parametrize("data", ["pictures", "parts"])
def test_a_run_is_not_written_among_its_data(given, tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(given / data, data)
    before = contents(tmp_path)
    for folder in (f"{data}/run", f"{data}/../{data}/deep/run"):
        said = bad(here("train", "data", "--path", data, *TINY, "--run-dir", folder))
        assert "which the run is trained on: name a --run-dir outside of it" in said
    monkeypatch.chdir(tmp_path / data)
    assert "name a --run-dir outside of it" in bad(here("train", "data", "--path", ".", *TINY))
    assert contents(tmp_path) == before


@pytest.fixture(scope="module")
def named(tmp_path_factory) -> Path:
    """A run, its file with columns named like results, and a run with a feature called cluster."""
    root = tmp_path_factory.mktemp("named")
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=["a", "b"])
    for name in ("cluster", "probability", "log_density", "p0", "x0"):
        table[name] = [f"r{i}" for i in range(20)]
    table.to_csv(root / "t.csv", index=False)
    table[["a", "b"]].assign(cluster=table["a"] * 2 + 50).to_parquet(root / "f.parquet")
    columns = ["--path", root / "t.csv", "--columns", "a", "b"]
    assert here("train", "data", *columns, *TINY, "--run-dir", root / "run").status == 0
    assert (
        here("train", "data", "--path", root / "f.parquet", *TINY, "--run-dir", root / "feature").status == 0
    )
    return root


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow"])
def test_an_id_column_named_like_an_answer_is_refused(named, tmp_path, ending):
    out = tmp_path / f"out.{ending}"
    for name in ("cluster", "probability", "log_density", "p0"):
        said = bad(here("predict", named / "run", named / "t.csv", "--id-column", name, "-o", out))
        assert f"the id column is {name!r}, but a column of the result has that name: rename it in" in said
    said = bad(here("embed", named / "run", named / "t.csv", "--id-column", "x0", "-o", out))
    assert "the id column is 'x0'" in said
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cluster", "probability", "log_density", "p0", "x0"])
def test_an_id_column_that_would_hide_results_is_refused_before_training(named, tmp_path, name):
    table = pd.read_csv(named / "t.csv")
    table.to_parquet(tmp_path / "t.parquet")
    np.savez(tmp_path / "t.npz", X=table[["a", "b"]], **{name: table[name].to_numpy(dtype=str)})
    for path in (named / "t.csv", tmp_path / "t.parquet", tmp_path / "t.npz"):
        chosen = [] if path.suffix == ".npz" else ["--columns", "a", "b"]
        run = ["--id-column", name, *TINY, "--run-dir", tmp_path / "run"]
        said = bad(here("train", "data", "--path", path, *chosen, *run))
        assert f"an id column {name!r}, but predictions have a column of that name: rename it" in said
        assert not (tmp_path / "run").exists()


def test_other_names_of_id_columns_are_kept(named, tmp_path):
    out = tmp_path / "out.csv"
    assert here("embed", named / "run", named / "t.csv", "--id-column", "cluster", "-o", out).status == 0
    assert list(pd.read_csv(out).columns) == ["cluster", "x0"]
    assert here("predict", named / "run", named / "t.csv", "--id-column", "x0", "-o", out).status == 0
    assert list(pd.read_csv(out).columns) == ["x0", "cluster", "probability", "log_density", "p0", "p1"]
    assert pd.read_csv(out)["x0"].tolist() == [f"r{i}" for i in range(20)]


def test_a_feature_called_cluster_is_refused_in_tables_of_samples(named, tmp_path):
    for ending in ("csv", "parquet"):
        said = bad(here("sample", named / "feature", "-o", tmp_path / f"s.{ending}"))
        assert "a feature is called 'cluster', but the samples have a column of that name" in said
    assert here("sample", named / "feature", "-n", 50, "-o", tmp_path / "s.npy").status == 0
    samples = np.load(tmp_path / "s.npy")
    assert samples.shape == (50, 4)  # the cluster, a, b, and what is called cluster
    assert set(samples[:, 0]) <= {0, 1}
    assert samples[:, 3].min() > 10


def test_features_have_different_names(tmp_path):
    table = pd.DataFrame({"t": ["x", "y"] * 10, "t=x": np.arange(20.0), "b": np.arange(20.0)})
    table.to_parquet(tmp_path / "t.parquet")
    said = here(
        "train", "data", "--path", tmp_path / "t.parquet", "--text", "one-hot", *TINY,
        "--run-dir", tmp_path / "run",
    )  # fmt: skip
    assert "has more than one feature t=x: rename a column, or leave it out with --drop" in bad(said)
