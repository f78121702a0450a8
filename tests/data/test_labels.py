"""Labels are read in the same way from every format, and a run's own file is evaluated like any other."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from commands import bad, here
from pyarrow import parquet
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

import gmvae
from gmvae.apply import apply

ROWS = 60
Y, TRUE = make_blobs(ROWS, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
TINY = ["--clusters", 3, "--hidden-size", 16, "--x-size", 2, "--w-size", 2, "--plot-every", 0, "--seed", 1,
        "--init", "kmeans"]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run on a file that has labels."""
    folder = tmp_path_factory.mktemp("labels")
    table = pd.DataFrame(Y, columns=["a", "b"]).assign(kind=TRUE)
    table.loc[7, "kind"] = np.nan  # numbers with a gap: 0.0, 1.0 and empty
    table.to_csv(folder / "t.csv", index=False)
    said = here(
        "train", "data", "--path", folder / "t.csv", "--label-column", "kind", *TINY, "--epochs", 20,
        "--run-dir", folder / "run",
    )  # fmt: skip
    assert (said.status, said.err) == (0, "")
    assert "3 classes: 0, 1, 2; 1 row without a label\n" in said.out
    return folder / "run"


def evaluated(*arguments) -> dict:
    said = here("evaluate", *arguments)
    assert (said.status, said.err) == (0, "")
    return json.loads(said.out)


def measured(run, folder, kind, labels, name="t.parquet", **options) -> dict:
    """What ``evaluate`` finds on a file with such labels."""
    path, table = folder / name, pd.DataFrame(Y, columns=["a", "b"])
    if name.endswith((".csv", ".tsv")):
        table.assign(kind=labels).to_csv(path, index=False, sep="\t" if name[-3] == "t" else ",", **options)
    elif name.endswith(".npz"):
        np.savez(path, X=Y, kind=np.array(labels))
    elif name.endswith(".h5ad"):
        obs = pd.DataFrame({"kind": labels}, index=list(map(str, range(len(Y)))))
        anndata.AnnData(Y, obs=obs, var=pd.DataFrame(index=["a", "b"])).write_h5ad(path)
    else:
        columns = {"a": Y[:, 0], "b": Y[:, 1], "kind": pa.array(labels, kind)}
        parquet.write_table(pa.table(columns), path, row_group_size=13)
    return evaluated(run, path)


def expected(run, known=slice(None), labels=TRUE) -> float:
    clusters = gmvae.load(run, "cpu").predict(Y)
    return adjusted_rand_score(np.asarray(labels)[known], clusters[known])


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        pa.int64(),
        pa.uint8(),
        pa.float32(),
        pa.decimal128(5, 2),
        pa.string(),
        pa.dictionary(pa.int8(), pa.int64()),
    ],
)
def test_a_missing_label_does_not_change_the_classes(run, tmp_path, monkeypatch, kind):
    """A null in a block would make numpy read that block's labels as floats."""
    monkeypatch.setattr(apply, "ROWS", 13)
    labels = [None if i == 40 else str(k) if kind == pa.string() else int(k) for i, k in enumerate(TRUE)]
    if pa.types.is_dictionary(kind):
        labels, kind = pa.array(labels, pa.int64()).dictionary_encode(), None
    found = measured(run, tmp_path, kind, labels)
    known = np.arange(ROWS) != 40
    assert (found["rows"], found["labelled"]) == (ROWS, ROWS - 1)
    assert found["ari"] == pytest.approx(expected(run, known))


@pytest.mark.slow
def test_files_of_a_folder_may_have_different_types(run, tmp_path):
    """One file has integers; another has them as floats, since a value is missing there."""
    (tmp_path / "parts").mkdir()
    for number, kind in enumerate((pa.int64(), pa.float64(), pa.string())):
        rows = slice(number * 20, number * 20 + 20)
        labels = [str(k) if kind == pa.string() else int(k) for k in TRUE[rows]]
        columns = {"a": Y[rows, 0], "b": Y[rows, 1], "kind": pa.array(labels, kind)}
        parquet.write_table(pa.table(columns), tmp_path / "parts" / f"{number}.parquet")
    found = evaluated(run, tmp_path / "parts")
    assert found["labelled"] == ROWS
    assert found["ari"] == pytest.approx(expected(run))


WORDS = np.array(["None", "NA", "null"])[TRUE]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.parquet", "t.npz", "t.h5ad"])
def test_all_words_are_classes(run, tmp_path, name):
    if name.endswith(".csv.gz"):
        pd.DataFrame(Y, columns=["a", "b"]).assign(kind=WORDS).to_csv(tmp_path / name, index=False)
        found = evaluated(run, tmp_path / name)
    else:
        found = measured(run, tmp_path, pa.string(), list(WORDS), name)
    assert found["labelled"] == ROWS
    assert found["ari"] == pytest.approx(expected(run))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.npz", "t.h5ad"])
