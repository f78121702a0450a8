"""What separates the values of a text table, if its names hold marks too, and lines above the names."""

from __future__ import annotations

import numpy as np
import pytest
from written import complaint, features

from gmvae.data.files.first_lines import FirstLines

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
    assert said.endswith("so add --separator tab --decimal ,")


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
