"""Awkward tables: the shell and Python give the same results, or the same errors."""

from __future__ import annotations

import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from awkward_tables import (
    BOTH,
    FLAGS,
    IMPUTE,
    ONE_HOT,
    TINY,
    directions,
    gaps,
    mixed,
    nothing,
    numbers,
)
from commands import here
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import gmvae
from gmvae import GMVAE

WORK = {
    "numbers": (numbers, {}),
    "text": (mixed, ONE_HOT),
    "gaps": (gaps, BOTH),
    "gaps without text": (lambda: gaps()[["a", "b"]], IMPUTE),
    "no gap, though asked": (numbers, BOTH),
    "a named index": (lambda: numbers().set_index(pd.RangeIndex(40, name="id")), {}),
    "small floats": (lambda: numbers().astype(np.float32), {}),
    "nullable numbers": (lambda: numbers().convert_dtypes(), {}),
    "nullable with a gap": (lambda: gaps()[["a", "b"]].convert_dtypes(), IMPUTE),
    "whole numbers with a gap": (lambda: nothing(n=pd.array([None, *range(39)], "Int64")), IMPUTE),
    "true and false": (lambda: numbers() > 0, {}),
    "true, false and a gap": (
        lambda: nothing(f=pd.array([None, *[True, False, True] * 13], "boolean")),
        IMPUTE,
    ),
    "decimals": (lambda: numbers().map(lambda v: decimal.Decimal(f"{v:.3f}")), {}),
    "categories of numbers": (lambda: nothing(c=pd.Categorical([1, 2] * 20)), ONE_HOT),
    "a constant text": (lambda: nothing(t="x"), ONE_HOT),
    "texts like numbers": (lambda: nothing(t=["1", "2"] * 20), ONE_HOT),
    "names of several words": (lambda: numbers().set_axis(["the first", "a=b"], axis=1), {}),
    "one column": (lambda: numbers()[["a"]], {}),
    "copies": (lambda: pd.concat([mixed()] * 3, ignore_index=True), ONE_HOT),
    "huge numbers": (lambda: numbers() * 1e30, {}),
    "skewed columns": (lambda: np.exp(numbers()), {}),
    "a value that hides the others": (lambda: nothing(a=numbers()["a"].where(np.arange(40) != 7, 1e12)), {}),
    "rows of length 1": (lambda: directions(), {}),
    "logarithms": (lambda: np.exp(numbers()), {"scale": "log"}),
    "directions": (lambda: 7 * directions(), {"scale": "unit"}),
    "one scale": (numbers, {"scale": "common"}),
    "no scale": (numbers, {"scale": "none"}),
}
"""Tables that both accept."""
REFUSE = {
    "text": (mixed, {}, "has columns of text: t, c; make 0/1 features of them with"),
    "gaps": (gaps, ONE_HOT, "in 2 of 40 rows, first in row 3 counted from 0, in columns a (1), t"),
    "an empty column": (lambda: nothing(e=np.nan), IMPUTE, "has no value at all in column e"),
    "an empty column of text": (lambda: nothing(e=pd.array([None] * 40, "string")), BOTH, "no value at all"),
    "dates": (lambda: nothing(d=pd.date_range("2020", periods=40)), BOTH, "times in d ('2020-01-01')"),
    "dates of a place": (
        lambda: nothing(d=pd.date_range("2020", periods=40, tz="Europe/Berlin")), BOTH,
        "dates or times in d ('2020-01-01');",
    ),
    "times of a day": (
        lambda: nothing(d=pd.date_range("2020-01-01 10:30", periods=40)), BOTH,
        "dates or times in d ('2020-01-01 10:30:00');",
    ),
    "months": (lambda: nothing(d=pd.period_range("2020-01", periods=40, freq="M")), BOTH, "d (periods);"),
    "the names again": (lambda: nothing(p=[*map(str, range(39)), "p"]), {}, "again in row 39, counted from"),
    "no date": (lambda: nothing(d=pd.NaT), BOTH, "dates or times in d; make numbers of them"),
    "times": (lambda: nothing(d=pd.to_timedelta(range(40), "s")), BOTH, "nor text: d (duration"),
    "lists": (lambda: nothing(d=[[1, 2]] * 40), BOTH, "nor text: d (list"),
    "too many texts": (
        lambda: pd.concat([nothing(t=[f"w{i % 39}.{k}" for i in range(40)]) for k in range(3)]),
        ONE_HOT, "has more than 100 different texts in column t",
    ),
    "features of one name": (
        lambda: nothing(t=["x", "y"] * 20).rename(columns={"a": "t=x"}), ONE_HOT, "more than one feature t=x",
    ),
    "an infinite number": (lambda: nothing(t=["x", "y"] * 20, a=np.inf), ONE_HOT,
        "no finite number in column a: leave it out with"),
    "an infinite number among plain ones": (
        lambda: nothing(a=numbers()["a"].where(np.arange(40) != 7, -np.inf)), {},
        "has infinite numbers in 1 of 40 rows, first -inf in row 7 of column a, counted from 0: remove",
    ),
    "gaps and an infinite number": (
        lambda: gaps().assign(b=np.inf), {},
        ", in columns a (1), t (1): train with",
    ),
    "gaps and infinite numbers": (
        lambda: gaps().assign(b=numbers()["b"].where(np.arange(40) % 2 == 1, np.inf)), {},
        ". It has infinite numbers in 20 of 40",
    ),
    "an empty and an infinite column, and gaps": (
        lambda: gaps().assign(b=np.inf, e=np.nan), ONE_HOT,
        "has no value at all in column e: leave it out",
    ),
    "an infinite column, to be filled": (
        lambda: gaps().assign(b=np.inf, e=np.nan), BOTH, ". It has no finite number in column b: leave it",
    ),
    "numbers as text": (
        lambda: nothing(t=numbers()["a"].map(str)), {}, "numbers as text in t ('",
    ),
    "decimal commas": (
        lambda: nothing(t=[f"{i},5" for i in range(40)]), {}, "numbers with a decimal comma in t",
    ),
    "dates as text": (
        lambda: nothing(t=[f"{1 + i % 28} Mar 2024" for i in range(40)]), {},
        "dates or times in t ('1 Mar 2024'); make numbers of them",
    ),
    "dates as text, to be features": (
        lambda: nothing(t=[f"{1 + i % 28} Mar 2024" for i in range(40)]), ONE_HOT,
        "dates or times in t ('1 Mar 2024'); make numbers of them",
    ),
    "one row": (lambda: mixed()[:1], ONE_HOT, "at least"),
    "logarithms of what is below 0": (lambda: -1 - numbers() ** 2, {"scale": "log"}, "has values below 0"),
    "an unknown scale": (numbers, {"scale": "loud"}, "loud"),
}  # fmt: skip
"""Tables that both refuse, and the error of both."""


