"""Arrays, sparse matrices and AnnData files compared with what was written, and every error."""

import pickle
import sys
import warnings
import zipfile

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from test_data import torch7
from written import complaint, features, sample

from gmvae.data.files import annotated_names
from gmvae.data.files import base as module
from gmvae.data.files.annotated_names import HDF5
from gmvae.data.files.open import open_source
from gmvae.data.schema import ReadOptions, Schema

VALUES = np.ascontiguousarray(sample(50)[["a", "b", "c"]], dtype=np.float64)
THIN = VALUES * (VALUES > 0)


def write_h5ad(path, values, **beside):
    data = anndata.AnnData(values, pd.DataFrame(beside, index=[f"cell{i}" for i in range(values.shape[0])]))
    data.var_names = ["a", "b", "c"][: values.shape[1]]
    data.write_h5ad(path)


WRITERS = {
    "t.npy": lambda path: np.save(path, THIN),
    "fortran.npy": lambda path: np.save(path, np.asfortranarray(THIN)),
    "t.npz": lambda path: np.savez_compressed(path, X=THIN, other=np.ones((2, 2))),
    "only.npz": lambda path: np.savez(path, THIN, np.arange(50)),
    "csr.npz": lambda path: sparse.save_npz(path, sparse.csr_array(THIN)),
    "csc.npz": lambda path: sparse.save_npz(path, sparse.csc_matrix(THIN)),
    "coo.npz": lambda path: sparse.save_npz(path, sparse.coo_array(THIN)),
    "t.t7": lambda path: path.write_bytes(torch7("torch.DoubleTensor", "torch.DoubleStorage", THIN, (3, 1))),
    "dense.h5ad": lambda path: write_h5ad(path, THIN),
    "csr.h5ad": lambda path: write_h5ad(path, sparse.csr_matrix(THIN)),
    "csc.h5ad": lambda path: write_h5ad(path, sparse.csc_matrix(THIN)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_what_was_written(tmp_path, name, monkeypatch):
    WRITERS[name](tmp_path / name)
    y, ids, _ = features(tmp_path / name, rows=7)
    np.testing.assert_array_equal(y, THIN)
    assert ids == ([f"cell{i}" for i in range(50)] if "h5ad" in name else [])
    monkeypatch.setattr(annotated_names, "_survives", lambda _: True)  # it did: a process takes time
    assert open_source(tmp_path / name).count() == 50
    monkeypatch.setattr(module, "NUMBERS", 12)
    options = ReadOptions(columns=("c", "a") if "h5ad" in name else ("2", "0"))
    np.testing.assert_array_equal(features(tmp_path / name, options)[0], THIN[:, [2, 0]])
    source = open_source(tmp_path / name)
    assert {len(block.y) for block in source.blocks(source.schema(ReadOptions()))} == {4, 2}


@pytest.mark.parametrize("kind", ["u1", "i8", ">f4", "f2", "?"])
def test_types_of_numbers(tmp_path, kind):
    values = (VALUES > 0).astype(kind)
    np.save(tmp_path / "t.npy", values)
    y, *_ = features(tmp_path / "t.npy")
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y, values)


def test_arrays_stay_on_disk(tmp_path):
    np.save(tmp_path / "t.npy", VALUES)
    assert isinstance(open_source(tmp_path / "t.npy").array, np.memmap)
    write_h5ad(tmp_path / "t.h5ad", VALUES)
    assert not isinstance(open_source(tmp_path / "t.h5ad").array, np.ndarray)
    for block in open_source(tmp_path / "t.npy").blocks(Schema((3,))):
        block.y[:] = 0
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), VALUES)


def test_ids_and_labels_lie_beside(tmp_path):
    names = np.array([f"r{i}" for i in range(50)])
    np.savez(tmp_path / "t.npz", X=THIN, kind=np.arange(50) % 3, name=names, odd=np.arange(3))
    y, ids, labels = features(tmp_path / "t.npz", ReadOptions(label_column="kind", id_column="name"), rows=9)
    assert (ids, labels) == (names.tolist(), (np.arange(50) % 3).tolist())
    np.testing.assert_array_equal(y, THIN)
    np.save(tmp_path / "t.npy", VALUES)
    y, _, labels = features(tmp_path / "t.npy", ReadOptions(label_column="2"), rows=9)
    np.testing.assert_array_equal(y, VALUES[:, :2])
    assert labels == VALUES[:, 2].tolist()
    cells = {"kind": pd.Categorical(["u", "v", None, "u", "v"] * 10), "n": np.arange(50.0)}
    data = anndata.AnnData(VALUES, pd.DataFrame(cells, index=names))
    data.write_h5ad(tmp_path / "t.h5ad")
    _, ids, labels = features(tmp_path / "t.h5ad", ReadOptions(label_column="kind", id_column="n"))
    assert ids == list(range(50))
    assert labels[:2] + labels[3:5] == ["u", "v", "u", "v"]
    assert labels[2] != labels[2]
    said = complaint(tmp_path / "t.h5ad", ReadOptions(label_column="kinds"))
    assert said == "t.h5ad has no column 'kinds' (--label-column, did you mean kind?)"


