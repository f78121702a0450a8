"""Tables in files that are refused: one line each, that names what is wrong and what to do."""

import gzip
import pickle
import re
import shlex

import numpy as np
import pyarrow as pa
import pytest
from commands import bad, here
from pyarrow import ipc, parquet
from written import complaint, features, sample

from gmvae.data.files import separated
from gmvae.data.files.open import open_source
from gmvae.data.schema import ReadOptions

ONE_HOT = ReadOptions(text="one-hot")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "t.csv is empty: it must have a line of names, and rows below it"),
        (b"\n\n", "t.csv is empty"),
        ("a,b\n1\n", "t.csv has 1 values in row 2, counted with the line of names: it must have 2"),
        ("a,b\n1,2\n1,2,3\n", "t.csv has 3 values in row 3"),
        ("a,a,b\n1,2,3\n", "t.csv has more than one column a: rename all but one"),
        ("a;b\n1,5;2\n3;4.5\n", "t.csv has 1,5 and 4.5: the decimal mark must be a comma"),
        ("a;b\n1,5;2\n1.234,5;3\n", "t.csv has numbers with a thousands separator in a: --thousands ."),
        ("0.3;0.1;0.7\n1;2;3\n", "t.csv has numbers in its first line, 0.3, 0.1, 0.7, ...: the first line"),
        ("0,3;0,1;0,7\n1;2;3\n", "t.csv has numbers in its first line, 0.3, 0.1, 0.7"),
        ("a|b\n1|2\n", "t.csv has no commas in its first line, but bars"),
        ("a\tb\n1\t2\n", "but tabs: values must have commas between them, so name it .tsv"),
        (
            "a,é\n1,2\n".encode("latin-1"),
            "t.csv has letters that are not UTF-8: name its encoding, often cp1252, with --encoding",
        ),
        ("a,b\n1,é\n".encode("latin-1"), "t.csv has letters that are not UTF-8: name its"),
        (
            "a,b\n1,2\n".encode("utf-16"),
            "t.csv has letters in UTF-16: name it with --encoding utf-16; so add --encoding utf-16",
        ),
        (b"PK\x03\x04rest", "t.csv is not text: it must be a table with commas"),
        (pickle.dumps([1]), "t.csv is not text"),
        (
            "0.3,0.1,0.7\n1,2,3\n",
            "t.csv has numbers in its first line, 0.3, 0.1, 0.7, ...: the first line must",
        ),
        ('a,b\n1,"2\n' + "1,2\n" * 99, "t.csv has a row of more than 0 MB: look for a quotation mark"),
        (
            "a,b\n1,2020-01-31\n",
            "dates or times in b ('2020-01-31'); make numbers of them, such as days, or leave",
        ),
        ("a,b,c\n1,x,y\n", "t.csv has columns of text: b, c; make 0/1 features of them with --text one-hot"),
        (
            "a,b\n1,inf\n",
            "t.csv has infinite numbers in 1 of 1 rows, first inf in row 0 of column b, counted",
        ),
        (
            "\n".join(["a,b", *["1,2"] * 3, ",3", "4,", ","]),
            "t.csv has missing values in 3 of 6 rows, first in row 3",
        ),
        (",a\n0,\n1,5\n", "first in row 0 counted from 0, in columns a (1): train with --missing impute"),
    ],
)
def test_text_that_is_no_table_is_refused(write, monkeypatch, content, said):
    monkeypatch.setattr(separated, "BLOCK", 128)
    assert said in complaint(write(content))


def test_infinite_numbers_are_reported_with_all_other_problems(write):
    rows = "".join(f"{i / 7},{'xy'[i % 2]},{'' if i == 4 else i}\n" for i in range(9))
    path = write("a,t,b\n" + rows + "-inf,x,inf\n1,y,inf\n")
    said = complaint(path)
    assert "columns of text: t; make 0/1 features" in said
    assert "missing values in 1 of 11 rows, first in row 4 counted from 0, in columns b (1): train" in said
    infinite = (
        "infinite numbers in 2 of 11 rows, first -inf in row 9 of column a, counted from 0, in columns "
        "b (2), a (1): remove these rows"
    )
    assert infinite in said
    assert said.endswith("add --text one-hot --missing impute")
    mended = complaint(path, ReadOptions(text="one-hot", missing="impute"))
    assert mended.startswith(f"t.csv has {infinite}")


