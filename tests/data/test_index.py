"""The index of a pandas data frame is not a feature, in files or in Python."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from commands import here
from pyarrow import ipc

import gmvae

TINY = [
    "--clusters", 2, "--hidden-size", 4, "--x-size", 1, "--w-size", 1, "--epochs", 1, "--plot-every", 0,
    "--init", "random",
]  # fmt: skip
SIZES = {"hidden_size": 4, "x_size": 1, "w_size": 1, "epochs": 1, "init": "random", "random_state": 0}


def frame() -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(30, 2))
    return pd.DataFrame(values, columns=["a", "b"], index=pd.Index(np.arange(30, 0, -1), name="row"))


def write_stream(table, path):
    whole = pa.Table.from_pandas(table)
    with ipc.new_stream(path, whole.schema) as file:
        file.write_table(whole)


def write_parts(table, path):
    path.mkdir()
    for number in range(3):
        table.iloc[number * 10 : number * 10 + 10].to_parquet(path / f"{number}.parquet")


WRITERS = {
    "t.parquet": lambda table, path: table.to_parquet(path),
    "t.arrow": write_stream,
    "parts": write_parts,
}


def same_answers(one, other):
    pd.testing.assert_frame_equal(pd.read_csv(one), pd.read_csv(other), rtol=1e-9)


def train(path, *flags):
    run = path.parent / "run"
    said = here("train", "data", "--path", path, *flags, *TINY, "--run-dir", run)
    assert (said.status, said.err) == (0, "")
    return run, said.out, next((line for line in here("info", run).out.splitlines() if "columns" in line), "")


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("index", ["row", "levels", "none"])
def test_the_index_is_left_out_with_a_message(tmp_path, name, index):
    table = frame()
    if index == "levels":
        table = table.assign(site=["u", "v"] * 15).set_index("site", append=True)
    if index == "none":
        table = table.rename_axis(None)
    WRITERS[name](table, tmp_path / name)
    run, out, columns = train(tmp_path / name)
    names = {"row": "row", "levels": "row, site", "none": "__index_level_0__"}[index]
    assert columns == "columns     a, b"
    assert f"left out as an index of the rows: {names}\n" in out
    assert here("predict", run, "-o", tmp_path / "own.csv").status == 0
    table.reset_index(drop=True).to_csv(tmp_path / "plain.csv", index=False)
    assert here("predict", run, tmp_path / "plain.csv", "-o", tmp_path / "new.csv").status == 0
    same_answers(tmp_path / "own.csv", tmp_path / "new.csv")


def test_the_index_can_be_requested(tmp_path):
    frame().to_parquet(tmp_path / "t.parquet")
    _, out, columns = train(tmp_path / "t.parquet", "--columns", "row", "a")
    assert columns == "columns     row, a"
    assert "left out" not in out
    (tmp_path / "run").rename(tmp_path / "first")
    run, out, columns = train(tmp_path / "t.parquet", "--id-column", "row")
    assert columns == "columns     a, b"
    assert "left out" not in out
    assert here("predict", run, "-o", tmp_path / "out.csv").status == 0
    assert pd.read_csv(tmp_path / "out.csv")["row"].tolist() == list(range(30, 0, -1))


def test_a_model_without_names_takes_columns_by_place_without_the_index(tmp_path):
    table = frame()
    np.save(tmp_path / "t.npy", table.to_numpy())
    table.to_parquet(tmp_path / "t.parquet")
    run, *_ = train(tmp_path / "t.npy")
    for name in ("npy", "parquet"):
        assert here("predict", run, tmp_path / f"t.{name}", "-o", tmp_path / f"{name}.csv").status == 0
    same_answers(tmp_path / "npy.csv", tmp_path / "parquet.csv")


def test_an_arrow_table_in_python_has_no_index_either(tmp_path):
    table = frame()
    arrow = pa.Table.from_pandas(table)
    assert arrow.column_names == ["a", "b", "row"]
    of_pandas = gmvae.GMVAE(2, **SIZES).fit(table)
    of_arrow = gmvae.GMVAE(2, **SIZES).fit(arrow)
    assert of_arrow.n_features_in_ == 2
    np.testing.assert_allclose(of_arrow.predict_proba(arrow), of_pandas.predict_proba(table), rtol=1e-9)
    of_arrow.save(tmp_path / "model.safetensors")
    again = gmvae.load(tmp_path / "model.safetensors")
    for given in (arrow, table, table.to_numpy()):
        np.testing.assert_allclose(again.predict_proba(given), of_pandas.predict_proba(table), rtol=1e-9)


def test_batches_of_arrow_leave_the_index_out():
    class Batches:
        def __iter__(self):
            return iter(pa.Table.from_pandas(frame()).to_batches(10))

    assert gmvae.GMVAE(2, **SIZES).fit(Batches()).n_features_in_ == 2


def test_a_stream_says_which_column_is_the_index(tmp_path):
    frame().to_parquet(tmp_path / "t.parquet")
    _, said, columns = train(tmp_path / "t.parquet", "--stream")
    assert "left out as an index of the rows: row" in said
    assert columns.split() == ["columns", "a,", "b"]
