"""Whole files as data sets: scaling, likelihood and labels compared with independent calculations."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from gmvae.data.files import base
from gmvae.data.files.labels import codes
from gmvae.data.files.open import open_source
from gmvae.data.files.read import read_file
from gmvae.data.prepare import Prepared, prepare
from gmvae.data.scales.scaling import GRAIN
from gmvae.data.schema import ReadOptions


def prepared(path, read=None, **options) -> Prepared:
    """The rows of a file as a fit uses them."""
    data = read_file(path, read)
    shape = data.y_shape if len(data.y_shape) == 3 else None
    rows = data.y.reshape(len(data), -1)
    return prepare(rows, image_shape=shape, name=data.name, device=torch.device("cpu"), **options)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table that is read three rows at a time."""
    monkeypatch.setattr(base, "NUMBERS", 12)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(50, 3)) * [1, 1e3, 1e-3] + [0, 1e6, 5], columns=list("abc"))
    frame.insert(1, "same", 7.0)
    frame.to_parquet(tmp_path / "t.parquet")
    return frame


@pytest.mark.parametrize("kind", ["csv", "parquet", "npy"])
def test_columns_are_standardised(tmp_path, table, kind):
    table.to_csv(tmp_path / "t.csv", index=False)
    np.save(tmp_path / "t.npy", table.to_numpy())
    data, made = read_file(tmp_path / f"t.{kind}"), prepared(tmp_path / f"t.{kind}")
    np.testing.assert_array_equal(data.y, table)
    assert (data.labels, data.origin.classes) == (None, ())
    varying, y = table[["a", "b", "c"]], made.everything.tensor().numpy()
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, (varying - varying.mean()) / varying.std(ddof=0), atol=3e-6)
    assert (made.likelihood, list(made.constants)) == ("gaussian", [1])
    np.testing.assert_allclose(made.scaling.undo(y.astype(float)), table, rtol=1e-6, atol=GRAIN)
    assert made.log_det == pytest.approx(-np.log(varying.std(ddof=0)).sum(), rel=1e-5)
    plain = prepared(tmp_path / f"t.{kind}", scale="none")
    np.testing.assert_allclose(plain.everything.tensor(), table, rtol=1e-6)
    assert plain.log_det == 0


def test_large_offsets_keep_their_precision(tmp_path):
    spread = np.random.default_rng(0).normal(size=(5000, 2))
    np.save(tmp_path / "t.npy", spread + 1.7e9)
    expected = (spread - spread.mean(0)) / spread.std(0)
    np.testing.assert_allclose(prepared(tmp_path / "t.npy").everything.tensor(), expected, atol=3e-6)


def test_the_likelihood_and_why(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "t.npy", (rng.random((40, 3)) < 0.5).astype(float))
    for likelihood, found, reason in (
        ("auto", "bernoulli", "t.npy has only the values 0 and 1"),
        ("gaussian", "gaussian", "likelihood gaussian was asked for"),
    ):
        made = prepared(tmp_path / "t.npy", likelihood=likelihood)
        assert (made.likelihood, made.binary) == (found, True)
        assert reason in made.reason
    np.save(tmp_path / "t.npy", rng.random((40, 3)) * 0.4 + 0.3)
    assert "[0, 1], but its greatest value is 0." in prepared(tmp_path / "t.npy").reason
    np.save(tmp_path / "t.npy", rng.normal(size=(40, 3)))
    assert "outside of [0, 1], so likelihood=auto chose gaussian" in prepared(tmp_path / "t.npy").reason
    with pytest.raises(ValueError, match=r"likelihood is 'bernoulli', but t.npy has values from -"):
        prepared(tmp_path / "t.npy", likelihood="bernoulli")