def shell(table: pd.DataFrame, options: dict, folder) -> list[object]:
    table.to_parquet(folder / "X.parquet")
    asked = [part for name, value in options.items() for part in (f"--{name}", value)]
    return ["train", "data", "--path", folder / "X.parquet", *asked, *FLAGS, "--run-dir", folder / "run"]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "gaps" else pytest.mark.slow) for n in WORK]
)
def test_both_accept_it_with_the_same_result(name, tmp_path):
    make, options = WORK[name]
    X = make()
    model = GMVAE(**TINY, random_state=0, device="cpu", **options).fit(X)
    said = here(*shell(X, options, tmp_path))
    assert said.status == 0, said.err
    theirs = gmvae.load(tmp_path / "run", "cpu")
    for key, value in theirs.model_.state_dict().items():
        assert torch.equal(value, model.model_.state_dict()[key]), key
    model.save(tmp_path / "m.safetensors")
    again = gmvae.load(tmp_path / "m.safetensors", "cpu")
    for one in (model, again, theirs):
        for table in (X, pl.from_pandas(X), pa.Table.from_pandas(X)):
            assert (one.predict(table) == model.labels_).all()
    assert len(clone(again).fit(X).labels_) == len(X)


@pytest.mark.parametrize("name", REFUSE)
def test_both_refuse_it_in_one_line(name, tmp_path):
    make, options, said = REFUSE[name]
    X = make()
    model = GMVAE(**TINY, random_state=0, **options)
    with pytest.raises(ValueError) as error:  # noqa: PT011
        model.fit(X)
    theirs = here(*shell(X, options, tmp_path))
    assert (theirs.status, theirs.out) == (2, "")
    for line in (str(error.value), theirs.err):
        assert said in line
    assert "--" not in str(error.value)  # Python has no flags
    assert theirs.err.count("\n") == 1
    with pytest.raises(NotFittedError):
        model.predict(numbers())
