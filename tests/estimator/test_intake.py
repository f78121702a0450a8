"""What Python alone can be given: arrays, tensors, lists, frames, and what is refused."""

from __future__ import annotations

import datetime
import re

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
    gaps,
    mixed,
    nothing,
    numbers,
    quick,
)
from commands import here
from sklearn.base import clone

import gmvae
from gmvae import GMVAE
from gmvae.data.schema import ReadOptions
from gmvae.estimator.intake import rows_of, taken


@pytest.mark.parametrize(
    ("table", "options", "said"),
    [
        (gaps()[["a", "b"]].to_numpy(), {}, "contains NaN, first in row 3, column 0, counted from 0"),
        (np.ma.masked_greater(numbers().to_numpy(), 9), {}, "masked values, which are missing: fill them"),
        (np.array(["2020-01-01"] * 9, "datetime64[D]").reshape(-1, 1), {}, "X holds dates or times"),
        (
            np.where(np.arange(80).reshape(40, 2) == 15, -np.inf, numbers()), IMPUTE,
            "contains infinite numbers, first -inf in row 7, column 1, counted from 0: remove these rows",
        ),
        (
            np.where(np.arange(80).reshape(40, 2) == 15, -np.inf, gaps()[["a", "b"]]), {},
            "contains NaN, first in row 3, column 0, .*; and infinite numbers, first -inf in row 7, column 1",
        ),
        (
            np.array([["1", "2"]] * 9), {},
            r"X holds text \('1' in row 0, column 0\): convert it, X.astype\(float\), or set text='one-hot'",
        ),
        (np.zeros((9, 4, 4)), {"image_shape": (3, 3)}, r"image_shape is \(3, 3\), but X has images of shape"),
        (np.full((9, 2), np.nan), IMPUTE, "no value at all in column 0"),
        (
            nothing(m=[1, "x"] * 20), ONE_HOT,
            "X has values of several types in column m, 1 and 'x': make all of them numbers, or all of them",
        ),
        (pd.concat([numbers(), numbers()], axis=1), ONE_HOT, "X has more than one column a, b: rename all"),
        (numbers(), {"text": "hot"}, r"text is 'hot': did you mean one-hot\? It can also be error"),
    ],
)  # fmt: skip
def test_arrays_are_refused_in_one_line(table, options, said):
    with pytest.raises(ValueError, match=said) as error:
        GMVAE(**TINY, **options).fit(table)
    assert "\n" not in str(error.value)


class Odd:
    """An object that is neither a number nor a text."""

    def __repr__(self):
        return "an odd\nobject"


COMPLEX = numbers().to_numpy() + 1j
ROWLESS = "has no rows"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"a": [1.0, 2.0]}, "X is a dict: pandas.DataFrame(X) makes a table of it"),
        ([{"a": 1.0}, {"a": 2.0}], "X is a list of dicts: pandas.DataFrame(X) makes a table of it"),
        ("t.csv", "X is 't.csv': read the file first"),
        (None, "X is None: it must be a table, an array, a tensor or a list of rows"),
        (3.5, "X is 3.5: it must be a table"),
        ({1, 2}, "X is {1, 2}: it must be a table"),
        (numbers()["a"], "X is a series: X.to_frame()"),
        (pl.from_pandas(numbers())["a"], "X is a series: X.to_frame()"),
        (["ab", "c"], "X has shape (2,), not (rows, columns)"),
        ([torch.tensor(1.0), torch.tensor(2.0)], "X has shape (2,), not (rows, columns)"),
        ([1.0, 2.0], "X has shape (2,), not (rows, columns). Reshape your data: X.reshape(-1, 1)"),
        (np.zeros((2, 2, 2, 2, 2)), "X has shape (2, 2, 2, 2, 2): it must be (rows, columns), or (N, height"),
        (
            np.zeros(3, [("a", float), ("b", int)]),
            "X holds records with the fields a, b: pandas.DataFrame(X)",
        ),
        ([[1, 2], [3]], "X has 2 values in row 0, and 1 in row 1: all rows must have the same number"),
        ([[1, "x"], [2, "y"]], "X holds text ('x' in row 0, column 1): convert it, X.astype(float), or set"),
        (COMPLEX, "Complex data not supported: X holds complex128, so make columns of real and imaginary"),
        (torch.from_numpy(COMPLEX), "Complex data not supported: X holds complex128"),
        (COMPLEX.astype(object), "Complex data not supported: X has ("),
        (nothing(c=1j), "X has complex numbers in column c: make columns of real and imaginary parts"),
        (
            np.array([[1, Odd()]] * 3),
            "X has an odd object in row 0, column 1: an argument must be a string or",
        ),
        (nothing(c=[Odd(), *[1.0] * 39]), "X has values of several types in column c, 1.0 and"),
        (
            pa.table([pa.array([1.0, 2.0])] * 2, ["a", "a"]),
            "X has more than one column a: rename all but one",
        ),
        (
            pd.DataFrame(np.zeros((3, 2)), columns=[0, "0"]),
            "X has more than one column 0: rename all but one",
        ),
        (numbers()[:0], ROWLESS),
        (mixed()[:0], ROWLESS),
        (pl.from_pandas(numbers()[:0]), ROWLESS),
        (pa.Table.from_pandas(numbers()[:0]), ROWLESS),
        (np.zeros((0, 2)), ROWLESS),
        (np.zeros((0, 4, 4)), ROWLESS),
        (torch.zeros(0, 2), ROWLESS),
        ([], ROWLESS),
        (numbers()[[]], "X has no columns: there must be at least one"),
    ],
)
@pytest.mark.parametrize("options", [{}, IMPUTE])
def test_other_things_are_refused_in_one_line_of_ours(given, said, options):
    with pytest.raises((ValueError, TypeError), match=re.escape(said)) as error:
        GMVAE(**TINY, **options).fit(given)
    assert "\n" not in str(error.value)


