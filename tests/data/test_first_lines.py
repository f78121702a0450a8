"""What separates the values of a text table, if its names hold marks too, and lines above the names."""

from __future__ import annotations

import numpy as np
import pytest
from written import complaint, features

from gmvae.data.files.first_lines import FirstLines
from gmvae.data.schema import ReadOptions

SIZES = [(70.5, 180.25), (81.0, 175.5), (64.25, 169.0), (77.5, 190.75)]


def lines(names: str, mark: str, decimal: str) -> str:
    rows = [mark.join(str(value).replace(".", decimal) for value in row) for row in SIZES]
    return "\n".join([names, *rows, ""])


@pytest.mark.parametrize("decimal", [",", "."])
@pytest.mark.parametrize("names", ["Weight, kg;Height, cm", "a;b, c", "a, b, c;d"])
def test_commas_in_the_names_do_not_separate(write, names, decimal):
    path = write(lines(names, ";", decimal))
    np.testing.assert_array_equal(features(path)[0], SIZES)


@pytest.mark.parametrize("names", ["Weight; kg,Height; cm", "a; b; c,d", "w|1,h|2"])
def test_other_marks_in_the_names_do_not_separate_either(write, names):
    np.testing.assert_array_equal(features(write(lines(names, ",", ".")))[0], SIZES)
    tabs = write(lines(names.replace(",", "\t"), "\t", "."), "t.tsv")
    np.testing.assert_array_equal(features(tabs)[0], SIZES)


def test_tabs_beside_commas_in_the_names_are_named(write):
    said = complaint(write(lines("Weight, kg\tHeight, cm", "\t", ",")))
    assert said.startswith("t.csv has tabs between its values, not commas: values must have commas")
    assert said.endswith("add --separator tab --decimal ,")


@pytest.mark.parametrize(
    ("above", "count"),
    [
        ("Report of 2024\n", 1),
        ("Report of 2024, all shops\n", 1),
        ("Report of 2024\n\nprinted on Monday\n", 3),
        ("Report of 2024,,\n", 1),
        ('"Report, of 2024"\n\n', 2),
        ("sep=,\n", 1),
    ],
)
def test_lines_above_the_names_are_named(write, above, count):
    table = "a,b,c\n" + "".join(f"{i},{i / 2},x\n" for i in range(9))
    lines = "a line" if count == 1 else f"{count} lines"
    said = f"t.csv has {lines} above the names of its columns, {above.splitlines()[0][:14]!r}"
    assert said[:-1] in complaint(write(above + table))
    assert "above the names" in complaint(write((above + table).replace(",", ";")))


@pytest.mark.parametrize("mark", [",", ";"])
def test_units_below_the_names_are_named(write, mark):
    table = f"size{mark}price\ncm{mark}euro\n" + "".join(f"{i}{mark}{i / 2}\n" for i in range(9))
    assert complaint(write(table)).startswith("t.csv has 2 lines of words above its numbers: keep the line")


def test_units_beside_columns_of_text_are_named(write):
    rows = "".join(f"{i},{i / 2},{i * 3},w{i % 3}\n" for i in range(9))
    said = "t.csv has 2 lines of words above its numbers"
    assert complaint(write("time,size,share,state\ns,cm,,\n" + rows)).startswith(said)
    assert complaint(write("Sizes,in,all,shops\ntime,size,share,state\n" + rows)).startswith(said)
    assert complaint(write("time,size\n1,2\n3,4\ntime,size\n5,6\n")) == (
        "t.csv has the names of its columns again in line 4: remove it"
    )


def test_a_title_above_numbers_with_decimal_commas_is_named(write):
    rows = "".join(f"K{i};{i},5;1.{i + 500},25\n" for i in range(30))
    said = complaint(write("Sales 2023\n\nwho;size;sum\n" + rows))
    assert said.startswith("t.csv has 2 lines above the names of its columns, 'Sales 2023': remove them")


@pytest.mark.parametrize("column", [lambda i: "", lambda i: f",{i % 3}", lambda i: f",{'xy'[i % 2]}"])
def test_names_that_occur_again_far_down_are_named(write, column):
    more = ",kind" if column(0) else ""
    rows = [f"{i},{i / 2}{column(i)}\n" for i in range(90)]
    names = f"time,size{more}\n"
    said = complaint(write("".join([names, *rows[:40], names, *rows[40:]])))
    assert "t.csv has the names of its columns again in row 40, counted from 0: remove it" in said
    assert "mixed" not in said
    assert " add --" not in said  # no flag removes a row


def test_names_that_occur_again_after_the_first_block_are_named(write, monkeypatch):
    monkeypatch.setattr("gmvae.data.files.separated.BLOCK", 1 << 10)
    rows = [f"{i},{i / 2}\n" for i in range(900)]
    said = complaint(write("".join(["time,size\n", *rows, "time,size\n"])))
    assert said == (
        "t.csv has the names of its columns again in row 902, counted with the line of names: remove it"
    )


@pytest.mark.parametrize("top", ["NA,NA,NA,NA", "nan,NaN,,w", "?,-,.,w", "x,3,4,w"])
def test_missing_values_below_the_names_are_no_units(top):
    rows = "".join(f"{i},{i / 2},{i * 3},w{i % 3}\n" for i in range(9))
    assert FirstLines.of(f"a,b,c,d\n{top}\n{rows}", cut=False).worded(",") == 1


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_marks_before_three_digits_only_are_asked_for(write, name, mark):
    between = ";" if name == "t.csv" else "\t"
    if (name, mark) == ("t.tsv", ","):
        mark = "."
    rows = [(500, 1), (1501, 2), (2502, 3), (503, 4)]
    text = "".join(f"{a:,}".replace(",", mark) + f"{between}{b}\n" for a, b in rows)
    path = write(f"size{between}count\n{text}", name)
    said = f"500 and 1{mark}501 in one column: add '--thousands {mark}' if 1{mark}501 is 1501, else"
    assert said in complaint(path)
    np.testing.assert_array_equal(features(path, ReadOptions(thousands=mark))[0], rows)
    decimals = features(path, ReadOptions(decimal=mark))[0]
    np.testing.assert_array_equal(decimals[:, 0], [500, 1.501, 2.502, 503])


@pytest.mark.parametrize("others", ["1,5", "0,25", "2,1234"])
def test_other_numbers_show_the_decimal_mark(write, others):
    path = write(f"size;count\n500;{others}\n1,501;2\n2,502;3\n503;4\n")
    np.testing.assert_array_equal(features(path)[0][:, 0], [500, 1.501, 2.502, 503])


def test_a_number_does_not_begin_with_0_and_thousands(write):
    said = complaint(write('v,w\n"0,612",1\n"2,233",2\n"6,125",3\n'))
    assert said.endswith("numbers with a decimal comma in v: --decimal , reads them; so add --decimal ,")


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n3,4\n",
        ",b\nx,2\ny,4\n",
        "b\nx,2\ny,4\n",  # as R writes it
        "a,b\n1,2,3\n4,5,6\n",  # another complaint
        "a\n1\n\n3\n",
        "a,,\nb,c,d\ne,f,g\n",
    ],
)
def test_names_are_no_title(text):
    found = FirstLines.of(text, cut=False)
    assert (found.above(","), found.worded(",") > 1) == (0, False)
