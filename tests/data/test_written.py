"""Text tables in other notations: separators, decimals, thousands, encodings."""

from __future__ import annotations

import gzip
import re
import shlex

import numpy as np
import pytest
from commands import bad, here

from gmvae.data.files.read import read_file
from gmvae.data.schema import ReadOptions, Schema

Y = np.stack((np.linspace(1000.5, 9_876_543.25, 40), np.arange(40) % 7 + 0.5), 1)
TINY = [
    "--clusters", 2, "--epochs", 1, "--init", "random", "--hidden-size", 8, "--plot-every", 0,
    "--device", "cpu",
]  # fmt: skip


def grouped(value: float, mark: str, decimal: str) -> str:
    """1234.5 with a mark between thousands."""
    return f"{value:,.2f}".replace(".", "D").replace(",", mark).replace("D", decimal)


def write(path, separator: str, mark: str, decimal: str):
    cell = '"{}"' if separator in (mark, decimal) else "{}"
    rows = [separator.join(cell.format(grouped(v, mark, decimal)) for v in row) for row in Y]
    path.write_text("\n".join([f"size{separator}price", *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("separator", "mark", "decimal", "options"),
    [
        (",", ",", ".", {"thousands": ","}),
        (";", ".", ",", {"thousands": "."}),
        (";", " ", ",", {"thousands": " "}),
        ("|", "'", ".", {"separator": "|", "thousands": "'"}),
        ("\t", ",", ".", {"separator": "tab", "thousands": ","}),
        (" ", "", ",", {"separator": " ", "decimal": ","}),
        ("|", "", ".", {"separator": "|"}),
    ],
)
def test_numbers_have_their_written_values(tmp_path, separator, mark, decimal, options):
    found = read_file(write(tmp_path / "t.csv", separator, mark, decimal), ReadOptions(**options))
    np.testing.assert_allclose(found.y, Y, rtol=1e-9, atol=0.006)  # two decimals are written
    assert found.origin.schema.columns == ("size", "price")
    assert Schema.from_json(found.origin.schema.to_json()) == found.origin.schema


def test_missing_values_stay_missing_and_words_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n1.000;1\n;2\n3.500;x\n" + "2.000;5\n" * 20)
    options = {"thousands": ".", "drop": ("b",), "missing": "impute"}
    found = read_file(path, ReadOptions(**options)).y[:, 0]
    np.testing.assert_allclose(found[[0, 2]], [1000, 3500])
    assert found[1] == pytest.approx(np.delete(found, 1).mean())
    path.write_text("a;b\n" + "1.000;1\n" * 5 + "1.00.0;2\n")
    with pytest.raises(ValueError, match="column"):
        read_file(path, ReadOptions(thousands="."))


def test_the_error_says_how_to_read_the_file(tmp_path):
    path = write(tmp_path / "t.csv", ";", ".", ",")
    said = bad(here("train", "data", "--path", path, *TINY))
    assert "columns of text" not in said
    assert (
        "numbers with a thousands separator in size: --thousands . reads them; so add --thousands ." in said
    )
    said = bad(here("train", "data", "--path", write(tmp_path / "b.csv", "|", "", "."), *TINY))
    assert (
        "but bars: values must have commas between them, so save it so, or name them with --separator" in said
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"separator": "ab"}, "separator is 'ab': it must be one character, or tab"),
        ({"separator": "@"}, "separator is '@', but"),
        ({"decimal": "x"}, "decimal is 'x': it must be . or a comma"),
        ({"thousands": "x"}, "thousands is 'x': it must be one of"),
        ({"decimal": ",", "thousands": ","}, "--thousands is ',', as the decimal mark is"),
    ],
)
def test_impossible_options_give_one_line(tmp_path, options, said):
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    path = write(tmp_path / "t.csv", ";", "", ".")
    assert said in bad(here("train", "data", "--path", path, *flags, *TINY))


