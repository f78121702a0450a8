"""Columns whose texts are numbers or dates, in files and in data frames: what the errors say, and what they
advise."""

from __future__ import annotations

import re
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from written import complaint

from gmvae.data.files.numerals import notation
from gmvae.data.files.open import open_source
from gmvae.data.files.values import LIKE_UNIT, UNIT, date, no_number
from gmvae.data.frame import Frame
from gmvae.data.schema import ReadOptions, Schema

ROWS = 20


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["1", "2.5", "-3e4", None], ("", 0)),
        ([None, " 7 ", ".5"], ("", 1)),
        (["1", "\u22122"], ("a minus sign that is not a hyphen", 1)),
        (["1.5", None, "(0.20)"], ("brackets for negative ones", 2)),
        (["1,5", "0,123"], ("a decimal comma", 0)),
        (["0,123", "7,456"], ("a decimal comma", 0)),
        (["7,456", "12"], ("a thousands separator", 0)),
        (["1.234,5", "2"], ("a decimal comma and a thousands separator", 0)),
        (["1,234.5", "2"], ("a thousands separator", 0)),
        (["1 234", "2"], ("a thousands separator", 0)),
        (["7,5", None, "(1,5)"], ("brackets for negative ones and a decimal comma", 2)),
        (["(1,5)", "2"], ("brackets for negative ones and a decimal comma", 0)),
        (["007", "008"], None),
        (["1", "x"], None),
        (["1.2.3", "2"], None),
        ([None], None),
    ],
)
def test_texts_that_are_numbers_are_recognised(texts, found):
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        assert notation(pa.array(texts, pa.string()).cast(kind)) == found


def test_a_decimal_point_is_special_where_the_mark_is_a_comma():
    column = pa.array(["3", "0.5"])
    assert notation(column, ",") == ("a decimal point", 1)


def rows(spell) -> list[str]:
    return [spell(i) for i in range(ROWS)]


@pytest.mark.parametrize(
    ("spell", "said"),
    [
        (
            lambda i: f"\u2212{i}.5",
            "numbers with a minus sign that is not a hyphen in a ('\u22120.5' in row 0)",
        ),
        (lambda i: f"({i}.20)", "numbers with brackets for negative ones in a ('(0.20)' in row 0)"),
        (lambda i: f"{i} %", "numbers with % in a ('0 %' in row 0)"),
        (lambda i: f"{i % 28 + 1} Mar 2024", "dates or times in a ('1 Mar 2024')"),
        (lambda i: f"{i}.5" if i % 5 else "-", "numbers mixed with text in a ('-' in row 0)"),
    ],
)
def test_no_advice_leaves_no_column(write, spell, said):
    values = rows(spell)
    path = write("a,b\n" + "".join(f"{v},{i % 7}\n" for i, v in enumerate(values)))
    one = complaint(path)
    assert said in one
    assert one.endswith("; so add --drop a")
    both = complaint(write("a,b\n" + "".join(f"{v},{v}\n" for v in values)))
    assert said.removesuffix(")") in both
    assert both.endswith(". It has no other columns to take as features")
    assert "--drop" not in both
    for frame, drop in (
        (pd.DataFrame({"a": values, "b": range(ROWS)}), True),
        (pd.DataFrame({"a": values}), False),
    ):
        with pytest.raises(ValueError, match=re.escape(said)) as error:
            Frame.of(frame).schema(ReadOptions())
        assert ("X.drop" in str(error.value)) is drop


@pytest.mark.parametrize("flags", [{"decimal": ","}, {"thousands": "."}])
def test_a_decimal_mark_that_the_file_does_not_have_is_named(write, flags):
    path = write("a,b\n" + "".join(f"{i}.2,{i % 5}.3\n" for i in range(ROWS)))
    assert complaint(path, ReadOptions(**flags)) == (
        "t.csv has numbers with a decimal point in a ('0.2' in row 0), b ('0.3' in row 0), rows counted from "
        "0, but the decimal mark is a comma: leave out --decimal and --thousands, or write all of them with "
        "a comma"
    )


@pytest.mark.parametrize("mark", [":", "~", "^"])
def test_an_unusual_separator_is_suggested(write, mark):
    path = write(f"a{mark}b\n" + "".join(f"{i}.2{mark}{i % 3}\n" for i in range(ROWS)))
    said = complaint(path)
    assert said.startswith(f"t.csv has a single column, a{mark}b, with {mark} in each of its values: if that")
    assert open_source(path).schema(ReadOptions(separator=mark)).columns == ("a", "b")


