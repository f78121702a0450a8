"""AnnData files: a layer or an embedding is read, and clusters and x are added to a copy of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import bad, here
from small_fits import three_blobs

import gmvae

pytestmark = pytest.mark.slow

anndata = pytest.importorskip("anndata", reason="anndata is not installed")
pandas = pytest.importorskip("pandas", reason="pandas is not installed")
SMALL = [
    "--clusters",
    3,
    "--hidden-size",
    32,
    "--x-size",
    2,
    "--w-size",
    2,
    "--epochs",
    30,
    "--plot-every",
    0,
]


@pytest.fixture(scope="module")
def cells(tmp_path_factory) -> Path:
    """An AnnData file with noise in ``X``, and three kinds of cells in a layer and in an embedding."""
    rng = np.random.default_rng(0)
    y, kinds = three_blobs()
    names = [f"cell{i}" for i in range(len(y))]
    obs = pandas.DataFrame({"kind": pandas.Categorical(kinds.astype(str))}, index=names)
    data = anndata.AnnData(rng.normal(size=y.shape).astype(np.float32), obs=obs)
    data.layers["counts"] = y.astype(np.float32)
    data.obsm["X_pca"] = np.column_stack([y[:, :1], rng.normal(size=len(y)), y[:, 1:]])
    data.uns["note"] = "kept"
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    data.write_h5ad(path)
    return path


@pytest.fixture(scope="module")
def run(cells) -> Path:
    said = here(
        "train", "data", "--path", cells, "--layer", "counts", *SMALL, "--run-dir", cells.parent / "run"
    )
    assert (said.status, said.err) == (0, "")
    return cells.parent / "run"


def test_columns_of_obs_are_kept_beside_the_results(run, cells, tmp_path):
    data = anndata.read_h5ad(cells)
    for name in ("out.csv", "out.parquet"):
        assert here("predict", run, "--keep-columns", "-o", tmp_path / name).status == 0
        read = pandas.read_csv if name.endswith("csv") else pandas.read_parquet
        found = read(tmp_path / name)
        assert [*found.columns[:4]] == ["id", "kind", "cluster", "probability"]
        assert found["id"].tolist() == data.obs_names.tolist()
        assert found["kind"].astype(str).tolist() == data.obs["kind"].tolist()
        assert (found["cluster"] == gmvae.load(run).predict(data.layers["counts"])).all()
    data.obs["cluster"] = 1
    data.write_h5ad(tmp_path / "more.h5ad")
    said = bad(here("predict", run, tmp_path / "more.h5ad", "--keep-columns", "-o", tmp_path / "out.csv"))
    assert "has a column cluster, but the result has a column of that name: rename it" in said


@pytest.mark.slow
def test_results_are_added_to_a_copy_of_an_annotated_file(run, cells, tmp_path):
    out = tmp_path / "out.h5ad"
    said = here("predict", run, cells, "-o", out)
    assert (said.status, said.err) == (0, "")
    found, before, model = anndata.read_h5ad(out), anndata.read_h5ad(cells), gmvae.load(run, "cpu")
    y = before.layers["counts"]
    assert found.obs["gmvae_cluster"].tolist() == model.predict(y).astype(str).tolist()
    assert found.obs["gmvae_cluster"].dtype == "category"
    np.testing.assert_allclose(found.obsm["gmvae_probabilities"], model.predict_proba(y), atol=1e-6)
    np.testing.assert_allclose(found.obs["gmvae_probability"], model.predict_proba(y).max(1), atol=1e-6)
    np.testing.assert_allclose(found.obs["gmvae_log_density"], model.score_samples(y), rtol=1e-5)
    np.testing.assert_allclose(found.obsm["X_gmvae"], model.transform(y), atol=1e-5)
    pandas.testing.assert_frame_equal(found.obs[["kind"]], before.obs)
    np.testing.assert_array_equal(found.X, before.X)
    np.testing.assert_array_equal(found.obsm["X_pca"], before.obsm["X_pca"])
    assert found.uns["note"] == "kept"
    assert pandas.crosstab(found.obs["gmvae_cluster"], found.obs["kind"]).max().sum() >= 230  # of 240

    again = tmp_path / "again.h5ad"  # what is there already is replaced
    assert here("embed", run, out, "-o", again).status == 0
    assert sorted(anndata.read_h5ad(again).obsm) == ["X_gmvae", "X_pca", "gmvae_probabilities"]
    assert "which would be overwritten" in bad(here("predict", run, out, "-o", out))


@pytest.mark.slow
def test_an_embedding_has_columns_to_choose_from(cells, tmp_path):
    flags = ["--layer", "X_pca", "--drop", "X_pca1", "--label-column", "kind", *SMALL]
    said = here("train", "data", "--path", cells, *flags, "--run-dir", tmp_path / "run")
    assert (said.status, said.err) == (0, "")
    model = gmvae.load(tmp_path / "run", "cpu")
    assert model.schema_.columns == ("X_pca0", "X_pca2", "X_pca3")
    assert model.schema_.layer == "X_pca"
    assert here("predict", tmp_path / "run", cells, "-o", tmp_path / "p.csv").status == 0
    y = anndata.read_h5ad(cells).obsm["X_pca"][:, [0, 2, 3]]
    assert pandas.read_csv(tmp_path / "p.csv")["cluster"].tolist() == model.predict(y).tolist()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--layer", "count"], "cells.h5ad does not have: did you mean counts?"),
        (["--layer", "T"], "cells.h5ad does not have: it has X, counts, X_pca"),
    ],
)
def test_a_missing_layer_is_named(cells, flags, said, tmp_path):
    assert said in bad(here("train", "data", "--path", cells, *flags, *SMALL, "--run-dir", tmp_path / "run"))


def test_layers_and_h5ad_output_need_an_annotated_input(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pandas.DataFrame(three_blobs()[0], columns=["a", "b", "c"]).to_csv("t.csv", index=False)
    assert "t.csv has no layer, but --layer is 'counts': only .h5ad files and Zarr stores" in bad(
        here("train", "data", "--path", "t.csv", "--layer", "counts", *SMALL)
    )
    np.save("t.npy", three_blobs()[0])
    assert "out.h5ad is an .h5ad file: only" in bad(here("predict", run, "t.npy", "-o", "out.h5ad"))
    assert not Path("out.h5ad").exists()


@pytest.mark.slow
def test_a_file_of_an_embedding_alone(tmp_path):
    y, _ = three_blobs()
    anndata.AnnData(
        obs=pandas.DataFrame(index=[str(i) for i in range(len(y))]), obsm={"X_pca": y}
    ).write_h5ad(tmp_path / "t.h5ad")
    said = bad(here("train", "data", "--path", tmp_path / "t.h5ad", *SMALL))
    assert "t.h5ad has no X: choose a layer with --layer: X_pca" in said
    flags = ["--layer", "X_pca", *SMALL, "--run-dir", tmp_path / "run"]
    assert here("train", "data", "--path", tmp_path / "t.h5ad", *flags).status == 0
