"""Zarr stores compared with what was written, and every error."""

from __future__ import annotations

import shutil
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
import zarr
from commands import bad, here
from written import features

from gmvae import inputs
from gmvae.config import DataConfig
from gmvae.data.files.open import open_source
from gmvae.data.schema import ReadOptions

Y = np.random.default_rng(0).normal(size=(50, 3))


def write_anndata(path):
    data = anndata.AnnData(Y, pd.DataFrame({"kind": list("ab") * 25}, index=[f"cell{i}" for i in range(50)]))
    data.var_names = ["a", "b", "c"]
    data.layers["doubled"] = 2 * Y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the format that later versions will write
        data.write_zarr(path)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_array_is_read_in_blocks_from_disk(tmp_path, zarr_format):
    path = tmp_path / "rows"  # a store is known by its content, not by its name
    zarr.create_array(path, data=Y, chunks=(7, 2), zarr_format=zarr_format)
    y, ids, _ = features(path, rows=8)
    np.testing.assert_array_equal(y, Y)
    assert ids == []
    source = open_source(path)
    assert (source.count(), source.size()) == (50, Y.nbytes)
    assert isinstance(source.array, zarr.Array)
    np.testing.assert_array_equal(features(path, ReadOptions(columns=("2", "0")))[0], Y[:, [2, 0]])


def test_images_keep_their_axes_and_levels(tmp_path):
    y = np.random.default_rng(1).integers(256, size=(9, 3, 4, 5), dtype=np.uint8)
    zarr.create_array(tmp_path / "images.zarr", data=y)
    source = open_source(tmp_path / "images.zarr")
    (block,) = source.blocks(source.schema(ReadOptions()))
    assert block.y.dtype == np.uint8
    np.testing.assert_array_equal(block.y, y)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_group_has_labels_beside_its_observations(tmp_path, zarr_format):
    group = zarr.open_group(tmp_path / "g.zarr", mode="w", zarr_format=zarr_format)
    for name, values in (("other", np.ones((50, 2))), ("X", Y), ("kind", np.arange(50) % 3)):
        group.create_array(name, data=values)
    y, ids, labels = features(tmp_path / "g.zarr", ReadOptions(label_column="kind", id_column="kind"))
    np.testing.assert_array_equal(y, Y)
    assert [int(value) for value in labels] == (np.arange(50) % 3).tolist()
    assert [int(value) for value in ids] == (np.arange(50) % 3).tolist()


@pytest.mark.slow
def test_an_anndata_object_has_its_names_layers_and_labels(tmp_path):
    write_anndata(tmp_path / "cells.zarr")
    options = ReadOptions(label_column="kind", columns=("c", "a"), layer="doubled")
    y, ids, labels = features(tmp_path / "cells.zarr", options)
    np.testing.assert_array_equal(y, 2 * Y[:, [2, 0]])
    assert list(ids[:2]) == ["cell0", "cell1"]
    assert list(labels) == list("ab") * 25


@pytest.mark.slow
def test_clusters_of_a_store_come_back_as_h5ad(tmp_path):
    write_anndata(tmp_path / "cells.zarr")
    run, tiny = tmp_path / "run", ["--clusters", 2, "--epochs", 1, "--hidden-size", 4, "--init", "random"]
    train = ["train", "data", "--path", tmp_path / "cells.zarr", *tiny, "--plot-every", 0, "--run-dir", run]
    assert here(*train).status == 0
    out = tmp_path / "out.h5ad"
    assert here("predict", run, tmp_path / "cells.zarr", "-o", out).status == 0
    found = anndata.read_h5ad(out)
    np.testing.assert_array_equal(found.X, Y)
    assert found.obsm["X_gmvae"].shape[0] == len(found.obs["gmvae_cluster"]) == 50
    inside = tmp_path / "cells.zarr" / "out.csv"
    assert "is the model or its data" in bad(here("predict", run, tmp_path / "cells.zarr", "-o", inside))


def test_a_large_store_is_streamed(tmp_path, monkeypatch):
    zarr.create_array(tmp_path / "t.zarr", shape=(1 << 40, 3), chunks=(1 << 20, 3), dtype="f8")
    assert inputs.large(DataConfig(dataset="file", path=str(tmp_path / "t.zarr")))
    monkeypatch.setattr(inputs, "SHARE", 1e9)
    assert not inputs.large(DataConfig(dataset="file", path=str(tmp_path / "t.zarr")))


def test_stores_that_cannot_be_read_give_one_line(tmp_path):
    def complaint(name):
        with pytest.raises(ValueError, match="^" + str(tmp_path / name)) as error:
            features(tmp_path / name)
        assert "\n" not in str(error.value)
        return str(error.value).removeprefix(str(tmp_path / name))

    group = zarr.open_group(tmp_path / "two.zarr", mode="w")
    group.create_array("a", data=Y)
    group.create_array("b", data=Y)
    assert " has arrays a, b: the array of the observations must be called X" in complaint("two.zarr")

    zarr.create_array(tmp_path / "damaged.zarr", data=Y)
    (tmp_path / "damaged.zarr" / "zarr.json").write_text("{")
    assert " is not a complete Zarr store: " in complaint("damaged.zarr")

    zarr.create_array(tmp_path / "chunks.zarr", data=Y)
    for chunk in (tmp_path / "chunks.zarr" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"\0")
    assert " is damaged in rows 0 to " in complaint("chunks.zarr")

    zarr.create_array(tmp_path / "wide.zarr", shape=(2, 1 << 40), chunks=(1, 1 << 20), dtype="f4")
    assert " has rows of 1,099,511,627,776 numbers" in complaint("wide.zarr")

    shutil.rmtree(tmp_path / "two.zarr" / "a")
    shutil.rmtree(tmp_path / "two.zarr" / "b")
    assert " has arrays none: " in complaint("two.zarr")
