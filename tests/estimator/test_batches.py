"""Rows that come in batches: the checks of rows in memory, and nothing in another order than X."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
import torch
from small_fits import quick, taught, three_blobs
from torch.utils.data import TensorDataset

from gmvae.data import portions
from gmvae.estimator.batches import Batches

Y = np.arange(24.0).reshape(8, 3)
FRAME = pd.DataFrame(Y, columns=list("abc"))


class Given:
    """Batches that can be read again."""

    def __init__(self, *batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


class Once(Given):
    """Batches that are there only at the first reading, which the object does not say."""

    def __init__(self, *batches):
        self.batches = iter(batches)

    def __iter__(self):
        return self.batches


def read(*batches):
    return np.concatenate([block.y for block in Batches(Given(*batches))()])


@pytest.mark.parametrize(
    "batches",
    [
        (Y[:5], Y[5:]),
        (Y[:0], Y[:5], Y[5:5], Y[5:]),
        ((Y, "labels"),),
        (torch.tensor(Y).bfloat16().requires_grad_(),),
        (FRAME[:5], FRAME[["c", "a", "b"]][5:]),
        (FRAME.astype("Int64"),),
        (pa.table(FRAME[:5]), FRAME[5:]),
    ],
)
def test_batches_give_their_rows(batches):
    np.testing.assert_array_equal(read(*batches), Y)
    assert read(*batches).dtype == np.float64


def test_a_dataset_gives_its_rows_twice_and_levels_stay_levels():
    batches = Batches(TensorDataset(torch.tensor(Y), torch.zeros(8)))
    assert (batches.shape, batches.names) == ((3,), ())
    state = torch.get_rng_state()
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate([block.y for block in batches()]), Y)
    assert torch.equal(state, torch.get_rng_state())
    assert read(np.zeros((4, 2, 2), np.uint8)).dtype == read(FRAME.astype(np.uint8)).dtype == np.uint8
    assert Batches(Given(np.zeros((4, 5, 6)))).shape == (1, 5, 6)
    assert Batches(Given(np.zeros((4, 30))), (5, 6)).shape == (1, 5, 6)


def masked():
    return np.ma.array(Y, mask=Y == 4)


@pytest.mark.parametrize(
    ("batches", "said"),
    [
        ((masked(),), r"X has 1 masked values.*\(X.filled\), or remove their rows$"),
        ((Y, masked()), r"remove their rows \(in the batch that starts at row 8\)"),
        ((Y.astype(str),), r"X holds text .*X.astype\(float\)$"),
        ((Y + 1j,), "Complex data not supported"),
        ((Y.astype("datetime64[s]"),), "X holds dates or times"),
        ((sp.csr_matrix(Y),), "X gives sparse batches: make them dense"),
        ((torch.tensor(Y).to_sparse(),), "X gives sparse batches: make them dense"),
        ((np.zeros((4, 6, 6, 3)),), "move the last axis to the second place"),
        (({"a": Y},), "X is a dict"),
        ((Y, Y[:, :2]), r"X has rows of shape \(2,\), and \(3,\) in the first batch"),
        ((np.zeros((4, 2, 3)), np.zeros((4, 3, 2))), r"shape \(3, 2\), and \(2, 3\) in the first"),
        ((FRAME, FRAME[["a", "b"]]), "X has batches with the columns a, b, and the first has a, b, c"),
        ((FRAME, Y), "batches with names of columns and others without"),
        ((FRAME.astype(str),), r"X has numbers as text in a .*; convert them, as astype\(float\) does"),
        ((FRAME.replace(4, np.nan),), r"X has missing values .* missing='impute' \(only in memory\)"),
        ((), "X gives no rows"),
        ((Y[:0],), "X gives no rows"),
    ],
)
def test_what_is_refused_in_memory_is_refused_in_batches(batches, said):
    with pytest.raises(ValueError, match=said) as error:
        read(*batches)
    assert "\n" not in str(error.value)


def test_what_cannot_be_read_twice_is_refused():
    with pytest.raises(ValueError, match="gives its batches only once"):
        Batches(iter([Y]))
    for batches in ((Y,), (Y, Y), (Y, Y, Y)):
        with pytest.raises(ValueError, match="X gave batches once, then none"):
            quick().fit(Once(*batches))


def test_masked_items_of_a_dataset_are_refused():
    with pytest.raises(ValueError, match="X has 1 masked values"):
        quick().fit(MaskedRows())


class MaskedRows(torch.utils.data.Dataset):
    """A dataset of masked rows."""

    def __len__(self):
        return len(Y)

    def __getitem__(self, row):
        return masked()[row], None


def test_what_a_stream_does_not_support_is_refused():
    given = Given(Y)
    for one, parameters in (("missing='impute'", {"missing": "impute"}), ("text=", {"text": "one-hot"})):
        with pytest.raises(ValueError, match=f"X comes in batches, and {one}"):
            quick(**parameters).fit(given)
    with pytest.raises(ValueError, match="X has n_samples=2: there must be at least 3"):
        quick().fit(Given(Y[:2]))
    with pytest.raises(ValueError, match=r"image_shape is \(2, 2\), but X has rows of 3 numbers"):
        quick(image_shape=(2, 2)).fit(given)


@pytest.fixture(scope="module")
def in_memory():
    """A model of the blobs in memory, to be copied: tests share the fit."""
    return taught(epochs=1).fit(three_blobs()[0])


def test_nothing_is_returned_in_another_order(in_memory):
    given, model = Given(three_blobs()[0]), taught(epochs=1)
    with pytest.raises(ValueError, match="fit_predict has no order to return: call fit, then predict"):
        model.fit_predict(given)
    with pytest.raises(ValueError, match="fit_transform has no order to return: call fit, then transform"):
        model.fit_transform(given)
    with pytest.raises(AttributeError, match="object has no attribute 'labels_'"):
        _ = model.labels_
    model = deepcopy(in_memory)
    assert len(model.labels_) == 240
    model.set_params(resamples=2).fit(given)
    with pytest.raises(AttributeError, match="no labels_ of rows that came in batches"):
        _ = model.labels_
    assert model.stability_ is None
    assert model.cluster_stability_.shape == (3,)
    for method in (model.predict, model.transform, model.score_samples, model.is_outlier):
        with pytest.raises(ValueError, match="X is a Given, which gives rows in batches"):
            method(given)


def test_columns_of_batches_have_their_names_in_the_model():
    y = three_blobs()[0].astype(np.float64)
    frame = pd.DataFrame(y, columns=["a", "b", "c"])
    model = taught(epochs=1).fit(Given(frame[:100], frame[["c", "b", "a"]][100:]))
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["c", "b", "a"]])
    plain = taught(epochs=1).fit(Given(y[:100], y[100:]))
    np.testing.assert_array_equal(model.predict_proba(frame), plain.predict_proba(y))
    assert not hasattr(plain, "feature_names_in_")


def test_a_model_is_updated_with_batches(in_memory, monkeypatch):
    y = three_blobs()[0]
    whole = deepcopy(in_memory)
    batches = deepcopy(in_memory).partial_fit(TensorDataset(torch.from_numpy(y)))
    np.testing.assert_array_equal(batches.predict_proba(y), whole.partial_fit(y).predict_proba(y))
    assert not hasattr(batches, "labels_")
    monkeypatch.setattr(portions, "NUMBERS", 300)
    streamed = taught(epochs=1).partial_fit(Given(y)).partial_fit(Given(y[:120], y[120:]))
    assert streamed.n_iter_ == 4  # 720 numbers are three updates
    before = streamed.predict_proba(y)
    with pytest.raises(ValueError, match="masked"):
        streamed.partial_fit(Given(y[:120], y[:120], np.ma.masked_less(y, 0)))
    np.testing.assert_array_equal(streamed.predict_proba(y), before)


@pytest.mark.slow
def test_images_in_batches_have_the_model_of_images_in_memory():
    images = np.random.default_rng(0).random((40, 8, 8))
    models = [taught(n_clusters=2, epochs=1, filters=2).fit(given) for given in (images, Given(images))]
    assert models[0].model_.config == models[1].model_.config
    assert models[1].partial_fit(Given(images)).partial_fit(images).n_iter_ == 3


def test_rows_of_batches_are_joined():
    for given in (FRAME, FRAME.set_axis([2, 0, 1], axis=1)):
        batches = Batches(Given(given[:3], given[3:]))
        (rows,) = map(batches.joined, portions.portions(batches, 1000))
        table = rows if isinstance(rows, pd.DataFrame) else rows.to_pandas()
        assert table.equals(given.reset_index(drop=True))
    batches = Batches(Given(np.zeros((4, 5, 6), np.uint8)))
    (images,) = map(batches.joined, portions.portions(batches, 1000))
    assert (images.shape, images.dtype) == ((4, 1, 5, 6), np.uint8)


def test_portions_are_random_samples_of_a_sorted_stream():
    rows = np.arange(2000.0).reshape(1000, 2)
    parts = list(portions.portions(Batches(Given(*np.split(rows, [300, 301]))), 500))
    assert len(parts) == 4
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)[:, 0]), rows[:, 0])
    for part in parts:
        assert 190 < len(part) < 310
        assert 850 < part.mean() < 1150  # 999.5, and 1999 / sqrt(12 * 250) is 36
