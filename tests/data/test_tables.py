"""Tables in files: every format compared with the pandas table that was written."""

import json
import subprocess
import sys
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from written import WRITERS, complaint, features, sample

from gmvae.data.files import separated
from gmvae.data.files.open import open_source
from gmvae.data.frame import encoded
from gmvae.data.schema import ReadOptions, Schema

OPTIONS = ReadOptions(id_column="id", label_column="kind")
ONE_HOT = ReadOptions(text="one-hot")
IMPUTE = ReadOptions(missing="impute")


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_what_was_written(tmp_path, name):
    table = sample()
    WRITERS[name](table, tmp_path / name)
    y, ids, labels = features(tmp_path / name, OPTIONS, rows=4)
    np.testing.assert_array_equal(y, table[["a", "b", "c"]].to_numpy(np.float64))
    assert ids == table["id"].tolist()
    assert list(map(int, labels)) == table["kind"].tolist()


@pytest.mark.parametrize("name", WRITERS)
def test_a_new_file_may_have_another_format_order_and_more_columns(tmp_path, name):
    table = sample()
    table.to_parquet(tmp_path / "first.parquet", index=False)
    schema = open_source(tmp_path / "first.parquet").schema(OPTIONS)
    other = table.assign(when="x")[["when", "c", "kind", "b", "a"]]
    WRITERS[name](other, tmp_path / name)
    y, ids, labels = features(tmp_path / name, schema=Schema.from_json(schema.to_json()))
    np.testing.assert_array_equal(y, table[["a", "b", "c"]].to_numpy(np.float64))
    assert (ids, list(map(int, labels))) == ([], table["kind"].tolist())
    WRITERS[name](table[["a", "c"]], tmp_path / f"less {name}")
    assert "has no column b: the model was trained on it" in complaint(
        tmp_path / f"less {name}", None, schema
    )


def test_files_without_names_are_read_by_place(tmp_path):
    table = sample()[["a", "b", "c"]].astype(float)
    table["a"] = table["a"].where(table["a"] > 0)
    table.to_csv(tmp_path / "t.csv", index=False)
    np.save(tmp_path / "t.npy", table.to_numpy())
    expected = table.fillna(table.mean()).to_numpy()
    from_names = open_source(tmp_path / "t.csv").schema(IMPUTE)
    from_places = open_source(tmp_path / "t.npy").schema(IMPUTE)
    for name, schema in (("t.npy", from_names), ("t.csv", from_places)):
        np.testing.assert_allclose(features(tmp_path / name, schema=schema)[0], expected, rtol=1e-12)
    table.assign(id="x", kind=1).to_csv(tmp_path / "more.csv")
    beside = Schema(**{**from_places.to_json(), "id_column": "id", "label_column": "kind"})
    y, ids, labels = features(tmp_path / "more.csv", schema=beside)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert (set(ids), set(labels)) == ({"x"}, {"1"})
    assert "has 5 columns, and the model was trained on 3: without names in" in complaint(
        tmp_path / "more.csv", None, from_places
    )
    subset = open_source(tmp_path / "t.npy").schema(ReadOptions(columns=("2", "1")))
    np.testing.assert_array_equal(features(tmp_path / "t.csv", schema=subset)[0], table[["c", "b"]])
    # the names that samples have
    named = table.set_axis(["y0", "y1", "y2"], axis=1)[["y2", "y0", "y1"]].assign(cluster=1)
    named.to_csv(tmp_path / "samples.csv", index=False)
    y = features(tmp_path / "samples.csv", schema=from_places)[0]
    np.testing.assert_allclose(y, expected, rtol=1e-12)