@pytest.mark.parametrize(
    ("raw", "name", "flags"),
    [
        (
            "a\tb\tt\n" + "".join(f"{i},5\t{i}\t{'xü'[i % 2]}\n" for i in range(9)), "utf-16 t.csv",
            "--encoding utf-16 --separator tab --decimal , --text one-hot",
        ),
        ("a\tb\n1\t\n2\t3\n", "utf-16 t.txt", "--encoding utf-16 --missing impute"),
        (
            "größe;b\n" + "".join(f"{i}.50{i},5;{i}\n" for i in range(1, 9)), "cp1252 t.csv",
            "--encoding cp1252 --thousands .",
        ),
        (
            "a;b;t\n" + "".join(f"{i}\xa050{i};{i};{'xü'[i % 2]}\n" for i in range(1, 9)), "cp1252 t.csv",
            "--encoding cp1252 --thousands ' ' --text one-hot",
        ),
        (
            "a\tb\n" + "".join(f"{i}.50{i},5\t{i},25\n" for i in range(1, 9)), "utf-8 t.csv",
            "--separator tab --decimal , --thousands .",
        ),
        (
            "a;b;t\n" + "".join(f"{i}.036;{i},5;{'xy'[i % 2]}\n" for i in range(1, 9)), "utf-8 t.csv",
            "--thousands . --text one-hot",
        ),
    ],
)  # fmt: skip
def test_one_complaint_names_all_flags(write, raw, name, flags):
    encoding, name = name.split()
    path = write(raw.encode(encoding), name)
    said = complaint(path)
    assert said.endswith(f"add {flags}")
    words = shlex.split(flags)
    options = dict(zip([word.removeprefix("--") for word in words[::2]], words[1::2], strict=True))
    assert np.isfinite(features(path, ReadOptions(**options))[0]).all()


def test_a_wrong_guess_of_the_encoding_is_no_flag(write):
    said = complaint(write(b"t,b\n\x81\x8d,1\n"))
    assert said == "t.csv has letters that are not UTF-8: name its encoding, often cp1252, with --encoding"


@pytest.mark.parametrize(
    ("spell", "said"),
    [
        (lambda i: f"{i} %", "numbers with % in a ('0 %' in row 0), rows counted from 0; remove % there"),
        (lambda i: f"{i}.5%" if i else "", "numbers with % in a ('1.5%' in row 1)"),
        (lambda i: f"€ {i},50", "numbers with € in a ('€ 0,50' in row 0)"),
        (lambda i: f"{i},50 €", "numbers with € in a ('0,50 €' in row 0)"),
        (lambda i: f"${i}.20" if i % 2 else f"{i}", "numbers with $ in a ('$1.20' in row 1)"),
        (lambda i: f"EUR {i}.20", "numbers with EUR in a ('EUR 0.20' in row 0)"),
        (lambda i: f"{i} kg", "numbers with kg in a ('0 kg' in row 0)"),
    ],
)
def test_percents_and_currencies_are_named(write, spell, said):
    path = write("a;b\n" + "".join(f"{spell(i)};{i % 7}\n" for i in range(20)))
    line = complaint(path)
    assert said in line
    assert line.endswith("; so add --drop a" + " --missing impute" * ("missing values" in line))


def test_numbers_with_several_units_are_texts(write):
    path = write("a,b\n" + "".join(f"{i}{['st', 'nd', 'th'][i % 3]},{i % 7}\n" for i in range(20)))
    assert "numbers with" not in complaint(path)


def test_damaged_packed_files_are_named(write):
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 50)
    assert "t.csv.gz is not a complete" in complaint(write(whole[:-12], "t.csv.gz"))
    assert "t.csv.gz is not a complete .gz file" in complaint(write(b"a,b\n1,2\n", "t.csv.gz"))
    assert "ends in '.gz': it must be one of .csv" in complaint(write(whole, "t.parquet.gz"))


def test_names_that_are_no_columns_get_suggestions(write):
    path = write("id,one,two,three,kind\nr0,0,0,0,0\n")
    for options, said in (
        (ReadOptions(columns=("thre",)), "t.csv has no column 'thre' (--columns, did you mean three?)"),
        (
            ReadOptions(drop=("zzzzz",)),
            "t.csv has no column 'zzzzz' (--drop): it has id, one, two, three, kind",
        ),
        (
            ReadOptions(label_column="Kind"),
            "t.csv has no column 'Kind' (--label-column, did you mean kind?)",
        ),
        (ReadOptions(id_column="ID "), "t.csv has no column 'ID ' (--id-column, did you mean id or kind?)"),
        (
            ReadOptions(columns=("one", "TWO"), drop=("x", "y"), id_column="Id", weight_column="vvv"),
            "t.csv has no column 'TWO' (--columns, did you mean two?), 'x' (--drop), 'y' (--drop), "
            "'Id' (--id-column, did you mean id?), 'vvv' (--weight-column): it has id, one, two, three, kind",
        ),
        (
            ReadOptions(drop=("ONE",), id_column="cluster", layer="counts"),
            "t.csv has no column 'ONE' (--drop, did you mean one?), 'cluster' (--id-column): it has id, one, "
            "two, three, kind; and no layer, but --layer is 'counts': only .h5ad files and Zarr stores have "
            "layers; and an id column 'cluster', but predictions have a column of that name: rename it",
        ),
        (
            ReadOptions(columns=("one",), drop=("one",)),
            "has no column to take as a feature: it has id, one, two",
        ),
    ):
        assert said in complaint(path, options)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.arrow"])