def test_wide_numbers_and_mixed_names_are_taken():
    frame = nothing(c=[10**30 + i for i in range(40)])
    schema, X = taken(frame, ReadOptions())
    assert schema is None
    assert X is frame
    wide = pl.from_pandas(numbers()).with_columns(n=pl.Series(range(40), dtype=pl.Int128))
    found = rows_of(wide, impute=False, texts=False)
    np.testing.assert_array_equal(found["n"].to_numpy(), np.arange(40.0))
    named = rows_of(numbers().set_axis([0, "b"], axis=1), impute=False, texts=False)
    assert list(named.columns) == ["0", "b"]
    assert list(rows_of(numbers().set_axis([0, 1], axis=1), impute=False, texts=False).columns) == [0, 1]


@pytest.fixture(scope="module")
def fitted() -> dict[str, GMVAE]:
    options = TINY | {"init": "random", "random_state": 0}
    return {"frame": GMVAE(**options).fit(numbers()), "array": GMVAE(**options).fit(numbers().to_numpy())}


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("frame", numbers().assign(b="x"), "X has values that are no numbers in b ('x'): the model was"),
        ("frame", numbers().assign(b=["1", *"xy" * 19, "2"]), "no numbers in b ('x')"),
        ("frame", numbers().assign(b=pd.Timestamp("2020")), "no numbers in b (dates): the"),
        ("frame", pl.from_pandas(numbers().assign(b=pd.Timestamp("2020"))), "no numbers in b (dates): the"),
        ("frame", pa.Table.from_pandas(numbers().assign(b="x")), "no numbers in b ('x')"),
        ("array", np.array([["1", "x"]]), "X holds text ('1' in row 0, column 0): convert it"),
        ("array", [[1, "x"]], "X holds text ('x' in row 0, column 1)"),
        ("array", {"a": [1], "b": [2]}, "X is a dict"),
        ("array", np.zeros((0, 2)), "X has no rows"),
        ("frame", numbers()[:0], "X has no rows"),
        ("array", np.array([[1, np.nan]]), "or fill them, since the model was fitted without missing="),
        ("frame", nothing(b=np.nan), "or fill them, since the model was fitted without missing='impute'"),
        (
            "array", np.ma.masked_equal([[1.0, 2.0]], 2),
            "fill them (X.filled), or remove their rows, since the model was fitted without missing='impute'",
        ),
    ],
)  # fmt: skip
def test_a_fitted_model_says_what_has_an_effect(fitted, kind, given, said):
    for use in (fitted[kind].predict, fitted[kind].partial_fit):
        with pytest.raises(ValueError, match=re.escape(said)) as error:
            use(given)
        assert "\n" not in str(error.value)
        assert "set missing" not in str(error.value)


@pytest.mark.parametrize("value", [1.0, "x", pd.Timestamp("2020")])
def test_a_column_that_the_model_does_not_have_is_unseen_whatever_it_holds(fitted, value):
    with pytest.raises(ValueError, match="Feature names unseen at fit time:\n- c\n"):
        fitted["frame"].predict(numbers().assign(c=value))


