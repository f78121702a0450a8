"""Categories: texts, and numbers that stand for them, become 0/1 features; dates and badly written numbers do
not."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from written import complaint, features

from gmvae.data.files import separated
from gmvae.data.files.open import open_source
from gmvae.data.frame import Frame, encoded
from gmvae.data.schema import ReadOptions

ONE_HOT = ReadOptions(text="one-hot")
CODES = [3, 1, 2, 1, 3, 2] * 2


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_categorical_numbers_are_categories(tmp_path, ending):
    table = pd.DataFrame({"a": np.arange(12.0), "zip": pd.Categorical(CODES)})
    table["size"] = pd.Categorical(CODES, ordered=True)
    table["sure"] = pd.Categorical([True, False] * 6)
    path = tmp_path / f"t.{ending}"
    getattr(table, f"to_{ending}")(path)
    for source in (open_source(path), Frame.of(table)):
        assert not getattr(source, "plain", False)
        with pytest.raises(ValueError, match="has columns of text: zip; make 0/1 features of them"):
            source.schema(ReadOptions())
        schema = source.schema(ONE_HOT)
        assert schema.features == ("a", "zip=1", "zip=2", "zip=3", "size", "sure")
        y = np.concatenate([block.y for block in source.blocks(schema)])
        np.testing.assert_array_equal(y[:, 1:4], np.equal.outer(CODES, [1, 2, 3]))
        np.testing.assert_array_equal(y[:, 4], CODES)
    # a model of numbers takes categories as numbers
    numbers = open_source(path).schema(ReadOptions(columns=("a", "size")))
    np.testing.assert_array_equal(encoded(table.assign(size=table["zip"]), numbers)[:, 1], CODES)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["01.03.2024", "02.03.2024"] * 20, "dates or times in b ('01.03.2024')"),
        (["low", *map(str, range(39))], "numbers mixed with text in b ('low' in row 0)"),
        ([*"12345678" * 4, "?"], "numbers mixed with text in b ('?' in row 32)"),
        ([*map(str, range(150)), "none"], "numbers mixed with text in b ('none' in row 150)"),
        (["k.A.", *(f"{i},{i}" for i in range(1, 30))], "numbers mixed with text in b ('k.A.' in row 0)"),
        ([f"{i / 7:.2f} %" for i in range(40)], "numbers with % in b ('0.00 %' in row 0)"),
        ([f"{i},5" for i in range(30)], "numbers"),
        ([f"w{i}" for i in range(11)], "a different text in each row of b"),
    ],
)
def test_dates_and_odd_numbers_are_no_categories(write, monkeypatch, texts, said):
    monkeypatch.setattr(separated, "BLOCK", 128)
    rows = "".join(f'{i / 3},"{text}"\n' for i, text in enumerate(texts))
    assert said in complaint(write("a,b\n" + rows), ONE_HOT)
    with pytest.raises(ValueError, match=re.escape(said)):
        Frame.of(pa.table({"b": texts})).schema(ONE_HOT)


@pytest.mark.parametrize("texts", [["0", "1", "2", "3+"] * 9, ["10%", "20%", "30%"] * 9, [*"ab1"] * 9])
def test_few_texts_among_numbers_are_categories(write, texts):
    rows = "".join(f"{i / 3},{text}\n" for i, text in enumerate(texts))
    y = features(write("a,b\n" + rows), ONE_HOT)[0]
    np.testing.assert_array_equal(y[:, 1:], pd.get_dummies(texts).to_numpy(float))


@pytest.mark.parametrize("word", ["NA", "null", "None"])
def test_a_word_that_a_csv_file_has_for_missing_is_a_text_of_a_model_that_knows_it(write, arrow, word):
    table = pa.table({"a": [1.0, 2.0, 3.0], "t": ["x", word, "x"]})
    frame = Frame.of(table)
    schema = frame.schema(ONE_HOT)
    assert schema.categories["t"] == tuple(sorted(["x", word]))
    expected = frame.numbers(schema)
    path = write(f"a,t\n1,x\n2,{word}\n3,x\n")
    for file in (path, arrow({name: table[name] for name in ("a", "t")})):
        np.testing.assert_array_equal(features(file, schema=schema)[0], expected)
    own = open_source(path).schema(ReadOptions(text="one-hot", missing="impute"))
    assert own.categories["t"] == ("x",)  # a CSV file has no other way to say that a value is missing