def test_numbers_as_text_are_to_be_converted(arrow):
    values = {"a": rows(lambda i: f"{i}.5"), "b": rows(lambda i: f"{i % 3}"), "c": range(ROWS)}
    said = "numbers as text in a ('0.5' in row 0), b ('0' in row 0), rows counted from 0; "
    frame = pd.DataFrame(values)
    for X in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        with pytest.raises(ValueError, match=re.escape(f"{said}convert them, as astype(float) does")):
            Frame.of(X).schema(ReadOptions())
    columns = {name: pa.array(list(column)) for name, column in values.items()}
    assert f"{said}save them as numbers or, if they are classes, make 0/1 features" in complaint(
        arrow(columns)
    )
    one_hot = ReadOptions(text="one-hot")
    assert Frame.of(frame.drop(columns="a")).schema(one_hot).features == ("b=0", "b=1", "b=2", "c")
    with pytest.raises(ValueError, match=r"numbers as text in a \('0.5' in row 0\), rows"):
        Frame.of(frame).schema(one_hot)


DATES = [
    "3 Mar 2024", "12/31/2023", "2024-03-01T10:00Z", "2024-03-01T10:00:00+01:00", "March 3, 2024",
    "Mar 3 2024", "03-Mar-24", "3/1/24", "3rd of March", "Mon, 01 Jan 2024 10:00", "Mon Jan  1 10:00:00 2024",
    "1. März 2024", "1 mars 2024", "2024 Mar 1", "Mar 2024", "2024-03", "2024-Q1", "2024-W03",
    "20240301T100000", "10:30", "1:00 PM", "10:30:01.5", "01.03.24",
]  # fmt: skip


@pytest.mark.parametrize("text", DATES)
def test_dates_are_recognised(text):
    found = "" if text == "3rd of March" else text
    assert date(pa.array([text, None, text, "unknown"])) == found


@pytest.mark.parametrize(
    "text",
    ["1.2.3", "10.0.0.1", "111-22-3333", "5-10", "4/5", "12 May Street", "Mark 5", "May", "12", "B-2024"],
)
def test_other_texts_are_no_dates(text):
    assert date(pa.array([text])) == ""
    assert date(pa.array(["1.2.10", "1.2.11", "1.2.3"])) == ""  # versions


UNITS = [
    "5 %",
    "12%",
    "€ 5",
    "$1,200.50",
    "USD  5",
    "5\u00a0kg",
    " -3.5 m² ",
    "7 µm",
    "8 кг",
    "+1_",
    "\u00a0£5",
    "°3",
]


def test_the_quick_pattern_of_units_has_all_units():
    texts = pa.array(UNITS)
    united = pc.match_substring_regex(texts, UNIT)
    assert pc.sum(united).as_py() >= 10
    assert pc.all(pc.match_substring_regex(texts.filter(united), LIKE_UNIT)).as_py()


@pytest.mark.parametrize("look", [date, no_number])
def test_a_column_of_text_is_recognised_in_milliseconds(look):
    column, seconds = pa.array([f"note {i}" for i in range(200)]), []
    for _ in range(5):
        start = time.process_time()
        assert not look(column)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.006


def test_the_advice_to_fill_missing_values_is_for_training(write):
    path = write("a,b\n1,2\n,3\n4,5\n")
    assert complaint(path).endswith("or remove these rows; so add --missing impute")
    said = complaint(path, schema=Schema((2,), ("a", "b")))
    assert said.endswith(
        "fill them, or remove these rows, since the model was trained without --missing impute"
    )


def test_columns_without_a_number_are_named_with_all_else(write, tmp_path):
    text = "0,1,2,t\n" + "".join(f"{'' if i == 3 else i},,inf,{'xy'[i % 2]}\n" for i in range(ROWS))
    path = write(text)
    said = complaint(path)
    empty = (
        "no value at all in column 1: leave it out with --drop. It has no finite number in column 2: leave it"
    )
    gaps = "missing values in 1 of 20 rows, first in row 3 counted from 0, in columns 0 (1): train"
    for part in ("columns of text: t", empty, gaps):
        assert part in said
    assert said.endswith("add --drop 1 2 --text one-hot --missing impute")
    both = ReadOptions(missing="impute", text="one-hot", drop=("t",))
    assert complaint(path, both) == f"t.csv has {empty} out with --drop. For all of this, add --drop t 1 2"
    np.save(tmp_path / "t.npy", [[1, np.nan, np.inf], [np.nan, np.nan, -np.inf], [3, np.nan, np.inf]])
    for options in (ReadOptions(), ReadOptions(missing="impute")):
        assert f"t.npy has {empty}" in complaint(tmp_path / "t.npy", options)
