"""A column of weights in a file: it is not a feature, and a row without a weight gives a one-line error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gmvae.data.files.read import read_file
from gmvae.data.schema import ReadOptions, Schema

TABLE = pd.DataFrame({"a": [1.5, 2, 3], "w": [1, 0, 2.5], "b": [4.0, 5, 6]})
OPTIONS = ReadOptions(weight_column="w")


@pytest.fixture(params=["csv", "csv.gz", "parquet", "feather", "npz", "h5ad"])
def file(request, tmp_path):
    path = tmp_path / f"t.{request.param}"
    if "csv" in request.param:
        TABLE.to_csv(path, index=False)
    elif request.param == "npz":
        np.savez(path, X=TABLE[["a", "b"]].to_numpy(), w=TABLE["w"].to_numpy())
    elif request.param == "h5ad":
        anndata = pytest.importorskip("anndata")
        anndata.AnnData(TABLE[["a", "b"]].to_numpy(), obs=TABLE[["w"]].set_axis(list("xyz"))).write_h5ad(path)
    else:
        getattr(TABLE, f"to_{request.param}")(path)
    return path


def test_weights_are_read_from_every_format(file):
    data = read_file(file, OPTIONS)
    np.testing.assert_array_equal(data.y, TABLE[["a", "b"]])
    np.testing.assert_array_equal(data.weights, [1, 0, 2.5])
    assert data.origin.schema.weight_column == "w"
    assert Schema.from_json(data.origin.schema.to_json()) == data.origin.schema


def test_schemas_of_older_files_have_none():
    older = {key: value for key, value in Schema((2,)).to_json().items() if key != "weight_column"}
    assert Schema.from_json(older) == Schema((2,))


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1, -2, 3], r"has -2(\.0)? in row 1 of its weight column w, counted from 0: a weight must be"),
        ([1, np.nan, 3], "in row 1 of its weight column w"),
        ([1, np.inf, 3], "has inf in row 1 of its weight column w"),
        (["1", "2", "many"], "has many in row 2 of its weight column w"),
        ([0, 0, 0], "has only zeros in its weight column w: a weight must be above 0"),
    ],
)
def test_bad_weights_are_named(tmp_path, weights, said):
    for kind in ("csv", "parquet"):
        getattr(TABLE.assign(w=weights), f"to_{kind}")(tmp_path / f"t.{kind}", index=False)
        with pytest.raises(ValueError, match=said):
            read_file(tmp_path / f"t.{kind}", OPTIONS)


def test_a_missing_weight_column_gets_a_suggestion(tmp_path):
    TABLE.rename(columns={"w": "weight"}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=r"no column 'weigth' \(--weight-column, did you mean weight\?\)"):
        read_file(tmp_path / "t.csv", ReadOptions(weight_column="weigth"))


@pytest.mark.parametrize(
    ("spell", "mark", "flag"),
    [
        (lambda i: f"{i},5", "\t", {"decimal": ","}),
        (lambda i: f"{i}.500,5", ";", {"thousands": "."}),
        (lambda i: f'"{i},500"', ",", {"thousands": ","}),
    ],
)
@pytest.mark.parametrize("text", ["error", "one-hot"])
def test_weights_in_another_notation_need_a_flag(write, spell, mark, flag, text):
    rows = [f"{i}{mark}{'xy'[i % 2]}{mark}{spell(i)}" for i in range(1, 5)]
    path = write("\n".join([mark.join("atw"), *rows]) + "\n", "t.tsv" if mark == "\t" else "t.csv")
    options = ReadOptions(weight_column="w", text=text)
    with pytest.raises(
        ValueError, match=f"in w: --.* reads them.*--{next(iter(flag))} {next(iter(flag.values()))}"
    ):
        read_file(path, options)
    given = ReadOptions(weight_column="w", text="one-hot", **flag)
    found = read_file(path, given).weights
    ones = {"decimal": 0.5, "thousands": 500.5 if mark == ";" else 500}[next(iter(flag))]
    step = 1 if "decimal" in flag else 1000
    np.testing.assert_array_equal(found, step * np.arange(1.0, 5) + ones)