@pytest.mark.parametrize("gap", ["", "NaN", "nan", "<NA>", "#N/A", " "])
def test_missing_labels_are_unknown(run, tmp_path, name, gap):
    labels = [gap if i == 3 else word for i, word in enumerate(WORDS)]
    found = measured(run, tmp_path, pa.string(), labels, name)
    assert found["labelled"] == ROWS - 1
    assert found["ari"] == pytest.approx(expected(run, np.arange(ROWS) != 3))


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.npz", "t.h5ad"])
def test_words_beside_numbers_are_no_classes_and_spellings_do_not_matter(run, tmp_path, name):
    spelled = [f"{k}.0" if i % 2 else f" {k}" for i, k in enumerate(TRUE)]
    labels = [("NA", "None", "null")[i] if i < 3 else word for i, word in enumerate(spelled)]
    found = measured(run, tmp_path, pa.string(), labels, name)
    assert found["labelled"] == ROWS - 3
    assert found["ari"] == pytest.approx(expected(run, np.arange(ROWS) > 2))


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        (pa.bool_(), [bool(k) for k in TRUE]),
        (pa.date32(), [date(2020, 1, 1 + k) for k in TRUE]),
        (pa.binary(), [b"abc"[k : k + 1] for k in TRUE]),
        (pa.float64(), [0.5 * k for k in TRUE]),
        (pa.int64(), [2**60 + int(k) for k in TRUE]),
        (pa.string(), [str(2**60 + k) for k in TRUE]),
    ],
)
def test_labels_of_other_types(run, tmp_path, kind, labels):
    found = measured(run, tmp_path, kind, labels)
    codes = np.unique([str(label) for label in labels], return_inverse=True)[1]
    assert found["labelled"] == ROWS
    assert found["ari"] == pytest.approx(expected(run, labels=codes))


def test_a_run_and_its_file_have_the_same_measures(run, tmp_path):
    shutil.copy(run.parent / "t.csv", tmp_path / "copy.csv")
    own = evaluated(run, "--samples", 5)
    assert own == evaluated(run, run.parent / "t.csv", "--samples", 5)
    assert own == evaluated(run, tmp_path / "copy.csv", "--samples", 5)
    assert own == evaluated(run / "model.safetensors", tmp_path / "copy.csv", "--samples", 5)
    summary = json.loads((run / "summary.json").read_text())
    for key in ("acc", "acc_aae", "nmi", "ari", "clusters_used", "active_x", "active_w"):
        assert own[key] == pytest.approx(summary[key], abs=0.02)
    assert own["log_likelihood"] > own["elbo"] - 0.1
    assert (own["rows"], own["labelled"]) == (ROWS, ROWS - 1)
    other = evaluated(run, "--label-column", "b")
    assert (other["labelled"], other["elbo"]) == (ROWS, own["elbo"])
    assert other["ari"] < own["ari"]


@pytest.mark.slow
def test_labels_in_a_file_of_their_own(tmp_path):
    np.save(tmp_path / "y.npy", Y)
    np.save(tmp_path / "labels.npy", np.where(np.arange(ROWS) < 5, -1, TRUE))
    said = here(
        "train", "data", "--path", tmp_path / "y.npy", "--labels-path", tmp_path / "labels.npy", *TINY,
        "--epochs", 2, "--run-dir", tmp_path / "run",
    )  # fmt: skip
    assert (said.status, said.err) == (0, "")
    assert "3 classes: 0, 1, 2; 5 rows without a label\n" in said.out
    own = evaluated(tmp_path / "run")
    assert own["labelled"] == ROWS - 5
    assert own == evaluated(tmp_path / "run", tmp_path / "y.npy")
    np.save(tmp_path / "copy.npy", Y)
    flags = ["--labels-path", tmp_path / "labels.npy"]
    assert own == evaluated(tmp_path / "run", tmp_path / "copy.npy", *flags)
    assert "acc" not in evaluated(tmp_path / "run", tmp_path / "copy.npy")
    np.save(tmp_path / "copy.npy", Y[1:])
    said = bad(here("evaluate", tmp_path / "run", tmp_path / "copy.npy", *flags))
    assert "there are 60 labels for the 59 rows of" in said


@pytest.mark.slow
def test_images_have_the_same_measures_too(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 5, 4), dtype=np.uint8)
    np.savez(tmp_path / "t.npz", X=images, kind=np.arange(20) % 2)
    flags = ["--path", tmp_path / "t.npz", "--label-column", "kind", "--network", "fc", *TINY, "--epochs", 2]
    assert here("train", "data", *flags, "--run-dir", tmp_path / "run").status == 0
    own = evaluated(tmp_path / "run")
    assert own == evaluated(tmp_path / "run", tmp_path / "t.npz")
    assert own["bits_per_dimension"] == pytest.approx(-own["elbo"] / (20 * np.log(2)))


def test_a_run_in_progress_is_measured(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    own, whole = evaluated(tmp_path / "run"), evaluated(run)
    assert own.keys() == whole.keys()
    assert own["elbo"] == pytest.approx(whole["elbo"])
