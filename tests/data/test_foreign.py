"""Files of other programs go from the file to predictions in two calls: one that is refused, and one with the
flags of its error."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import bad, here

ROWS = 90
TINY = ["--clusters", 3, "--hidden-size", 8, "--x-size", 2, "--w-size", 2, "--epochs", 1, "--init", "kmeans",
        "--plot-every", 0, "--device", "cpu"]  # fmt: skip
RNG = np.random.default_rng(0)
Z = RNG.integers(3, size=ROWS)
LIKERT = ("strongly disagree", "disagree", "neutral", "agree", "strongly agree")


def excel(path: Path) -> Path:
    """A CSV file of a German Excel: semicolons, cp1252, decimal commas, points between thousands."""
    lines = ["Kundennr;Straße;Umsatz in €;Größe;seit"]
    for i, z in enumerate(Z):
        sales = f"{1500.25 + 3000 * z + i:,.2f}".translate(str.maketrans(",.", ".,"))
        lines.append(
            f"K{i:04d};{('Süd', 'Nord', 'West')[z]};{sales};{170 + i % 9},5;{1 + i % 28:02d}.03.2021"
        )
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode("cp1252"))
    return path


def pandas(path: Path) -> Path:
    """``to_csv`` with its index, gaps, true and false, and times."""
    frame = pd.DataFrame({"speed": RNG.normal(5 * Z), "load": RNG.normal(-3 * Z), "ok": Z > 0})
    frame["mode"], frame["at"] = np.array(["eco", "sport", "normal"])[Z], pd.date_range("2023", periods=ROWS)
    frame.loc[5, "load"] = np.nan
    frame.to_csv(path)
    return path


def r(path: Path) -> Path:
    """``write.table``: spaces, quotes, rows with names, and no name above these."""
    lines = ['"Sepal" "Species" "Width"']
    for i, z in enumerate(Z):
        width = "NA" if i == 7 else f"{1 + z + i % 5 / 10:.1f}"
        lines.append(
            f'"{i + 1}" {5 + 2 * z + i % 7 / 10:.1f} "{("setosa", "versicolor", "virginica")[z]}" {width}'
        )
    path.write_text("\n".join(lines) + "\n")
    return path


def sql(path: Path) -> Path:
    r"""Tabs, times, and \N for NULL."""
    lines = ["id\tcreated_at\tamount\titems\tcountry"]
    for i, z in enumerate(Z):
        amount, country = ("\\N" if i % 29 == 3 else f"{20 + 40 * z + i % 11}.50"), ("DE", "FR", "\\N")[z]
        lines.append(f"{1000 + i}\t2022-01-{1 + i % 28:02d} 10:00:00\t{amount}\t{i % 5 + 4 * z}\t{country}")
    path.write_text("\n".join(lines) + "\n")
    return path


def survey(path: Path) -> Path:
    """Answers as texts, gaps, a question with a comma, and a text among ages."""
    answers = {
        f"Q{q}. I like {what}": [
            "" if i % 31 == q else LIKERT[min(2 * z + (i % 4 == q), 4)] for i, z in enumerate(Z)
        ]
        for q, what in enumerate(("tea", "work, mostly", "sport"))
    }
    ages = ["prefer not to say" if i % 23 == 0 else str(18 + i % 60) for i in range(ROWS)]
    times = [f"2024/03/{1 + i % 28:02d} 9:{i % 60:02d}:11" for i in range(ROWS)]
    pd.DataFrame({"Timestamp": times, **answers, "Age": ages}).to_csv(path, index=False)
    return path


def parquet(path: Path) -> Path:
    """Categories, nullable whole numbers, times, and a named index."""
    frame = pd.DataFrame(
        {"price": RNG.normal(20 + 15 * Z), "brand": pd.Categorical(np.array(["a", "b", "c"])[Z])}
    )
    frame["rating"] = pd.array([None if i % 20 == 0 else i % 5 for i in range(ROWS)], "Int64")
    frame["sold"] = pd.date_range("2020", periods=ROWS)
    frame.set_index(pd.Index([f"sku{i}" for i in range(ROWS)], name="sku")).to_parquet(path)
    return path


FILES = {
    "excel.csv": (excel, "--encoding cp1252 --thousands . --id-column Kundennr --drop seit --text one-hot"),
    "pandas.csv": (pandas, "--drop at --text one-hot --missing impute"),
    "r.txt": (r, "--separator ' ' --text one-hot --missing impute"),
    "sql.tsv": (sql, "--drop created_at --text one-hot --missing impute"),
    "survey.csv": (survey, "--drop Age Timestamp --text one-hot --missing impute"),
    "products.parquet": (parquet, "--drop sold --text one-hot --missing impute"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_two_calls_lead_from_a_file_to_predictions(name, tmp_path):
    write, flags = FILES[name]
    path, run = write(tmp_path / name), tmp_path / "run"
    train = ["train", "data", "--path", path, *TINY, "--run-dir", run]
    said = bad(here(*train))
    assert said.strip().rpartition("add ")[2] == flags
    trained = here(*train, *shlex.split(flags))
    assert trained.status == 0, trained.err
    assert f"{ROWS} observations" in trained.out
    predicted = here("predict", run, path, "--keep-columns", "-o", tmp_path / "out.parquet")
    assert (predicted.status, predicted.err) == (0, "")
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert len(found) == ROWS
    kinds = pd.Series(Z).groupby(found["cluster"].to_numpy()).agg(lambda z: z.mode()[0])
    assert (kinds[found["cluster"]].to_numpy() == Z).mean() > 0.8  # the groups that were written are found