@pytest.mark.slow
def test_arrays_are_the_tables_that_they_hold():
    options = {**TINY, "random_state": 0}
    of_frame = GMVAE(**options, **BOTH).fit(gaps())
    of_objects = GMVAE(**options, **BOTH).fit(gaps().to_numpy(object))
    assert of_objects.elbo_ == of_frame.elbo_
    assert (of_objects.predict(gaps().to_numpy(object)) == of_frame.labels_).all()

    y = numbers().to_numpy()
    gone = np.where(y > 9, np.nan, y)
    means = np.where(y > 9, 0, y).sum(0) / (y <= 9).sum(0)
    filled = np.where(y > 9, means, y)
    usual = GMVAE(**options).fit(filled)
    for X in (gone, np.ma.masked_greater(y, 9)):
        model = GMVAE(**options, **IMPUTE).fit(X)
        assert model.history_[-1]["loss"] == usual.history_[-1]["loss"]
        assert (model.predict(X) == usual.labels_).all()


@pytest.mark.slow
def test_tensors_stacks_of_images_and_shapes_of_any_type():
    options = {**TINY, "random_state": 0, "network": "fc"}
    y = torch.from_numpy(numbers().to_numpy())
    short = y.bfloat16()
    assert GMVAE(**options).fit(short).elbo_ == GMVAE(**options).fit(short.float().numpy()).elbo_

    images = np.random.default_rng(0).integers(256, size=(30, 1, 6, 5), dtype=np.uint8)
    rows = GMVAE(**options, image_shape=(6, 5)).fit(images.reshape(30, -1))
    for X in (images, images[:, 0]):
        model = GMVAE(**options, device=torch.device("cpu")).fit(X)
        assert model.elbo_ == rows.elbo_
        assert (model.predict(X) == rows.labels_).all()
    shape = np.array([6, 5])
    assert GMVAE(**options, image_shape=shape).fit(images.reshape(30, -1)).elbo_ == rows.elbo_


@pytest.mark.slow
def test_a_device_and_a_shape_of_any_type_are_saved(tmp_path):
    images = np.random.default_rng(0).random((30, 4, 4))
    for shape in (np.array([4, 4]), None):
        model = GMVAE(**TINY, network="fc", device=torch.device("cpu"), image_shape=shape).fit(images)
        model.save(tmp_path / "m.safetensors")
        again = gmvae.load(tmp_path / "m.safetensors", "cpu")
        assert tuple(again.image_shape)[-2:] == (4, 4)
        assert (again.predict(images) == model.labels_).all()


@pytest.mark.slow
def test_a_run_of_an_untidy_table_is_resumed(tmp_path):
    options = {**TINY, "random_state": 0, "epochs": 2, **BOTH}
    usual = GMVAE(**options).fit(gaps())
    for keep in (True, False):
        run = tmp_path / str(keep)
        GMVAE(**options, run_dir=run, keep_data=keep).fit(gaps())
        model = GMVAE.resume(run) if keep else GMVAE.resume(run, gaps())
        assert model.elbo_ == usual.elbo_
        assert (model.predict(gaps()) == usual.labels_).all()


@pytest.mark.slow
def test_missing_values_are_filled_that_training_did_not_have():
    y = np.random.default_rng(0).normal(size=(40, 3))
    gap = y.copy()
    gap[3, 1] = np.nan
    filled = np.where(np.isnan(gap), y.mean(0), gap)
    names = list("abc")
    for given, asked in (
        (y, gap),
        (y.tolist(), gap.tolist()),
        (pd.DataFrame(y, columns=names), pd.DataFrame(gap, columns=names)),
    ):
        model = quick(missing="impute").fit(given)
        assert model.elbo_ == quick().fit(given).elbo_
        np.testing.assert_allclose(
            model.predict_proba(asked), quick().fit(y).predict_proba(filled), atol=1e-9
        )


@pytest.mark.slow
def test_lists_with_none_lazy_and_sparse_frames_are_tables():
    y = np.random.default_rng(0).integers(0, 5, (40, 3)).astype(float)
    with_none = [[None if value == 4 else value for value in row] for row in y.tolist()]
    gaps = np.where(y == 4, np.nan, y)
    assert quick(missing="impute").fit(with_none).elbo_ == quick(missing="impute").fit(gaps).elbo_
    with pytest.raises(ValueError, match="Input X contains NaN, first in row"):
        quick().fit(with_none)
    frame = pd.DataFrame(y, columns=list("abc"))
    for given in (pl.from_pandas(frame).lazy(), frame.astype(pd.SparseDtype(float, 0.0))):
        assert quick().fit(given).elbo_ == quick().fit(frame).elbo_


@pytest.mark.parametrize("shape", [16, "4x4", (4.0, 4.2), (None, 4)])
def test_image_shapes_are_whole_numbers(shape):
    with pytest.raises(
        ValueError, match=r"image_shape is .*: it must be whole numbers, \(height, width\) or"
    ):
        quick(image_shape=shape).fit(np.random.default_rng(0).random((20, 16)))