def test_images_stay_bytes(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
    np.save(tmp_path / "t.npy", images)
    for number, image in enumerate(images):
        (tmp_path / "p" / f"k{number % 2}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "p" / f"k{number % 2}" / f"{number}.png")
    data = read_file(tmp_path / "t.npy")
    np.testing.assert_array_equal(data.y, images[:, None])
    assert data.y.dtype == np.uint8
    made = prepared(tmp_path / "t.npy")
    assert (made.likelihood, made.scaling.scale.tolist()) == ("bernoulli", [255] * 20)
    data = read_file(tmp_path / "p", ReadOptions(label_column="folder"))
    np.testing.assert_array_equal(data.y[:, 0], images[[0, 2, 4, 1, 3, 5]])
    assert (data.labels.tolist(), data.origin.classes) == ([0, 0, 0, 1, 1, 1], ("k0", "k1"))
    np.save(tmp_path / "t.npy", images / 255)
    made = prepared(tmp_path / "t.npy")
    assert (made.rows.tensor().dtype, made.likelihood) == (torch.float32, "bernoulli")
    np.testing.assert_allclose(made.everything.tensor()[:, 0], images / 255, rtol=1e-6)


def test_files_of_one_row_or_none_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    for rows, said in (("", r"t\.csv has no rows: it must have at least two"), ("1,2\n", "at least two obs")):
        path.write_text("a,b\n" + rows)
        with pytest.raises(ValueError, match=said):
            read_file(path)
    np.save(tmp_path / "t.npy", np.ones((0, 3)))
    with pytest.raises(ValueError, match=r"t\.npy has no rows"):
        read_file(tmp_path / "t.npy")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_labels_are_numbers_of_sorted_classes(tmp_path, table, kind):
    labels = pd.Series(["10", "2", None, "2", "-1"] * 10)
    path = tmp_path / f"l.{kind}"
    whole = table.assign(kind=labels if kind == "csv" else pd.to_numeric(labels).astype("Int64"))
    whole.to_csv(path, index=False) if kind == "csv" else whole.to_parquet(path)
    data = read_file(path, ReadOptions(label_column="kind"))
    assert data.origin.classes == ("-1", "2", "10")
    assert data.labels.tolist() == [2, 1, -1, 1, 0] * 10


def test_classes_of_every_type():
    assert codes([])[0] is None
    assert codes([None, float("nan")])[1] == ()
    for labels, numbers, classes in (
        (["b", "a", "10", " a"], [2, 1, 0, 1], ("10", "a", "b")),
        ([3, None, 20], [0, -1, 1], ("3", "20")),
        ([True, False], [1, 0], ("False", "True")),
        ([2.5, 10.0, -1.0], [1, 2, 0], ("-1", "2.5", "10")),
        (["nan", "2", "10"], [-1, 0, 1], ("2", "10")),
        (["1", "1.0", "NA", "None"], [0, 0, -1, -1], ("1",)),
        (["NA", "None", "EU", ""], [1, 2, 0, -1], ("EU", "NA", "None")),
        ([2**60, 2**60 + 1], [0, 1], (str(2**60), str(2**60 + 1))),
    ):
        found, names = codes(labels)
        assert (found.tolist(), names) == (numbers, classes)


def test_labels_in_a_file_of_their_own(tmp_path, table):
    path = tmp_path / "labels.npy"
    np.save(path, np.arange(50.0) - 1)
    data = read_file(tmp_path / "t.parquet", labels_path=str(path))
    assert data.labels.tolist() == list(range(-1, 49))
    for labels, said in (
        (np.arange(49), r"labels of t.parquet have shape \(49,\), the observations \(50, 4\)"),
        (np.full(50, np.nan), r"labels.npy holds numbers that are not whole"),
        (np.full(50, 1.5), r"labels.npy holds numbers that are not whole"),
    ):
        np.save(path, labels)
        with pytest.raises(ValueError, match=said):
            read_file(tmp_path / "t.parquet", labels_path=str(path))


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, table, monkeypatch):
    from gmvae.data.files.arrow import ParquetFiles

    true = ParquetFiles.batches
    passes = []

    def batches(self, *args):
        passes.append(1)
        yield from true(self, *args)
        if len(passes) > 1:
            yield from true(self, *args)

    monkeypatch.setattr(ParquetFiles, "batches", batches)
    with pytest.raises(ValueError, match=r"t\.parquet changed while it was read"):
        read_file(tmp_path / "t.parquet")
    assert open_source(tmp_path / "t.parquet").count() == 50


@pytest.mark.parametrize("more", [0, 1])
def test_tables_of_a_folder_have_the_same_columns(tmp_path, more):
    """Whichever of them has one more; unless only some of the columns are chosen."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), columns=["a", "b", "c"])
    for number in (0, 1):
        part = frame.assign(d=1.0) if number == more else frame
        part.to_parquet(tmp_path / f"part{number}.parquet")
    with pytest.raises(ValueError, match=r"part1\.parquet has (a|no) column d, but .*part0\.parquet has"):
        read_file(tmp_path)
    chosen = read_file(tmp_path, ReadOptions(columns=("a", "b")))
    np.testing.assert_array_equal(chosen.y, np.concatenate([frame, frame])[:, :2])
