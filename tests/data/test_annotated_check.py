"""AnnData files are checked without anndata, with the same result."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gmvae.data.files import annotated_check, annotated_names
from gmvae.data.files.annotated import open_h5ad
from gmvae.data.files.annotated_check import check_h5ad
from gmvae.data.files.annotated_names import column_names
from gmvae.data.schema import ReadOptions

anndata = pytest.importorskip("anndata", reason="anndata is not installed")
h5py = pytest.importorskip("h5py")


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    obs = pd.DataFrame({"kind": pd.Categorical(["u", "v", "u", "v"]), "n": range(4)}, index=list("abcd"))
    data = anndata.AnnData(np.ones((4, 2)), obs, pd.DataFrame(index=["g1", "g2"]))
    data.layers["counts"] = sparse.csr_matrix(np.ones((4, 2)))
    data.obsm["X_pca"] = np.ones((4, 3))
    data.obsm["table"] = pd.DataFrame({"p": range(4), "q": range(4)}, index=list("abcd"))
    folder = tmp_path_factory.mktemp("cells")
    data.write_h5ad(folder / "cells.h5ad")
    data.X = None
    data.write_h5ad(folder / "no_x.h5ad")
    del data.layers["counts"], data.obsm["X_pca"], data.obsm["table"]
    data.write_h5ad(folder / "nothing.h5ad")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata warns about such names
        twice = anndata.AnnData(np.ones((4, 3)), var=pd.DataFrame(index=["a", "b", "a"]))
        twice.write_h5ad(folder / "twice.h5ad")
    whole = (folder / "cells.h5ad").read_bytes()
    (folder / "cut.h5ad").write_bytes(whole[: len(whole) // 2])
    (folder / "text.h5ad").write_text("nothing")
    return folder


def refusal(work) -> str:
    """The error of some work; empty if there is none."""
    try:
        work()
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("cells", {}, ""),
        ("cells", {"layer": "counts", "label_column": "kind", "drop": ("g1",)}, ""),
        ("cells", {"layer": "X_pca", "drop": ("X_pca1",)}, ""),
        ("cells", {"layer": "table", "columns": ("q",), "id_column": "n"}, ""),
        ("cells", {"layer": "count"}, "does not have: did you mean counts?"),
        ("cells", {"layer": "T"}, "it has X, counts, X_pca, table"),
        ("cells", {"label_column": "kinds"}, "no column 'kinds' (--label-column, did you mean kind?)"),
        (
            "cells",
            {"layer": "X_pca", "drop": ("g1",), "id_column": "N"},
            "'g1' (--drop), 'N' (--id-column, did",
        ),
        ("cells", {"layer": "table", "drop": ("r",)}, "no column 'r' (--drop): it has p, q, kind, n"),
        ("no_x", {}, "has no X: choose a layer with --layer: counts, X_pca, table"),
        ("no_x", {"layer": "X_pca"}, ""),
        ("nothing", {}, "has no X: it must hold the observations there"),
        ("twice", {}, "has more than one column a: rename all but one"),
        ("twice", {"columns": ("b",)}, ""),
        ("cut", {}, "is not a complete .h5ad file"),
        ("text", {}, "is not a complete .h5ad file: it does not begin as HDF5 files do"),
    ],
)
def test_both_ways_say_the_same(cells, name, options, said, monkeypatch):
    if options:  # without any, each file is tried in another process, which takes time
        monkeypatch.setattr(annotated_names, "_survives", lambda _: True)
    path, wanted = cells / f"{name}.h5ad", ReadOptions(**options)
    quick = refusal(lambda: check_h5ad(path, wanted))
    slow = refusal(lambda: open_h5ad(path).schema(wanted))
    assert said in quick
    assert bool(quick) == bool(said)
    assert quick == slow


def test_embeddings_of_older_files_are_fields_of_one_array(tmp_path):
    fields = np.zeros(4, dtype=[("X_pca", "f4", (3,)), ("X_umap", "f8", (2,))])
    with h5py.File(tmp_path / "old.h5ad", "w") as file:
        file["X"], file["obsm"] = np.ones((4, 2)), fields
    said = refusal(lambda: check_h5ad(tmp_path / "old.h5ad", ReadOptions(layer="none")))
    assert said.endswith("it has X, X_pca, X_umap")
    assert refusal(lambda: check_h5ad(tmp_path / "old.h5ad", ReadOptions(layer="X_pca"))) == ""


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    rng = np.random.default_rng(1)
    dense = rng.normal(size=(50, 4)) * (rng.random((50, 4)) < 0.4)
    gaps, infinite, empty = dense.copy(), dense.copy(), dense.copy()
    gaps[[7, 30], [2, 0]] = np.nan
    infinite[40, 1], infinite[12, 3] = np.inf, -np.inf
    empty[:, 2], empty[3, 3] = np.nan, np.inf
    data = anndata.AnnData(gaps, var=pd.DataFrame(index=list("abcd")))
    named = {"gaps": gaps, "infinite": infinite, "empty": empty, "fine": dense}
    for name, array in named.items():
        data.layers[name] = array
        data.layers[f"{name}_rows"] = sparse.csr_matrix(array)
        data.layers[f"{name}_columns"] = sparse.csc_matrix(array)
        data.obsm[f"{name}_part"] = array[:, :3]
        data.obsm[f"{name}_sparse"] = sparse.csr_matrix(array[:, :3])
        data.obsm[f"{name}_table"] = pd.DataFrame(array, data.obs_names, list("pqrs"))
    data.layers["text"] = np.full((50, 4), "u")
    data.layers["flags"] = dense > 0
    data.obsm["notes"] = pd.DataFrame({"p": range(50), "note": "u"}, data.obs_names)
    data.obsm["kinds"] = pd.DataFrame({"k": pd.Categorical(["u", "v"] * 25)}, data.obs_names)
    whole = pd.array([1, None] * 25, dtype="Int64")
    data.obsm["whole"] = pd.DataFrame({"n": whole, "flag": pd.array([True] * 50)}, data.obs_names)
    data.obsm["images"] = np.full((50, 3, 3), np.nan)
    path = tmp_path_factory.mktemp("values") / "values.h5ad"
    data.write_h5ad(path)
    return path, [*data.layers, *data.obsm]


@pytest.mark.parametrize(
    "options",
    [{}, *(pytest.param(one, marks=pytest.mark.slow) for one in ({"missing": "impute"}, {"drop": True}))],
)
def test_both_ways_say_the_same_of_values(values, options, monkeypatch):
    monkeypatch.setattr(annotated_check, "STORED", 13)  # several pieces of a sparse matrix
    monkeypatch.setattr(annotated_names, "_survives", lambda _: True)  # a process for each try takes time
    path, layers = values
    source = open_h5ad(path)  # once: anndata reads all layers whenever it opens a file

    def read(wanted):
        schema = source.schema(wanted)
        assert sum(len(block.y) for block in source.blocks(schema)) == 50

    said = {}
    for layer in [None, *layers]:
        columns = column_names(h5py.File(path), layer)
        drop = tuple(columns[2:3]) if options.get("drop") else ()
        wanted = ReadOptions(layer=layer, missing=options.get("missing", "error"), drop=drop)
        said[layer] = refusal(lambda wanted=wanted: check_h5ad(path, wanted, numbers=True))
        assert said[layer] == refusal(lambda wanted=wanted: read(wanted)), layer
    assert "has text in text: choose an array of numbers with --layer" in said["text"]
    assert "has text or categories in column note of notes: choose" in said["notes"]
    assert "has text or categories in column k of kinds: choose" in said["kinds"]
    refused = {name for name, text in said.items() if text} - {"text", "notes", "kinds"}
    kinds = {"gaps", "infinite", "empty"} if not options else {"infinite", "empty"}
    if options.get("drop"):
        assert {None, "gaps", "gaps_rows", "infinite", "empty"} <= refused
    else:
        forms = ("", "_rows", "_columns", "_part", "_sparse", "_table")
        more = set() if options else {None, "whole"}
        assert refused == {f"{kind}{form}" for kind in kinds for form in forms} | more | {"images"}


def test_numbers_of_another_layer_can_be_chosen_if_x_is_text(tmp_path):
    data = anndata.AnnData(np.ones((4, 2)), layers={"counts": np.ones((4, 2))})
    data.layers["a"] = np.full((4, 2), "u")
    data.X = None
    data.write_h5ad(tmp_path / "t.h5ad")
    assert refusal(lambda: open_h5ad(tmp_path / "t.h5ad").schema(ReadOptions(layer="counts"))) == ""
    said = refusal(lambda: open_h5ad(tmp_path / "t.h5ad").schema(ReadOptions(layer="a")))
    assert said.endswith("has text in a: choose an array of numbers with --layer")
