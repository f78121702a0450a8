"""Untidy files: anything that would change the result is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from commands import bad, here

import gmvae

ROWS = 30
TINY = [
    "--clusters", 2, "--hidden-size", 4, "--x-size", 1, "--w-size", 1, "--epochs", 1, "--plot-every", 0,
    "--init", "random",
]  # fmt: skip


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"a": rng.normal(size=ROWS), "colour": ["red", "green", "2"] * 10, "b": rng.random(ROWS)}
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("untidy")
    table().to_csv(folder / "t.csv", index=False)
    said = here(
        "train", "data", "--path", folder / "t.csv", "--text", "one-hot", "--missing", "impute", *TINY,
        "--run-dir", folder / "run",
    )  # fmt: skip
    assert (said.status, said.err) == (0, "")
    return folder / "run"


def other() -> pd.DataFrame:
    """Texts in other letters, with blanks, or as another number; and a missing value, which is not a text."""
    new = table()
    new.loc[[4, 5, 11], "colour"] = ["Green", " red", "2.0"]
    new.loc[7, "colour"] = None
    return new


SAID = "3 rows with a value in column colour that training did not see, such as 'Green': it counts as missing"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["new.csv", "new.tsv", "new.parquet", "new.feather"])
def test_texts_that_training_did_not_see_are_counted(run, tmp_path, name):
    path, new = tmp_path / name, other()
    if path.suffix in (".csv", ".tsv"):
        new.to_csv(path, index=False, sep="," if path.suffix == ".csv" else "\t")
    else:
        new.to_parquet(path) if path.suffix == ".parquet" else new.to_feather(path)
    out = ["-o", tmp_path / "out.csv"]
    for command in (["predict", run, path, *out], ["embed", run, path, *out], ["evaluate", run, path]):
        said = here(*command)
        assert said.status == 0
        assert said.err.startswith(f"gmvae: warning: {name} has {SAID}")
        assert said.err.count("\n") == 1
    for command in (["predict", run, *out], ["evaluate", run]):
        assert here(*command).err == ""


def test_python_reports_unseen_texts_too(run):
    model = gmvae.load(run, "cpu")
    for new in (other(), pl.from_pandas(other()), pa.Table.from_pandas(other())):
        with pytest.warns(UserWarning, match=f"X has {SAID}"):
            model.predict(new)


def test_masked_values_are_missing():
    y = table()[["a", "b"]].to_numpy()
    model = gmvae.GMVAE(2, hidden_size=4, x_size=1, w_size=1, epochs=1, init="random", random_state=0)
    masked = np.ma.masked_array(y, mask=y > 0.5)
    with pytest.raises(ValueError, match=f"X has {(y > 0.5).sum()} masked values, which are missing: fill"):
        model.fit(masked)
    model.fit(np.ma.masked_array(y))
    for method in (model.predict, model.transform, model.score_samples):
        with pytest.raises(ValueError, match="masked values, which are missing"):
            method(masked)


def trained(path: Path, *flags: object) -> str:
    said = here("train", "data", "--path", path, *flags, *TINY, "--run-dir", path.parent / "run")
    assert (said.status, said.err) == (0, "")
    return said.out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.npy"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_column_that_counts_the_rows_is_named(tmp_path, name, order):
    path, new = tmp_path / name, table()[["a", "b"]]
    new.insert(0, "Id", np.arange(1, ROWS + 1)[::order])
    if name == "t.npy":
        np.save(path, new.to_numpy())
    else:
        new.to_csv(path, index=False) if name == "t.csv" else new.to_parquet(path)
    column = "0" if name == "t.npy" else "Id"
    out = trained(path)
    assert f"warning columns that only count the rows are features (1): {column}; leave them out" in out
    (tmp_path / "run").rename(tmp_path / "first")
    assert "count the rows" not in trained(path, "--drop", column)


def test_a_column_that_almost_counts_is_not(tmp_path):
    new = table()[["a", "b"]].assign(year=np.arange(2000, 2000 + ROWS))
    new.loc[ROWS - 1, "year"] += 1
    new.to_parquet(tmp_path / "t.parquet")
    assert "count the rows" not in trained(tmp_path / "t.parquet")


def test_no_row_of_a_column_alone_is_lost(tmp_path):
    lines = [f"{value:.3f}" for value in table()["a"]]
    lines[9] = ""
    (tmp_path / "t.csv").write_text("\n".join(["a", *lines]) + "\n")
    flags = ["train", "data", "--path", tmp_path / "t.csv", *TINY, "--run-dir", tmp_path / "run"]
    assert "has missing values in 1 of 30 rows, first in row 9 counted from 0" in bad(here(*flags))
    assert "30 observations" in trained(tmp_path / "t.csv", "--missing", "impute")
    assert here("predict", tmp_path / "run", "-o", tmp_path / "out.csv").status == 0
    assert len(pd.read_csv(tmp_path / "out.csv")) == ROWS


@pytest.mark.slow
def test_suggested_flags_fix_an_untidy_table(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        f"c{i},2020-01-{1 + i % 28:02d},{rng.normal(40 + 20 * (i % 2)):.1f},{'' if i % 17 == 0 else i % 5},"
        f"{'yes' if i % 3 else 'no'},note {i}"
        for i in range(80)
    ]
    path, run = tmp_path / "t.csv", tmp_path / "run"
    path.write_text("\n".join(["customer,since,age,visits,active,remark", *rows]) + "\n")
    train = ["train", "data", "--path", path, "--clusters", 2, "--epochs", 1, "--plot-every", 0]
    said = bad(here(*train, "--run-dir", run))
    flags = said.strip().rpartition("add ")[2]
    assert flags == "--id-column customer --drop since remark --text one-hot --missing impute"
    assert here(*train, *flags.split(), "--run-dir", run).status == 0
    assert here("predict", run, "--keep-columns", "-o", tmp_path / "out.csv").status == 0


@pytest.mark.parametrize(
    ("spell", "where"),
    [
        (lambda i: "-" if i == 7 else f"{i}.5", "a ('-' in row 7)"),
        (lambda i: "?" if i % 5 == 2 else str(i), "a ('?' in row 2)"),
    ],
)
def test_texts_among_numbers_are_named_with_their_row(tmp_path, spell, where):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{spell(i)},{i % 7}\n" for i in range(ROWS)), encoding="utf-8")
    said = bad(here("train", "data", "--path", path, *TINY))
    assert f"numbers mixed with text in {where}, rows counted from 0; keep only numbers" in said
    assert said.endswith("add --drop a\n")
    with pytest.raises(ValueError, match=r"numbers mixed with text in .* with X\.drop"):
        gmvae.GMVAE(2).fit(pd.read_csv(path))


def test_words_with_digits_are_no_numbers(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,t\n" + "".join(f"c{i},{i % 7},{'x1 x2'[i % 2 :: 3]}\n" for i in range(ROWS)))
    said = bad(here("train", "data", "--path", path, *TINY))
    assert "mixed with text" not in said
    assert said.endswith("add --id-column a --text one-hot\n")