def test_columns_of_row_numbers_are_left_out_with_a_warning():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["a", "b"])
    numbered = frame.copy()
    numbered.insert(0, "Unnamed: 0", range(40))
    for given in (numbered, pl.from_pandas(numbered), pa.Table.from_pandas(numbered)):
        with pytest.warns(UserWarning, match=r"name its rows are left out: \['Unnamed: 0'\]"):
            model = quick().fit(given)
        assert model.elbo_ == quick().fit(frame).elbo_
        assert model.feature_names_in_.tolist() == ["a", "b"]
        np.testing.assert_array_equal(model.predict(given), model.labels_)
        np.testing.assert_array_equal(model.predict(frame), model.labels_)


@pytest.mark.parametrize("order", [1, -1])
def test_columns_that_only_count_the_rows_are_named(tmp_path, order):
    frame = numbers().assign(customer=np.arange(7, 47)[::order])
    said = "columns of X that only count the rows are features \\(1\\): {}; leave them out"
    for given, name in ((frame, "customer"), (pl.from_pandas(frame), "customer"), (frame.to_numpy(), "2")):
        with pytest.warns(UserWarning, match=said.format(name)):
            model = quick().fit(given)
        model.predict(given)  # without a warning
    with pytest.warns(UserWarning, match=said.format("2")):
        quick().fit(Batches(frame.to_numpy()))
    almost = frame.assign(customer=frame["customer"].where(frame["customer"] != 20, 21))
    quick().fit(almost)


class Batches:
    """Rows that come in two batches."""

    def __init__(self, y: np.ndarray) -> None:
        self.y = y

    def __iter__(self):
        return iter(np.array_split(self.y, 2))


def test_a_run_of_the_shell_is_cloned_with_its_ways_to_read(tmp_path):
    frame = pd.DataFrame({"a": [1.0, None, 3.0, 4.0] * 10, "t": ["x", "y"] * 20})
    frame.to_csv(tmp_path / "t.csv", index=False)
    said = here(
        "train", "data", "--path", tmp_path / "t.csv", "--missing", "impute", "--text", "one-hot", *FLAGS,
        "--run-dir", tmp_path / "run",
    )  # fmt: skip
    assert said.status == 0, said.err
    loaded = gmvae.load(tmp_path / "run")
    assert (loaded.missing, loaded.text) == ("impute", "one-hot")
    again = clone(loaded).fit(frame)
    np.testing.assert_array_equal(again.predict(frame), loaded.predict(frame))


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT")])
def test_missing_values_of_object_arrays_are_missing(missing):
    numbers = np.arange(40.0).reshape(20, 2)
    objects, whole = numbers.astype(object), numbers.copy()
    objects[3, 1], whole[3, 1] = missing, np.nan
    np.testing.assert_array_equal(rows_of(objects, impute=True, texts=False), whole)
    with_text = np.array([["a", 1.0], ["b", missing], [missing, 3.0]], dtype=object)
    found = rows_of(with_text, impute=True, texts=True)
    assert found.tolist() == [["a", 1.0], ["b", None], [None, 3.0]]


def test_dates_in_object_arrays_and_masked_weights_are_refused():
    objects = np.arange(40.0).reshape(20, 2).astype(object)
    objects[3, 1] = datetime.date(2020, 1, 1)
    with pytest.raises(ValueError, match=r"X holds dates or times \(2020-01-01\)"):
        quick().fit(objects)
    weights = np.ma.array(np.ones(20), mask=np.arange(20) < 2)
    with pytest.raises(ValueError, match="sample_weight has 2 masked values"):
        quick().fit(np.arange(40.0).reshape(20, 2), sample_weight=weights)


def test_columns_without_names_are_not_taken_by_position():
    y = np.random.default_rng(0).normal(size=(30, 2))
    frame = pd.DataFrame(y)
    model = quick().fit(frame)
    said = r"X has the columns 1, 0, and the model was fitted to 0, 1: give these, in this order"
    with pytest.raises(ValueError, match=said):
        model.predict(frame[[1, 0]])
    np.testing.assert_array_equal(model.predict(frame), model.predict(y))
    np.testing.assert_array_equal(
        quick().fit(frame[[1, 0]]).predict(frame[[1, 0]]), quick().fit(y[:, ::-1]).labels_
    )


def test_images_with_the_channels_last_are_refused():
    y = np.random.default_rng(0).random((20, 8, 6, 3))
    first = np.moveaxis(y, -1, 1)
    model = quick(network="fc").fit(first)
    for use in (quick().fit, model.predict):
        with pytest.raises(ValueError, match=r"\(20, 8, 6, 3\): images must have shape \(N, channels"):
            use(y)
    np.testing.assert_array_equal(rows_of(first, impute=False, texts=False), first.reshape(20, -1))
    square = y[:, :3, :3]  # either could be meant
    assert rows_of(square, impute=False, texts=False).shape == (20, 27)