def test_types_do_not_depend_on_the_first_rows(write, monkeypatch):
    monkeypatch.setattr(separated, "BLOCK", 256)
    rows = 60
    text = "id,whole,late,label,word\n" + "".join(
        f"{i:04d},{i + (0.5 if i > 40 else 0)},{i if i > 40 else ''},{i if i < 50 else 'x'},"
        f"{i % 3 if i < 50 else 'w'}\n"
        for i in range(rows)
    )
    path = write(text)
    options = ReadOptions(id_column="id", label_column="label", missing="impute", text="one-hot")
    schema = open_source(path).schema(options)
    assert schema.features == ("whole", "late", "word=0", "word=1", "word=2", "word=w")
    y, ids, labels = features(path, options)
    assert ids == [f"{i:04d}" for i in range(rows)]
    assert labels == [str(i) if i < 50 else "x" for i in range(rows)]
    number = np.arange(rows)
    np.testing.assert_array_equal(y[:, 0], number + 0.5 * (number > 40))
    np.testing.assert_array_equal(y[:, 1], np.where(number > 40, number, np.arange(41, rows).mean()))
    np.testing.assert_array_equal(y[:, 5], number >= 50)
    assert (
        "has 'w' in column word in row 52, counted with the line of names: it must be a number"
        in complaint(path, ReadOptions(id_column="id", label_column="label", drop=("late",)))
    )


@pytest.mark.slow
def test_whole_numbers_then_fractions_after_megabytes(write):
    rows = 400_000
    path = write("a,b\n" + "123456,7\n" * rows + "3.5,8\n")
    y, *_ = features(path)
    assert (len(y), y[-1].tolist(), y[:-1].std(0).tolist()) == (rows + 1, [3.5, 8], [0, 0])


def test_true_and_false_are_numbers_in_text_too(write, monkeypatch):
    y, *_ = features(write("a,b\nTrue,false\nFalse,\n"), IMPUTE)
    np.testing.assert_array_equal(y, [[1, 0], [0, 0]])
    monkeypatch.setattr(separated, "BLOCK", 128)
    said = complaint(write("a,b\n" + "True,1\n" * 40 + "x,2\n"))
    assert "has 'x' in column a in row 42, counted with the line of names: it must be true, false" in said


@pytest.mark.parametrize("gap", separated.NONE)
def test_spellings_of_a_missing_value(write, gap):
    path = write(f"id,a,b,t\nNA,1,2,u\n{gap},{gap},4,{gap}\nx,5,6,v\n")
    options = ReadOptions(id_column="id", text="one-hot", label_column="b", missing="impute")
    y, ids, _ = features(path, options)
    np.testing.assert_array_equal(y, [[1, 1, 0], [3, 0.5, 0.5], [5, 0, 1]])
    assert ids == ["NA", gap, "x"]


def test_quotes_line_ends_and_byte_order_marks(write):
    y, ids, _ = features(
        write(b'\xef\xbb\xbfid,"a, b",c\r\n"x\r\ny","1",2\r\n"say ""z""", 3 ,4e-1\r\n'),
        ReadOptions(id_column="id"),
    )
    np.testing.assert_array_equal(y, [[1, 2], [3, 0.4]])
    assert ids == ["x\r\ny", 'say "z"']


@pytest.mark.parametrize("decimal", [",", "."])
def test_semicolons_separate_values_if_there_are_no_commas(tmp_path, decimal):
    """As spreadsheets write tables in countries that use decimal commas, and in others."""
    table = pd.DataFrame({"a": [1.5, -2.25, 1e-9, 3.0], "b": [1, 2, 3, 4], "kind": ["x;y", "z", "z", "x;y"]})
    table.to_csv(tmp_path / "t.csv", sep=";", decimal=decimal, index=False)
    table.to_csv(tmp_path / "plain.csv", index=False)
    options = ReadOptions(columns=("a", "b", "kind"), text="one-hot")
    found, *_ = features(tmp_path / "t.csv", options)
    np.testing.assert_array_equal(found[:, 0], table.a)
    np.testing.assert_array_equal(found, features(tmp_path / "plain.csv", options)[0])