CITIES = 'Stadt;"größe";a\nKöln;1,5;2\nMünchen;2;3\nÅrhus;3;1\n'
ENCODINGS = [("cp1252", "cp1252"), ("latin-1", "ISO-8859-1"), ("utf-16", "utf-16"), ("utf-8-sig", "utf-8")]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
@pytest.mark.parametrize(("written", "encoding"), ENCODINGS)
def test_letters_of_other_encodings(tmp_path, name, written, encoding):
    raw = CITIES.encode(written)
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    found = read_file(tmp_path / name, ReadOptions(encoding=encoding, text="one-hot"))
    assert found.origin.schema.features == ("Stadt=Köln", "Stadt=München", "Stadt=Århus", "größe", "a")
    assert Schema.from_json(found.origin.schema.to_json()).encoding == encoding
    np.testing.assert_array_equal(found.y, [[1, 0, 0, 1.5, 2], [0, 1, 0, 2, 3], [0, 0, 1, 3, 1]])


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("ascii", "t.csv is not in ascii: name its encoding with --encoding"),
        ("utf-16", "t.csv is not in utf-16: name its encoding with --encoding"),
        ("rot13", "encoding is 'rot13': it must be one that Python knows, such as cp1252 or utf-16"),
        ("", "encoding is '': it must be one that Python knows, such as cp1252 or utf-16"),
    ],
)
def test_a_wrong_encoding_is_named(tmp_path, encoding, said):
    (tmp_path / "t.csv").write_bytes(CITIES.replace(",", ".").encode("cp1252"))
    with pytest.raises(ValueError, match=re.escape(said)):
        read_file(tmp_path / "t.csv", ReadOptions(encoding=encoding, id_column="Stadt"))


def test_another_file_is_read_in_the_same_way(tmp_path):
    path, run = write(tmp_path / "t.csv", "|", "'", "."), tmp_path / "run"
    flags = ["--separator", "|", "--thousands", "'"]
    assert here("train", "data", "--path", path, *flags, *TINY, "--run-dir", run).status == 0
    other = write(tmp_path / "u.csv", "|", "'", ".")
    for given in ([], [other]):
        said = here("predict", run, *given, "--keep-columns", "-o", tmp_path / "out.csv")
        assert said.status == 0, said.err
        first = (tmp_path / "out.csv").read_text().splitlines()[1]
        assert first.startswith("1000.5,0.5,")


def test_thousands_beside_text_stay_numbers(tmp_path):
    path = tmp_path / "t.csv"
    lines = "".join(f"{i}.{500 + i},25;{i % 7},5;{'xy'[i % 2]}\n" for i in range(1, 41))
    path.write_text("a;b;t\n" + lines, encoding="cp1252")
    said = bad(here("train", "data", "--path", path, *TINY))
    assert said.endswith("add --thousands . --text one-hot\n")
    options = {"thousands": ".", "text": "one-hot"}
    data = read_file(path, ReadOptions(**options))
    assert data.y.shape == (40, 4)
    np.testing.assert_allclose(data.y[:, 0], [1000 * i + 500 + i + 0.25 for i in range(1, 41)])


@pytest.mark.parametrize(
    ("name", "text", "flags"),
    [
        ("t.tsv", "a\tb\n" + "".join(f"{i},5\t{i % 7},25\n" for i in range(30)), "--decimal ,"),
        ("t.csv", "a,b\n" + "".join(f'"{i},5","{i % 7}"\n' for i in range(30)), "--decimal ,"),
        (
            "t.csv",
            "a;b\n" + "".join(f"{i}\u202f50{i % 10},5;{i % 7},25\n" for i in range(1, 31)),
            "--thousands ' '",
        ),
        (
            "t.tsv",
            "a\tb\n" + "".join(f"{i}.50{i % 10},5\t{i % 7}\n" for i in range(1, 31)),
            "--decimal , --thousands .",
        ),
    ],
)
def test_numbers_of_other_countries_are_read_by_the_flags_of_the_complaint(tmp_path, name, text, flags):
    path = tmp_path / name
    path.write_text(text)
    said = bad(here("train", "data", "--path", path, *TINY))
    assert said.endswith(f"add {flags}\n")
    run = here("train", "data", "--path", path, *TINY, *shlex.split(flags), "--run-dir", tmp_path / "run")
    assert run.status == 0, run.err
    assert "30 observations of shape (2,)" in run.out


def test_points_between_thousands_beside_decimal_commas_are_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n" + "".join(f"{i}.036;{i % 7},5\n" for i in range(1, 31)))
    said = bad(here("train", "data", "--path", path, *TINY))
    assert said.endswith("points between thousands, which --thousands . reads; so add --thousands .\n")
    np.testing.assert_allclose(read_file(path, ReadOptions(thousands=".")).y[:2], [[1036, 1.5], [2036, 2.5]])
