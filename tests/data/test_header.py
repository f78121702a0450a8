"""A text table without column names is refused, whatever its first row is."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import bad, here
from sklearn.datasets import load_iris

TINY = [
    "--clusters", 2, "--hidden-size", 4, "--x-size", 1, "--w-size", 1, "--epochs", 1, "--plot-every", 0,
    "--init", "random",
]  # fmt: skip
RNG = np.random.default_rng(0)
FLOATS, WHOLE = RNG.normal(size=(40, 3)), RNG.integers(0, 9, (40, 3))
IRIS = load_iris(as_frame=True).frame.assign(kind=lambda t: t.pop("target").map({0: "x", 1: "y", 2: "z"}))


def saved(array, mark=",", **options) -> str:
    lines = [mark.join(options.get("spell", repr)(value) for value in row) for row in array.tolist()]
    return "\n".join(lines) + "\n"


def table(frame, **options) -> str:
    return frame.to_csv(**{"index": False, **options})


def write(name: str, text: str) -> Path:
    Path(name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return Path(name)


WITHOUT = {
    "rising": ("t.csv", saved(np.sort(FLOATS, 1)), []),
    "falling": ("t.csv", saved(-np.sort(FLOATS, 1)), []),
    "two columns": ("t.csv", saved(FLOATS[:, :2]), []),
    "one column": ("t.csv", saved(FLOATS[:, :1]), []),
    "packed": ("t.csv.gz", saved(np.sort(FLOATS, 1)), []),
    "tabs": ("t.tsv", saved(np.sort(FLOATS, 1), "\t"), []),
    "tabs in text": ("t.txt", saved(np.sort(FLOATS, 1), "\t"), []),
    "packed tabs": ("t.txt.gz", saved(np.sort(FLOATS, 1), "\t"), []),
    "savetxt": ("t.txt", saved(FLOATS, " "), []),
    "whole from 0": ("t.csv", saved(np.arange(120).reshape(40, 3)), []),
    "whole from 1": ("t.csv", saved(np.arange(1, 121).reshape(40, 3)), []),
    "quoted": ("t.csv", saved(np.sort(FLOATS, 1), spell='"{}"'.format), []),
    "marked": ("t.csv", "\ufeff" + saved(np.sort(FLOATS, 1)), []),
    "a gap": ("t.csv", "1.5,,2.5\n" + saved(FLOATS), ["--missing", "impute"]),
    "a gap by name": ("t.csv", "NA,1.5,2.5\n" + saved(FLOATS), ["--missing", "impute"]),
    "gaps alone": ("t.csv", "nan,NULL,\n" + saved(FLOATS), ["--missing", "impute"]),
    "an infinity": ("t.csv", "-inf,0.5,inf\n" + saved(FLOATS), []),
    "numbered ids": (
        "t.csv",
        "".join(f"c{i},{1000.5 - 10 * i},{i / 4}\n" for i in range(40)),
        ["--id-column", "c0"],
    ),
    "thousands": (
        "t.csv",
        saved(1e6 * FLOATS, ";", spell="{:,.2f}".format),
        ["--separator", ";", "--thousands", ","],
    ),
    "spaces that do not break between thousands": (
        "t.csv",
        saved(1e6 * FLOATS, ";", spell=lambda v: f"{v:,.2f}".replace(",", "\u202f")),
        ["--thousands", " "],
    ),
    "thousands and decimals": (
        "t.csv",
        saved(1e6 * np.sort(FLOATS, 1), ";", spell=lambda v: f"{v:,.2f}".translate({44: ".", 46: ","})),
        ["--decimal", ",", "--thousands", "."],
    ),
    "true and false": ("t.csv", saved(FLOATS[:, :2] > 0), []),
    "classes": ("t.csv", table(IRIS, header=False), ["--label-column", "x"]),
    "ids and classes": (
        "t.csv",
        table(IRIS.assign(id=[f"a{i}" for i in range(150)]), header=False),
        ["--label-column", "x", "--id-column", "a0"],
    ),
    "words": ("t.csv", "p,x\nq,x\np,y\n" * 10, ["--text", "one-hot"]),
    "dates": ("t.csv", "2020-01-01,1.5\n" + "2020-01-02,2.5\n2020-01-03,0.5\n" * 9, ["--drop", "2020-01-01"]),
}


@pytest.mark.parametrize("case", WITHOUT)
def test_a_first_line_that_is_a_row_is_refused(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    name, text, flags = WITHOUT[case]
    said = bad(here("train", "data", "--path", write(name, text), *flags, "--run-dir", "run", *TINY))
    assert f"{name} has " in said
    assert "must name the columns" in said
    assert ("with words, since these may be data" in said) == case.startswith("whole")
    assert not Path("run").exists()


NAMED = {
    "pandas": ("t.csv", table(pd.DataFrame(FLOATS)), [], ["0", "1", "2"]),
    "pandas with its index": ("t.csv", table(pd.DataFrame(WHOLE), index=True), [], ["0", "1", "2"]),
    "pandas, whole": (
        "t.csv",
        table(pd.DataFrame(np.tile(WHOLE, 4))),
        [],
        list(map(str, range(12))),
    ),
    "pandas, 0 and 1": ("t.csv", table(pd.DataFrame((WHOLE > 4).astype(int))), [], ["0", "1", "2"]),
    "pandas and a class": (
        "t.csv",
        table(pd.DataFrame(WHOLE).assign(kind=["u", "v"] * 20)),
        ["--label-column", "kind"],
        ["0", "1", "2"],
    ),
    "years": (
        "t.tsv",
        table(pd.DataFrame(1e7 + WHOLE, columns=[2019, 2020, 2021]).assign(country="a"), sep="\t"),
        ["--drop", "country"],
        ["2019", "2020", "2021"],
    ),
    "words beside numbered ones": (
        "t.csv",
        "k1,9019,9020\n" + "".join(f"a{i},{v},{i % 7}\n" for i, v in enumerate(1e3 * FLOATS[:, 0])),
        ["--id-column", "k1"],
        ["9019", "9020"],
    ),
    "a missing value among words": ("t.csv", "nan,b,c\n" + saved(FLOATS), [], ["nan", "b", "c"]),
    "a word that is a number": ("t.csv", "7,b,3\n" + saved(FLOATS), [], ["7", "b", "3"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", NAMED)
def test_column_names_may_be_numbers(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    name, text, flags, columns = NAMED[case]
    said = here("train", "data", "--path", write(name, text), *flags, "--run-dir", "run", *TINY)
    assert (said.status, said.err) == (0, "")
    assert json.loads(Path("run/config.json").read_text())["data"]["shape"] == [40, len(columns)]
    card = here("info", "run").out
    assert f"columns     {', '.join(columns)}\n" in card
