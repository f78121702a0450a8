"""Tables in files that are refused: one line each, that names what is wrong and what to do."""

import gzip
import pickle

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import ipc
from written import complaint, sample

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
        ("0,3;0,1;0,7\n1;2;3\n", "t.csv has 1 values in row 2"),
        ("a|b\n1|2\n", "t.csv has no commas in its first line, but bars"),
        ("a\tb\n1\t2\n", "but tabs: values must have commas between them, so name it .tsv"),
        (
            "a,é\n1,2\n".encode("latin-1"),
            "t.csv has letters that are not UTF-8: name its encoding, often cp1252, with --encoding",
        ),
        ("a,b\n1,é\n".encode("latin-1"), "t.csv has letters that are not UTF-8: name its"),
        ("a,b\n1,2\n".encode("utf-16"), "t.csv is in UTF-16: name it with --encoding utf-16"),
        (b"PK\x03\x04rest", "t.csv is not text: it must be a table with commas"),
        (pickle.dumps([1]), "t.csv is not text"),
        (
            "0.3,0.1,0.7\n1,2,3\n",
            "t.csv has numbers in its first line, 0.3, 0.1, 0.7, ...: the first line must",
        ),
        ('a,b\n1,"2\n' + "1,2\n" * 99, "t.csv has a row of more than 0 MB: look for a quotation mark"),
        ("a,b\n1,2020-01-31\n", "neither numbers nor text: b (date32[day]); leave them out with --drop"),
        ("a,b,c\n1,x,y\n", "t.csv has columns of text: b, c; make 0/1 features of them with --text one-hot"),
        ("a,b\n1,inf\n", "t.csv, in rows 0 to 0: column b has an infinite number, inf: remove or fill it"),
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


def test_damaged_packed_files_are_named(write):
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 50)
    assert "t.csv.gz is not a complete" in complaint(write(whole[:-12], "t.csv.gz"))
    assert "t.csv.gz is not a complete .gz file" in complaint(write(b"a,b\n1,2\n", "t.csv.gz"))
    assert "ends in '.gz': it must be one of .csv" in complaint(write(whole, "t.parquet.gz"))


def test_names_that_are_no_columns_get_suggestions(write):
    path = write("id,one,two,three,kind\nr0,0,0,0,0\n")
    for options, said in (
        (ReadOptions(columns=("thre",)), "columns has 'thre', which t.csv does not have: did you mean three"),
        (
            ReadOptions(drop=("zzzzz",)),
            "drop has 'zzzzz', which t.csv does not have: it has id, one, two, three, kind",
        ),
        (
            ReadOptions(label_column="Kind"),
            "label column has 'Kind', which t.csv does not have: did you mean kind or id?",
        ),
        (ReadOptions(id_column="ID "), "id column has 'ID '"),
        (
            ReadOptions(columns=("one",), drop=("one",)),
            "has no column to take as a feature: it has id, one, two",
        ),
    ):
        assert said in complaint(path, options)


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