def test_row_numbers_of_pandas_are_no_feature(tmp_path):
    table = sample()[["a", "b"]]
    table.to_csv(tmp_path / "t.csv")
    assert open_source(tmp_path / "t.csv").schema(ReadOptions()).columns == ("a", "b")
    pd.read_csv(tmp_path / "t.csv").to_csv(tmp_path / "u.csv", index=False)
    assert open_source(tmp_path / "u.csv").schema(ReadOptions()).columns == ("a", "b")
    table.iloc[::2].to_parquet(tmp_path / "t.parquet", index=True)
    assert open_source(tmp_path / "t.parquet").schema(ReadOptions()).columns == ("a", "b")
    chosen = open_source(tmp_path / "u.csv").schema(ReadOptions(columns=("b", "Unnamed: 0", "b")))
    assert chosen.columns == ("b", "Unnamed: 0")


def test_a_header_alone_is_a_table_without_rows(write):
    source = open_source(write("a,b\n"))
    schema = source.schema(ReadOptions())
    assert (schema.columns, [len(block.y) for block in source.blocks(schema)]) == (("a", "b"), [])


def test_columns_are_chosen_by_name(write):
    path = write("id,one,two,three,kind\n" + "".join(f"r{i},{i},{2 * i},{3 * i},{i % 2}\n" for i in range(5)))
    y, ids, labels = features(path, ReadOptions(("three", "one"), id_column="id", label_column="kind"))
    np.testing.assert_array_equal(y, np.outer(range(5), [3, 1]))
    assert (ids, labels) == ([f"r{i}" for i in range(5)], ["0", "1", "0", "1", "0"])
    assert open_source(path).schema(ReadOptions(drop=("two", "id"))).columns == ("one", "three", "kind")


@pytest.mark.parametrize("name", WRITERS)
def test_text_becomes_what_get_dummies_makes(tmp_path, name):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"t": rng.choice(["b", "Ä", "a,\nb", "Z"], 40), "n": rng.normal(size=40)})
    table["u"] = pd.Series(rng.choice(["no", "yes"], 40)).astype("category")
    WRITERS[name](table, tmp_path / name)
    options = ReadOptions(("n", "t", "u"), text="one-hot")
    expected = pd.get_dummies(table[["n", "t", "u"]], prefix_sep="=")
    assert open_source(tmp_path / name).schema(options).features == tuple(expected.columns)
    np.testing.assert_array_equal(features(tmp_path / name, options)[0], expected.to_numpy(float))


def test_unseen_text_is_encoded_by_shares(write):
    path = write("a,t\n1,x\n2,y\n2,y\n2,y\n")
    schema = open_source(path).schema(ONE_HOT)
    np.testing.assert_array_equal(
        features(write("t,a\nz,3\ny,4\n"), schema=schema)[0], [[3, 0.25, 0.75], [4, 0, 1]]
    )
    assert (
        "t.csv has missing values in 1 of 2 rows, first in row 1 counted from 0, in columns t (1)"
        in complaint(write("t,a\nz,3\n,4\n"), None, schema)
    )
    many = write("a,t\n" + "".join(f"{i},w{i % 101}\n" for i in range(102)))
    assert "t.csv has more than 100 different texts in column t: leave it out with --drop" in complaint(
        many, ONE_HOT
    )


def test_missing_numbers_take_the_mean_of_the_training_file(write):
    path = write("a,b\n1,\n,4\n6,10\n")
    schema = open_source(path).schema(IMPUTE)
    assert schema.fill == {"a": 3.5, "b": 7.0}
    np.testing.assert_array_equal(features(path, IMPUTE)[0], [[1, 7], [3.5, 4], [6, 10]])
    np.testing.assert_array_equal(
        features(write("a,b\n,100\n200,\n"), schema=schema)[0], [[3.5, 100], [200, 7]]
    )
    assert "t.csv has no value at all in column b: leave it out with --drop" in complaint(
        write("a,b\n1,\n"), IMPUTE
    )
    assert "in columns b (2), a (1): train" in complaint(write("a,b\n1,\n,\n5,6\n"))