def test_columns_of_one_name_are_refused_only_if_they_are_used(write, tmp_path, name):
    table = pa.table([pa.array([0.5, 1.5])] * 2 + [pa.array([2.5, 3]), ["x", "y"]], ["a", "a", "b", "t"])
    path = tmp_path / name
    if name == "t.csv":
        write("a,a,b,t\n0.5,0.5,2.5,x\n1.5,1.5,3,y\n")
    elif name == "t.parquet":
        parquet.write_table(table, path)
    else:
        with ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    said = "has more than one column a: rename all but one, or leave them out with --drop"
    for options in (ReadOptions(), ReadOptions(columns=("a", "b")), ReadOptions(id_column="a", drop=("t",))):
        assert said in complaint(path, options)
    used = ReadOptions(columns=("b", "t"), text="one-hot")
    for options in (used, ReadOptions(drop=("a",), text="one-hot")):
        np.testing.assert_array_equal(features(path, options)[0], [[2.5, 1, 0], [3, 0, 1]])
    np.testing.assert_array_equal(features(path, ReadOptions(columns=("b",)))[0], [[2.5], [3]])


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.arrow", "t.npy"])
@pytest.mark.parametrize("flags", [[], ["--missing", "impute"], ["--text", "one-hot"]])
def test_files_without_rows_are_named(tmp_path, name, flags):
    table = pa.table({"a": pa.array([], pa.float64()), "b": pa.array([], pa.float64())})
    path = tmp_path / name
    if name == "t.npy":
        np.save(path, np.zeros((0, 2)))
    elif name == "t.csv":
        path.write_text("a,b\n")
    elif name == "t.parquet":
        parquet.write_table(table, path)
    else:
        with ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    said = bad(here("train", "data", "--path", path, *flags))
    assert said == f"gmvae: {path} has no rows: it must have at least two\n"


def test_binary_files_that_are_damaged_are_named(tmp_path, write):
    sample(2000).to_parquet(tmp_path / "whole.parquet")
    sample(2000).to_feather(tmp_path / "whole.arrow")
    for kind, said in (
        ("parquet", "not a complete Parquet file"),
        ("arrow", "not a complete Arrow or Feather file"),
    ):
        whole = (tmp_path / f"whole.{kind}").read_bytes()
        for damaged in (
            whole[:-20],
            whole[: len(whole) // 2],
            b"\x89PNG\r\n" + b"x" * 99,
            pickle.dumps([1] * 9),
        ):
            assert said in complaint(write(damaged, f"t.{kind}"))
        assert "t." in complaint(write(b"", f"t.{kind}"))
    assert "t.feather is Feather version 1: write it again as version 2" in complaint(
        write(b"FEA1" + b"\0" * 40 + b"FEA1", "t.feather")
    )
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path / "none.csv")
    assert "t.xlsx ends in '.xlsx': it must be one of .csv, .tsv" in complaint(write("a", "t.xlsx"))


def test_false_lengths_in_an_arrow_file_do_no_harm(tmp_path, write):
    words = pa.record_batch({"a": [1.0, 2.0], "t": ["xx", "yy"]})
    with ipc.new_file(tmp_path / "whole.arrow", words.schema) as file:
        file.write_batch(words)
    whole = (tmp_path / "whole.arrow").read_bytes()
    offsets = np.array([0, 2, 4], dtype="<i4").tobytes()
    assert whole.count(offsets) == 1
    lying = whole.replace(offsets, np.array([0, 2, 1 << 30], dtype="<i4").tobytes())
    assert "t.arrow is not a complete Arrow or Feather file" in complaint(write(lying, "t.arrow"), ONE_HOT)


R_TABLE = '"a" "b" "kind"\n' + "".join(f'"{i + 1}" {i}.5 {i % 7} "{"xy"[i % 2]}"\n' for i in range(30))


