"""Names in AnnData files are checked without anndata, with the same result."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gmvae.data.files.annotated import open_h5ad
from gmvae.data.files.annotated_names import check_h5ad
from gmvae.data.schema import ReadOptions

anndata = pytest.importorskip("anndata", reason="anndata is not installed")


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
def test_both_ways_say_the_same(cells, name, options, said):
    path, wanted = cells / f"{name}.h5ad", ReadOptions(**options)
    quick = refusal(lambda: check_h5ad(path, wanted))
    slow = refusal(lambda: open_h5ad(path).schema(wanted))
    assert said in quick
    assert bool(quick) == bool(said)
    assert quick == slow


def test_embeddings_of_older_files_are_fields_of_one_array(tmp_path):
    h5py = pytest.importorskip("h5py")
    fields = np.zeros(4, dtype=[("X_pca", "f4", (3,)), ("X_umap", "f8", (2,))])
    with h5py.File(tmp_path / "old.h5ad", "w") as file:
        file["X"], file["obsm"] = np.ones((4, 2)), fields
    said = refusal(lambda: check_h5ad(tmp_path / "old.h5ad", ReadOptions(layer="none")))
    assert said.endswith("it has X, X_pca, X_umap")
    assert refusal(lambda: check_h5ad(tmp_path / "old.h5ad", ReadOptions(layer="X_pca"))) == ""