def test_types_of_arrow_become_numbers_or_are_named(arrow):
    big = 2**62 + 1
    columns = {
        "half": pa.array([1.5, 2], pa.float16()),
        "money": pa.array([Decimal("1.25"), Decimal("-3")]),
        "big": pa.array([big, -big]),
        "unsigned": pa.array([2**64 - 1, 0], pa.uint64()),
        "coded": pa.array([7, 8]).dictionary_encode(),
        "yes": pa.array([True, False]),
    }
    expected = np.array([[1.5, 1.25, big, 2**64 - 1, 7, 1], [2, -3, -big, 0, 8, 0]], dtype=float)
    np.testing.assert_array_equal(features(arrow(columns))[0], expected)
    odd = {"when": pa.array([date(2020, 1, 1)] * 2), "many": pa.array([[1], []])}
    assert "has columns that are neither numbers nor text: many (lists); " in complaint(arrow(columns | odd))
    assert "dates or times in when ('2020-01-01'); make numbers" in complaint(arrow(columns | odd))
    schema = open_source(arrow(columns)).schema(ReadOptions(columns=("half",)))
    said = complaint(arrow({"half": odd["when"]}), None, schema)
    assert "t.parquet, in rows 0 to 1: column half must hold numbers, and holds dates" in said
    said = complaint(arrow({"half": pa.array(["1.5", "x"])}), None, schema)
    assert "column half must hold numbers, and has 'x'" in said
    assert "has no value at all in column half" in complaint(arrow({"half": pa.nulls(2)}))
    assert "t.parquet has missing values in 1 of 3 rows, first in row 1" in complaint(
        arrow({"a": pa.array([1, float("nan"), 2])})
    )


def test_files_of_polars_with_categories(tmp_path):
    frame = pl.DataFrame(
        {"t": ["a", None, "b"], "c": pl.Series(["v", "u", "v"], dtype=pl.Categorical), "n": [1, 2, 3]}
    )
    frame.write_ipc(tmp_path / "t.arrow")
    options = ReadOptions(text="one-hot", missing="impute")
    y, *_ = features(tmp_path / "t.arrow", options)
    expected = [[1, 0, 0, 1, 1], [0.5, 0.5, 1, 0, 2], [0, 1, 0, 1, 3]]  # half of the texts are a, half b
    np.testing.assert_array_equal(y, expected)
    schema = open_source(tmp_path / "t.arrow").schema(options)
    for table in (frame, frame.to_arrow(), frame.to_pandas(), frame.to_arrow().to_batches()[0]):
        np.testing.assert_array_equal(encoded(table, schema), expected)


def test_tables_in_memory_are_read_as_files_are():
    schema = Schema((2,), ("a", "b"), fill={"a": 5.0}, impute=True)
    frame = pd.DataFrame({"z": ["x", "y"], "b": [1, 2], "a": [None, 4.0]})
    for table in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        np.testing.assert_array_equal(encoded(table, schema), [[5, 1], [4, 2]])
    unnamed = Schema((2,))
    np.testing.assert_array_equal(encoded(pa.table({"q": [1, 2], "r": [3, 4]}), unnamed), [[1, 3], [2, 4]])
    array = np.ones((2, 2))
    assert encoded(array, schema) is array
    array[1, 0] = np.nan
    np.testing.assert_array_equal(encoded(array, schema), [[1, 1], [5, 1]])
    for table, said in (
        (pa.table({"q": [1]}), "X has 1 columns, and the model was trained on 2"),
        (frame[["a"]], "X has no column b: the model was trained on it"),
        (frame.assign(b=["x", 1]), "X has values of several types in column b, 1 and 'x': make"),
        (
            frame.assign(a=[np.inf, 1]),
            "X has infinite numbers in 1 of 2 rows, first inf in row 0 of column a",
        ),
    ):
        with pytest.raises(ValueError, match=said):
            encoded(table, unnamed if said.startswith("X has 1") else schema)
    with pytest.raises(ValueError, match="column a is there more than once"):
        schema.encode(pa.table([[1.0], [2.0], [3.0]], names=["a", "a", "b"]))