def test_variables_are_found_by_name(tmp_path):
    write_h5ad(tmp_path / "t.h5ad", THIN)
    pd.DataFrame(THIN, columns=["a", "b", "c"]).to_csv(tmp_path / "t.csv", index=False)
    schema = open_source(tmp_path / "t.csv").schema(ReadOptions(columns=("c", "a")))
    np.testing.assert_array_equal(features(tmp_path / "t.h5ad", schema=schema)[0], THIN[:, [2, 0]])
    back = open_source(tmp_path / "t.h5ad").schema(ReadOptions(drop=("b",)))
    np.testing.assert_array_equal(features(tmp_path / "t.csv", schema=back)[0], THIN[:, [0, 2]])
    write_h5ad(tmp_path / "t.h5ad", THIN[:, :2])
    assert "t.h5ad has no column c: the model was trained on it" in complaint(
        tmp_path / "t.h5ad", None, schema
    )
    data = anndata.AnnData(THIN)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata warns about such names
        data.var_names = ["a", "b", "a"]
        data.write_h5ad(tmp_path / "twice.h5ad")
    assert "twice.h5ad has more than one column a: rename all but one" in complaint(tmp_path / "twice.h5ad")


def test_missing_numbers_are_counted_or_take_the_mean(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "NUMBERS", 12)
    values = VALUES.copy()
    values[5, 1] = values[9, 1] = values[9, 0] = np.nan
    np.save(tmp_path / "t.npy", values)
    assert complaint(tmp_path / "t.npy").startswith(
        "t.npy has missing values in 2 of 50 rows, first in row 5 counted from 0, in columns 1 (2), 0 (1): "
    )
    options = ReadOptions(missing="impute")
    filled = pd.DataFrame(values).fillna(pd.DataFrame(values).mean())
    np.testing.assert_allclose(features(tmp_path / "t.npy", options)[0], filled, rtol=1e-12)
    schema = open_source(tmp_path / "t.npy").schema(options)
    np.save(tmp_path / "new.npy", [[np.nan, 1, np.nan]])
    np.testing.assert_allclose(
        features(tmp_path / "new.npy", schema=schema)[0], [[np.nanmean(values[:, 0]), 1, VALUES[:, 2].mean()]]
    )
    values[:, 2], values[30, 0] = np.nan, np.inf
    np.save(tmp_path / "t.npy", values)
    assert "t.npy has no value at all in column 2: leave it out with --drop" in complaint(
        tmp_path / "t.npy", options
    )
    said = complaint(tmp_path / "t.npy", ReadOptions(missing="impute", drop=("2",)))
    assert said.startswith(
        "t.npy has infinite numbers in 1 of 50 rows, first inf in row 30 of column 0, counted from 0: remove"
    )


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (
            np.array([["2020-01-01"]] * 2, "M8[D]"),
            "holds dates (datetime64[D]): save numbers, such as days: (X",
        ),
        (np.zeros((2, 2), "m8[s]"), "holds durations (timedelta64[s]): save numbers, such as seconds: X /"),
        (np.array([["a"]] * 2), "holds text (<U1): save a table with pandas.DataFrame(X).to_csv(...), or"),
        (np.array([[1, "a"]], object), "holds Python objects (object): only pickle reads them, and that can"),
        (np.zeros(3, [("a", "f8")]), "holds records ([('a', '<f8')]): save a table: pandas.DataFrame(X)"),
        (np.zeros((2, 2), complex), "holds complex numbers (complex128): save their real and imaginary"),
    ],
)
def test_arrays_without_numbers_say_what_they_hold(tmp_path, array, said):
    np.save(tmp_path / "t.npy", array, allow_pickle=True)
    assert f"t.npy {said}" in complaint(tmp_path / "t.npy")
    if array.dtype.kind not in "U":
        np.savez(tmp_path / "t.npz", X=array)
        assert f"t.npz, in X.npy, {said}" in complaint(tmp_path / "t.npz")


