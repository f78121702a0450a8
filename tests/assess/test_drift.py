"""New rows: one more pass over them, and a finding if they are unlike the old ones."""

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from commands import here
from pyarrow import parquet
from small_fits import taught, three_blobs

from gmvae import GMVAE, load
from gmvae.assess.drift import drift
from gmvae.data import portions


@pytest.fixture(scope="module")
def fitted():
    return taught(epochs=20).fit(three_blobs()[0])


@pytest.mark.slow
def test_partial_fit_makes_one_pass_and_keeps_scaling_and_numbers(fitted):
    y, labels = three_blobs()
    rare = np.concatenate((y[labels == 2], y[labels == 1][:30], y[labels == 0][:20]))  # sizes the other way
    before = fitted.predict(rare)
    model = GMVAE(**fitted.get_params()).partial_fit(y)  # the first call fits
    np.testing.assert_array_equal(model.labels_, fitted.labels_)
    scaling, epochs = model._scaling, model.n_iter_
    model.partial_fit(rare)
    assert model._scaling is scaling
    assert model.n_iter_ == epochs + 1
    np.testing.assert_array_equal(model.labels_, before)
    assert model.get_params() == fitted.get_params()


@pytest.mark.slow
def test_rows_like_the_old_ones_are_no_drift(fitted):
    y, _ = three_blobs()
    rng = np.random.default_rng(0)
    for _ in range(5):
        again = y[rng.permutation(len(y))[:150]]
        assert drift(fitted.is_outlier(again), fitted.predict_proba(again), fitted.weights_) is None


@pytest.mark.slow
def test_new_kinds_of_rows_and_changed_shares_are_drift(fitted):
    y, labels = three_blobs()
    shifted = y + 4 * y.std(0)
    found = drift(fitted.is_outlier(shifted), fitted.predict_proba(shifted), fitted.weights_)
    assert found is not None
    assert "belong to no cluster" in found.message
    assert "compared with 0.5% before" in found.message
    one = y[labels == 2]
    model = GMVAE(**fitted.get_params()).fit(y).partial_fit(one)
    assert model.findings_[0].name == "drift"
    assert "compared with 17% before" in model.findings_[0].message


def test_rows_count_with_their_weights():
    rng = np.random.default_rng(0)
    q, outliers = np.eye(3)[np.repeat([0, 1, 2], 100)], rng.random(300) < 0.2
    weights = np.where(outliers, 0.0, np.repeat([20.0, 1.0, 1.0], 100))
    shares = weights @ q / weights.sum()
    assert drift(None, q, shares) is not None
    assert drift(outliers, q, q.mean(0)) is not None
    assert drift(outliers, q, shares, weights) is None
    assert drift(outliers, q, shares, 1e6 * weights) is None
    found = drift(None, q, q.mean(0), weights)
    assert "cluster 0 has 91% of them, compared with 33% before" in found.message
    # a row that has nearly all weight says as little as one row
    assert drift(None, q, np.array([0.3, 0.35, 0.35]), np.where(np.arange(300) == 0, 1e9, 1.0)) is None


def test_an_update_with_the_same_weights_is_no_drift():
    y, labels = three_blobs()
    weights = np.where(labels == 2, 20.0, 1.0)
    model = taught(epochs=1).fit(y, sample_weight=weights)
    assert "drift" not in [finding.name for finding in model.partial_fit(y, None, weights).findings_]
    assert "drift" in [finding.name for finding in model.partial_fit(y).findings_]


def test_a_large_file_that_is_sorted_by_class_is_an_update_like_others(fitted, tmp_path, monkeypatch):
    """It is made in random portions, and its drift is measured against the model before it."""
    y, labels = three_blobs()
    monkeypatch.setattr(portions, "NUMBERS", 200)
    fitted.save(tmp_path / "model.safetensors")
    for name, rows in (("new", y[np.argsort(labels, kind="stable")]), ("one", y[labels == 2])):
        np.save(tmp_path / f"{name}.npy", rows)
        said = here("update", tmp_path / "model.safetensors", tmp_path / f"{name}.npy")
        assert said.status == 0, said.err
        assert said.out.startswith(f"{len(rows)} rows: ")
        assert ("The new rows are" in said.out) == (name == "one")
        if name == "new":
            updated = load(tmp_path / "updated.safetensors")
            np.testing.assert_array_equal(updated.predict(y), fitted.predict(y))
            assert updated.n_iter_ > fitted.n_iter_ + 1


def test_new_rows_can_be_at_an_address(fitted, tmp_path):
    """On the command line, too, whose arguments are paths: a path has one slash where an address has two."""
    y = three_blobs()[0]
    table = pa.table(dict(zip("abc", y.T, strict=True)))
    with fsspec.open("memory://gmvae-new/rows.parquet", "wb") as file:
        parquet.write_table(table, file)
    parquet.write_table(table, tmp_path / "rows.parquet")
    fitted.save(tmp_path / "model.safetensors")
    for address in ("memory://gmvae-new/rows.parquet", f"file://{tmp_path}/rows.parquet"):
        said = here("update", tmp_path / "model.safetensors", address)
        assert said.out.startswith("240 rows: "), said.err
        answers = tmp_path / "answers.npy"
        said = here("predict", tmp_path / "model.safetensors", address, "-o", answers)
        assert said.status == 0, said.err
        np.testing.assert_array_equal(np.load(answers)[:, 0], fitted.predict(y))
        answers.unlink()