@pytest.mark.parametrize("names", ["numbers", "texts"])
def test_a_table_of_r_needs_its_separator_only(write, names):
    text = R_TABLE if names == "numbers" else re.sub(r'^"(\d+)"', r'"row \1"', R_TABLE, flags=re.MULTILINE)
    path = write(text, "t.txt")
    said = complaint(path)
    assert said.startswith("t.txt has no tabs in its first line, but spaces: values must have tabs between")
    assert said.endswith("add --separator ' ' --text one-hot")
    options = ReadOptions(separator=" ", text="one-hot")
    assert open_source(path).schema(options).features == ("a", "b", "kind=x", "kind=y")
    i = np.arange(30)
    np.testing.assert_array_equal(features(path, options)[0], np.stack([i + 0.5, i % 7, 1 - i % 2, i % 2], 1))
    ids = features(path, ReadOptions(separator=" ", id_column="", drop=("kind",)))[1]
    assert ids[-1] == ("30" if names == "numbers" else "row 30")


@pytest.mark.parametrize(
    "rows",
    [
        ["1.5,2,3", "2.5,3,4"],  # a name is missing, and the first column is no name of a row
        ["x,2,3", "x,3,4"],
        ["1,2,", "2,3,"],  # each row ends in a comma, so no name is missing
        ["1,2,3", "2,3,4,5"],
    ],
)
def test_rows_with_more_values_than_names_are_refused(write, rows):
    assert "t.csv has 3 values in row 2, counted with the line of names: it must have 2" in complaint(
        write("\n".join(["a,b", *rows]) + "\n")
    )


def test_errors_below_rows_with_names_count_the_rows(write):
    text = "a,b\n" + "".join(f"{i + 1},{i},{i}\n" for i in range(30)) + "31,1\n"
    assert "t.csv has 2 values in row 32, counted with the line of names: it must have 3" in complaint(
        write(text)
    )


def test_dates_are_named(write):
    rows = "".join(f"{1 + i % 28:02d}.03.2021,2021/3/{1 + i % 28} 9:00,{i}\n" for i in range(30))
    said = complaint(write("a,b,c\n" + rows))
    assert (
        "dates or times in a ('01.03.2021'), b ('2021/3/1 9:00'); make numbers of them, such as days, or"
        in said
    )
    assert said.endswith("add --drop a b")
    assert "dates" not in complaint(write("a,c\n" + "".join(f"1.2.{i},{i}\n" for i in range(30))))  # versions


def test_a_column_of_remarks_with_gaps_is_left_out(write):
    rows = "".join(
        f"{i % 7},{'' if i % 2 else f'call {i}'},{'xy'[i % 2] if i > 2 else ''}\n" for i in range(40)
    )
    said = complaint(write("a,remark,t\n" + rows))
    assert "text that differs from row to row in remark; leave it out" in said
    assert "missing values in 3 of 40 rows, first in row 0 counted from 0, in columns t (3)" in said
    assert said.endswith("add --drop remark --text one-hot --missing impute")


def test_null_of_sql_is_missing(write):
    path = write("a\tt\n1\t\\N\n\\N\tx\n3\tx\n", "t.tsv")
    assert "missing values in 2 of 3 rows, first in row 0" in complaint(path)
    options = ReadOptions(text="one-hot", missing="impute")
    np.testing.assert_array_equal(features(path, options)[0], [[1, 1], [2, 1], [3, 1]])


def test_names_that_occur_twice_are_named_with_all_else(write):
    rows = "".join(f"{i},{i},{'' if i == 3 else i},{'xy'[i % 2]}\n" for i in range(20))
    path = write("a,a,b,t\n" + rows)
    said = complaint(path)
    for part in ("more than one column a: rename", "columns of text: t; make", "missing values in 1 of 20"):
        assert part in said
    assert said.endswith(". For all of this, add --drop a --text one-hot --missing impute")
    mended = ReadOptions(drop=("a",), text="one-hot", missing="impute")
    assert open_source(path).schema(mended).features == ("b", "t=x", "t=y")


def test_each_complaint_about_a_file_is_a_sentence(write):
    said = complaint(write("id,t,b\n" + "".join(f"r{i},{'xy'[i % 2]},{i}\n" for i in range(20))))
    assert said == (
        "t.csv has columns of text: t; make 0/1 features of them with --text one-hot, or leave them out with "
        "--drop. It has a different text in each row of id; use it as the --id-column, or leave it out with "
        "--drop. For all of this, add --id-column id --text one-hot"
    )