def test_a_schema_is_the_same_after_json(write):
    schema = open_source(write("a,t,k\n1,x,0\n,y,1\n")).schema(
        ReadOptions(text="one-hot", missing="impute", label_column="k")
    )
    again = Schema.from_json(json.loads(json.dumps(schema.to_json(), sort_keys=True)))
    assert again == schema
    assert (again.fill, again.categories, again.y_shape) == (
        {"a": 1.0, "t=x": 0.5, "t=y": 0.5},
        {"t": ("x", "y")},
        (3,),
    )
    for wrong in ({"impute": True}, schema.to_json() | {"more": 1}):
        with pytest.raises(TypeError, match=r"lacks|more"):
            Schema.from_json(wrong)


def test_parquet_files_of_a_folder_belong_together(tmp_path):
    (tmp_path / "parts").mkdir()
    for number, columns in enumerate((["a", "b"], ["b", "a"], ["a"])):
        sample(3)[columns].to_parquet(tmp_path / "parts" / f"{number}.parquet")
    path = tmp_path / "parts"
    assert "2.parquet has no column b, but" in complaint(path)
    (path / "2.parquet").unlink()
    (path / ".hidden.parquet").write_bytes(b"x")
    np.testing.assert_array_equal(features(path)[0], pd.concat([sample(3)[["a", "b"]]] * 2).to_numpy(float))
    assert open_source(path).count() == 6


def test_names_with_dots_are_whole_names(arrow):
    path = arrow({"a.b": [1.0], "a": [2.0], "a.b.c": [3.0]})
    np.testing.assert_array_equal(features(path, ReadOptions(columns=("a", "a.b")))[0], [[2, 1]])


MEASURE = """
import sys, pyarrow as pa
from pathlib import Path
from gmvae.data.files.open import open_source
from gmvae.data.schema import ReadOptions
def now(key): return int(next(l for l in open("/proc/self/status") if l.startswith(key)).split()[1]) / 1024
small, big = map(open_source, sys.argv[1:])
for block in small.blocks(small.schema(ReadOptions())): pass
before, total, rows = now("VmRSS"), 0.0, 0
for block in big.blocks(big.schema(ReadOptions())):
    total, rows = total + block.y.sum(), rows + len(block.y)
print(rows, total, now("VmHWM") - before, pa.default_memory_pool().max_memory() / 2**20)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_memory_does_not_grow_with_the_file(tmp_path, kind):
    rows = 2_000_000 if kind == "parquet" else 1_000_000
    values = np.random.default_rng(0).normal(size=(rows, 20))
    table = pa.table({f"c{i}": values[:, i] for i in range(20)})
    for name, part in (("small", table.slice(0, 1000)), ("big", table)):
        if kind == "csv":
            csv.write_csv(part, tmp_path / f"{name}.csv")
        else:
            parquet.write_table(part, tmp_path / f"{name}.parquet", row_group_size=rows)
    del table
    paths = [str(tmp_path / f"{name}.{kind}") for name in ("small", "big")]
    out = subprocess.run([sys.executable, "-c", MEASURE, *paths], capture_output=True, text=True, check=True)
    count, total, growth, pool = map(float, out.stdout.split())
    print(f"{kind}: grew by {growth:.0f} MB, Arrow held {pool:.0f} MB at most")
    assert (count, total) == (rows, pytest.approx(values.sum(), rel=1e-6))
    assert growth < 250  # the file has 320 MB or more
    assert pool < 200


def test_importing_the_package_is_light():
    code = "import sys, gmvae; print(*{'pyarrow', 'torch', 'numpy'} & {*sys.modules})"
    assert not subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip()