def test_images_keep_their_shape_and_bytes(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 5, 4), dtype=np.uint8)
    for values, shape in ((images, (3, 5, 4)), (images[:, 0], (1, 5, 4)), (images / 255, (3, 5, 4))):
        np.save(tmp_path / "t.npy", values)
        y, *_ = features(tmp_path / "t.npy", rows=4)
        assert y.dtype == values.dtype
        np.testing.assert_array_equal(y, values.reshape(6, *shape))
    assert "t.npy holds images, which have no columns" in complaint(
        tmp_path / "t.npy", ReadOptions(drop=("1",))
    )
    assert "of shape (3, 5, 4), and the model was trained on (1, 5, 4)" in complaint(
        tmp_path / "t.npy", None, Schema((1, 5, 4))
    )
    np.save(tmp_path / "t.npy", images.transpose(0, 2, 3, 1))
    assert "t.npy has shape (6, 5, 4, 3): images must have shape (N, channels, height, width)" in complaint(
        tmp_path / "t.npy"
    )


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_truncated_files_are_named(tmp_path):
    np.savez(tmp_path / "good.npz", X=THIN)
    whole = (tmp_path / "good.npz").read_bytes()
    bombs = np.array([Bomb(), 1], dtype=object)
    np.savez(tmp_path / "object.npz", X=bombs, allow_pickle=True)
    (tmp_path / "cut.npz").write_bytes(whole[:-30])
    (tmp_path / "changed.npz").write_bytes(whole.replace(THIN[0].tobytes(), THIN[1].tobytes(), 1))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "empty.npz").write_bytes(b"")
    np.save(tmp_path / "array.npy", THIN)
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    head = (tmp_path / "array.npz").read_bytes()
    huge = head[:128].replace(b"(50, 3), }" + b" " * 12, b"(999999999999, 3), }  ")
    assert len(huge) == 128
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as file:
        file.writestr("X.npy", huge)
    (tmp_path / "huge.npy").write_bytes(huge)
    assert "object.npz, in X.npy, holds Python objects" in complaint(tmp_path / "object.npz")
    for name in ("cut", "changed", "pickle", "empty", "array", "huge"):
        assert f"{name}.npz is not a complete .npz file of numbers or texts: " in complaint(
            tmp_path / f"{name}.npz"
        )
    assert "huge.npy is not a complete .npy file of numbers" in complaint(tmp_path / "huge.npy")
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Bomb()))
    assert "pickle.npy is not a complete .npy file" in complaint(tmp_path / "pickle.npy")
    np.savez(tmp_path / "two.npz", train=THIN, test=THIN)
    said = complaint(tmp_path / "two.npz")
    assert "has arrays train, test: the array of the observations must be called X, or be the only" in said
    np.save(tmp_path / "flat.npy", np.arange(3))
    assert "flat.npy has shape (3,): it must be (observations, numbers" in complaint(tmp_path / "flat.npy")
    np.savez(tmp_path / "words.npz", X=np.array([["a", "b"]]))
    assert "words.npz holds text (<U1): save a table" in complaint(tmp_path / "words.npz")
    (tmp_path / "t.h5ad").write_bytes(b"nothing")
    assert "t.h5ad is not a complete .h5ad file: it does not begin as HDF5" in complaint(tmp_path / "t.h5ad")
    (tmp_path / "t.h5ad").write_bytes(HDF5 + b"nothing")
    assert "t.h5ad is not a complete .h5ad file: " in complaint(tmp_path / "t.h5ad")


def test_bad_sparse_indices_are_refused(tmp_path):
    matrix = sparse.csr_array(THIN)
    good = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "shape": matrix.shape}
    for change in (
        {"indices": matrix.indices + (1 << 30)},
        {"indptr": matrix.indptr * 1000},
        {"shape": (50, 1 << 62)},
        {"data": np.array([Bomb()], dtype=object)},
        {"format": b"dia"},
    ):
        np.savez(tmp_path / "t.npz", **{"format": b"csr", **good, **change}, allow_pickle=True)
        said = complaint(tmp_path / "t.npz")
        assert (
            "t.npz is not a complete .npz file" in said or "t.npz, in data.npy, holds Python objects" in said
        )


def test_a_missing_anndata_is_named(tmp_path, monkeypatch):
    (tmp_path / "t.h5ad").write_bytes(HDF5)
    monkeypatch.setitem(sys.modules, "anndata", None)
    assert complaint(tmp_path / "t.h5ad") == "t.h5ad needs the package anndata: pip install 'gmvae[h5ad]'"
