"""The estimator: scikit-learn's own checks, recovery of known clusters, kinds of tables, errors."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import tracemalloc

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse
from sklearn.base import clone, is_classifier, is_clusterer
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from small_fits import SMALL, UNITS, quick

from gmvae import GMVAE, load
from gmvae.data import chunks, observations
from gmvae.estimator import fitted as answering
from gmvae.fit import numbering, result
from gmvae.model import answers, objective


@pytest.fixture(scope="module")
def fitted(blobs):
    return quick().set_params(epochs=50, batch_size=64).fit(blobs[0])


# ---- scikit-learn's rules


# K is 4 here, since scikit-learn 1.9.1 expects four probabilities in its checks of sparse input


@pytest.mark.slow
@parametrize_with_checks([GMVAE(4, **{**SMALL, "random_state": None, "batch_size": 16}, epochs=3)])
def test_scikit_learns_checks(monkeypatch, estimator, check):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # without it, scikit-learn skips a check
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([GMVAE(4, epochs=20)])
def test_scikit_learns_checks_of_the_default(monkeypatch, estimator, check):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # without it, scikit-learn skips a check
    check(estimator)


@pytest.mark.slow
def test_pipelines_and_searches(blobs):
    y, labels = blobs
    assert (is_clusterer(GMVAE()), is_classifier(GMVAE())) == (True, False)
    pipe = make_pipeline(StandardScaler(), quick(epochs=5, init="kmeans"))
    assert adjusted_rand_score(labels, pipe.fit_predict(y)) > 0.5
    search = GridSearchCV(quick(epochs=1), {"n_clusters": np.array([1, 2]), "cv_weight": [0.5]}, cv=2)
    search.fit(y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.score(y) == pytest.approx(search.best_estimator_.elbo_)


def test_pickles_are_the_same_estimator(fitted, blobs, tmp_path):
    joblib.dump(fitted, tmp_path / "model.joblib")
    for again in (pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "model.joblib")):
        np.testing.assert_array_equal(again.predict_proba(blobs[0]), fitted.predict_proba(blobs[0]))
        np.testing.assert_array_equal(again.labels_, fitted.labels_)
    assert not hasattr(clone(fitted), "model_")


# ---- truths


def test_blobs_are_found_and_numbered_by_size(fitted, blobs):
    y, labels = blobs
    assert adjusted_rand_score(labels, fitted.labels_) == 1
    assert np.bincount(fitted.labels_).tolist() == [120, 80, 40]
    np.testing.assert_array_equal(fitted.predict(y), fitted.labels_)
    np.testing.assert_allclose(fitted.weights_, np.array([120, 80, 40]) / 240, atol=0.02)
    np.testing.assert_allclose(fitted.weights_, fitted.predict_proba(y).mean(0), atol=1e-6)
    assert fitted.n_clusters_used_ == 3


@pytest.mark.slow
@pytest.mark.parametrize("init", ["kmeans", "random"])
def test_blobs_are_found_with_the_defaults(blobs, init):
    y, labels = blobs
    assert adjusted_rand_score(labels, GMVAE(3, init=init, random_state=1).fit_predict(y)) == 1


@pytest.mark.slow
def test_digits_are_found_as_well_as_by_kmeans():
    y, labels = load_digits(return_X_y=True)
    ours = adjusted_rand_score(labels, GMVAE(10, random_state=1).fit_predict(y))
    theirs = KMeans(10, random_state=1).fit_predict(StandardScaler().fit_transform(y))
    assert ours > max(0.4, adjusted_rand_score(labels, theirs) - 0.05)


def test_the_score_is_the_bound_on_a_density_in_the_units_of_the_data(fitted, blobs):
    """Compare with the objective, on data standardised by scikit-learn, with new noise."""
    y = blobs[0].astype(np.float64)
    scaler = StandardScaler().fit(y)
    model = fitted.model_.eval()
    standard = torch.from_numpy(scaler.transform(y)).float()
    with torch.no_grad():
        terms = objective.five_terms(model, standard, 300)
    expected = objective.elbo(terms).numpy() - np.log(scaler.scale_).sum()
    scores = fitted.score_samples(y)
    assert scores.mean() == pytest.approx(expected.mean(), abs=0.5)
    assert np.corrcoef(scores, expected)[0, 1] > 0.5
    assert fitted.score(y) == pytest.approx(scores.mean())
    assert fitted.elbo_ == pytest.approx(scores.mean(), abs=1e-6)
    assert fitted.history_[-1]["elbo"] == pytest.approx(scores.mean(), abs=1.5)
    far = y + 30 * y.std(0)
    assert (fitted.score_samples(far) < scores.min()).all()


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1e-3, 500.0])
def test_the_score_does_not_integrate_to_more_than_one(unit):
    y = unit * np.random.default_rng(0).normal(size=(200, 1)) * [1.0]
    model = quick(x_size=1, w_size=1, n_clusters=2, epochs=10).fit(y)
    grid = unit * np.linspace(-9, 9, 601)
    whole = np.exp(model.score_samples(grid[:, None])).sum() * (grid[1] - grid[0])
    assert 0.2 < whole < 1.02


def test_means_are_those_of_samples_and_near_those_of_rows(fitted, blobs, tmp_path):
    y = blobs[0]
    drawn = [fitted.sample(20_000, cluster=k)[0] for k in range(3)]
    for k in range(3):
        error = drawn[k].std(0) * (1 / 1_000 + 1 / 20_000) ** 0.5
        assert (abs(fitted.means_[k] - drawn[k].mean(0)) < 5 * error).all()
        rows = y[fitted.labels_ == k]
        assert (abs(fitted.means_[k] - rows.mean(0)) < 0.5 * y.std(0)).all()
    fitted.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "model.safetensors").means_, fitted.means_)
    with pytest.raises(NotFittedError):
        _ = GMVAE().means_


def test_reconstructions_and_samples_have_the_units_of_the_data(fitted, blobs):
    y = blobs[0]
    x = fitted.transform(y)
    assert x.shape == (240, 2)
    again = fitted.inverse_transform(x)
    assert (((again - y) / UNITS) ** 2).mean() < 0.3 * (((y - y.mean(0)) / UNITS) ** 2).mean()
    drawn, clusters = fitted.sample(3000)
    assert drawn.shape == (3000, 3)
    np.testing.assert_allclose(drawn.mean(0) / UNITS, y.mean(0) / UNITS, atol=1.2)
    np.testing.assert_allclose(np.std(drawn / UNITS, 0), np.std(y / UNITS, 0), rtol=0.25)
    np.testing.assert_allclose(np.bincount(clusters) / 3000, fitted.weights_, atol=0.05)
    for cluster in range(3):
        drawn, of = fitted.sample(200, cluster=cluster)
        assert set(of) == {cluster}
        centre = y[fitted.labels_ == cluster].mean(0)
        np.testing.assert_allclose(drawn.mean(0) / UNITS, centre / UNITS, atol=1.5)
    np.testing.assert_array_equal(fitted.sample(5)[0], fitted.sample(5)[0])


# ---- the same answers


@pytest.mark.slow
def test_answers_do_not_depend_on_order_or_other_rows(fitted, blobs):
    y = blobs[0]
    order = np.random.default_rng(0).permutation(240)
    for method in ("predict", "predict_proba", "transform", "score_samples"):
        whole = getattr(fitted, method)(y)
        np.testing.assert_allclose(getattr(fitted, method)(y[order]), whole[order], rtol=1e-9, atol=1e-12)
        single = np.concatenate([getattr(fitted, method)(row[None]) for row in y[:20]])
        np.testing.assert_allclose(single, whole[:20], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_a_seed_decides_and_the_order_of_rows_does_not(blobs):
    y = blobs[0]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = quick().fit(y)
    assert torch.equal(torch.rand(3), expected)
    order = np.random.default_rng(1).permutation(240)
    np.testing.assert_array_equal(quick().fit(y[order]).predict_proba(y), first.predict_proba(y))
    generators = (np.random.RandomState(0) for _ in range(2))
    one, same = (quick(random_state=rng, epochs=1).fit(y).predict_proba(y) for rng in generators)
    np.testing.assert_array_equal(one, same)
    other = quick(random_state=1).fit(y)
    assert (other.predict_proba(y) != first.predict_proba(y)).any()
    assert np.isfinite(quick(random_state=None, epochs=1).fit(y).elbo_)


def kinds(y):
    names = ["a", "b", "c"]
    columns = {name: y[:, i] for i, name in enumerate(names)}
    return {
        "float64": y.astype(np.float64),
        "fortran": np.asfortranarray(y),
        "torch": torch.from_numpy(y).requires_grad_(),
        "csr": sparse.csr_array(y),
        "csc": sparse.csc_matrix(y),
        "pandas": pd.DataFrame(columns),
        "polars": pl.DataFrame(columns),
        "pyarrow": pa.table(columns),
        "lists": y.astype(np.float64).tolist(),
    }


@pytest.mark.slow
def test_every_kind_of_table_is_the_same_table(blobs):
    y = blobs[0] * (blobs[0] > 0)
    expected = quick(epochs=1).fit(y)
    for name, table in kinds(y).items():
        ours = quick(epochs=1).fit(table)
        np.testing.assert_array_equal(ours.predict_proba(table), expected.predict_proba(y), err_msg=name)
        if name in ("pandas", "polars", "pyarrow"):
            assert list(ours.feature_names_in_) == ["a", "b", "c"]
    whole = np.arange(240).reshape(60, 4) % 7
    for dtype in (np.int16, np.uint8, bool):
        np.testing.assert_array_equal(
            quick(epochs=1).fit(whole.astype(dtype)).labels_,
            quick(epochs=1).fit(whole.astype(dtype).astype(float)).labels_,
        )


def test_names_of_columns_come_out(fitted, blobs):
    assert fitted.get_feature_names_out().tolist() == ["gmvae0", "gmvae1"]
    frame = pd.DataFrame(blobs[0])
    out = quick(epochs=1).set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == ["gmvae0", "gmvae1"]


@pytest.mark.slow
def test_large_tables_are_not_copied(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    y = np.lib.format.open_memmap(tmp_path / "y.npy", "w+", np.float32, (1500, 2000))
    y[:] = rng.normal(size=y.shape)
    y.flush()
    wide = sparse.random_array((1500, 2000), density=0.002, format="csr", rng=rng, dtype=np.float32)
    for module, name, value in (
        (chunks, "CHUNK", 1 << 13),
        (observations, "SAMPLE", 1 << 16),
        (observations, "SMALL", 1 << 16),
        (answers, "AT_ONCE", 20),
        (answers, "MEASURED", 20),
        (numbering, "AT_ONCE", 20),
        (answering, "AT_ONCE", 20),
        (result, "MEASURED", 20),
    ):
        monkeypatch.setattr(module, name, value)
    for table in (np.load(tmp_path / "y.npy", mmap_mode="r"), wide):
        model = quick(epochs=1, batch_size=20, hidden_size=8).fit(table[:20])  # imports are not traced
        tracemalloc.start()
        try:
            model.fit(table)
            model.transform(table[:500])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < table.shape[0] * table.shape[1]  # bytes: a quarter of it in float32


SCORING = """
import numpy as np, torch
from gmvae import GMVAE, load
torch.set_num_threads(1)
peak = lambda: int(next(line for line in open("/proc/self/status") if "VmHWM" in line).split()[1]) / 1024
table = np.random.default_rng(0).normal(size=(32_768, 20))
model = GMVAE(10, epochs=1, random_state=0).fit(table[:2000])
model.score_samples(table)
before = peak()
for _ in range(3):
    model.score_samples(table)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_scores():
    out = subprocess.run([sys.executable, "-c", SCORING], capture_output=True, text=True, check=True)
    assert float(out.stdout.splitlines()[-1]) < 30  # MiB


# ---- starts, weights, restarts, going on, stopping


@pytest.mark.slow
def test_the_likelihood_explains_itself(blobs):
    rng = np.random.default_rng(0)
    bits, grey = (rng.random((60, 6)) < 0.4).astype(float), rng.random((60, 6))
    for y, likelihood, reason in (
        (bits, "bernoulli", "X has only the values 0 and 1"),
        (grey, "gaussian", r"X lies in \[0, 1\], with 3\d% of the variance that zeros and ones"),
        (blobs[0], "gaussian", "X has values from .* outside of"),
    ):
        model = quick(epochs=1).fit(y)
        assert model.likelihood_ == model.model_.config.likelihood == likelihood
        assert re.match(reason, model.likelihood_reason_)
    assert quick(epochs=1, likelihood="bernoulli").fit(grey).likelihood_ == "bernoulli"
    assert set(np.unique(quick().fit(bits).sample(50)[0])) == {0, 1}
    assert len(np.unique(quick(likelihood="bernoulli").fit(grey).sample(50)[0])) > 50


@pytest.mark.slow
def test_images(blobs):
    levels = np.random.default_rng(0).integers(256, size=(40, 144), dtype=np.uint8)
    options = {"network": "conv", "filters": 2, "hidden_size": 8, "epochs": 1}
    model = quick(image_shape=(12, 12), **options).fit(levels)
    assert (model.likelihood_, model.model_.y_shape) == ("bernoulli", (1, 12, 12))
    again = quick(image_shape=(1, 12, 12), **options).fit(levels / 255.0)
    np.testing.assert_array_equal(model.labels_, again.labels_)
    assert model.inverse_transform(model.transform(levels)).max() > 2
    with pytest.raises(ValueError, match=r"image_shape is \(5, 5\): it must be .* with 144 numbers in all"):
        quick(image_shape=(5, 5)).fit(levels)


@pytest.mark.parametrize(
    ("shape", "network", "hidden"), [(None, "auto", 128), ((12, 12), "fc", 128), ((12, 12), "auto", 256)]
)
def test_the_number_of_threads_depends_on_layer_size(monkeypatch, shape, network, hidden):
    works = []
    for place in ("estimator.fitted", "fit.engine"):
        monkeypatch.setattr(f"gmvae.{place}.pick_threads", lambda asked, work: works.append(work) or 1)
    levels = np.random.default_rng(0).integers(256, size=(40, 144), dtype=np.uint8)
    options = {"network": network, "hidden_size": None, "epochs": 1, "init": "random", "filters": 2}
    quick(image_shape=shape, **options).fit(levels).score(levels)
    assert set(works) == {40 * hidden**2}


def test_constant_columns_are_left_out_and_put_back(blobs):
    y = np.insert(blobs[0].astype(np.float64), 1, 7.0, axis=1)
    model = quick().fit(y)
    assert model.constant_features_.tolist() == [1]
    assert model.model_.y_shape == (3,)
    for drawn in (model.sample(9)[0], model.inverse_transform(model.transform(y))):
        assert drawn.shape[1] == 4
        assert (drawn[:, 1] == 7).all()
    assert np.isfinite(quick(n_clusters=1).fit(np.ones((9, 2))).score(np.ones((9, 2))))


def test_densities_are_bounded(fitted):
    """With a decoder that is certain of everything, as happens if a column has one value many times."""
    model = answers.precise(fitted.model_)
    *_, last = (layer for layer in model.generative.decoder if isinstance(layer, torch.nn.Linear))
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([0.0] * 3 + [-100.0, -5.0, 1.0]))
        p_y = model.generative.p_y(torch.randn(4, 2, dtype=torch.float64))
    expected = 0.01 + np.exp([-100.0, -5.0, 1.0])
    np.testing.assert_allclose(p_y.variance, np.tile(expected, (4, 1)), rtol=1e-6)


# ---- errors


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clusters": 0}, "n_clusters is 0: it must be a whole number of at least 1"),
        ({"n_clusters": 241}, "X has n_samples=240: there must be at least 241"),
        ({"n_init": 0}, "n_init is 0: it must be a whole number of at least 1"),
        ({"x_size": 0}, "x_size is 0: it must be a whole number of at least 1"),
        ({"likelihood": "poisson"}, "likelihood is 'poisson': it must be one of auto, bernoulli, gaussian"),
        ({"likelihood": "bernoulli"}, r"likelihood is 'bernoulli', but X has values from .* it must lie in"),
        ({"init": "zeros"}, "init is 'zeros': it must be one of auto, random, kmeans, candidates, manifold"),
        ({"network": "dense"}, "network is 'dense': it must be one of auto, fc, compact, conv, svhn"),
        ({"network": "conv"}, r"network is 'conv', but an observation has shape \(3,\)"),
        ({"epochs": 0}, "epochs is 0: it must be a whole number of at least 1"),
        ({"epochs": "many"}, "epochs is 'many': it must be"),
        ({"batch_size": 1}, "batch_size is 1: it must be a whole number of at least 2"),
        ({"warm_up": 1.5}, "warm_up is 1.5: it must be a whole number of epochs, or a share"),
        ({"n_iter_no_change": -1}, "n_iter_no_change is -1: it must be a whole number of epochs"),
        ({"validation_fraction": 1.0}, "validation_fraction is 1.0: it must be between 0 and 1"),
        ({"tol": -1.0}, "tol is -1.0: it must be a finite number of at least 0"),
        ({"min_variance": -1.0}, "min_variance is -1.0: it must be a finite number of at least 0"),
        ({"learning_rate": 0}, "learning_rate is 0: it must be a finite number above 0"),
        ({"device": "tpu"}, "device is 'tpu': it must be"),
    ],
)
def test_a_bad_parameter_gives_a_one_line_error(blobs, parameters, message):
    with pytest.raises(ValueError, match=message) as error:
        quick(**parameters).fit(blobs[0])
    assert "\n" not in str(error.value)


def test_bad_tables_and_weights(fitted, blobs):
    y = blobs[0].copy()
    y[3, 1] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        quick().fit(y)
    with pytest.raises(ValueError, match="X has 2 features, but GMVAE is expecting 3"):
        fitted.predict(blobs[0][:, :2])
    with pytest.raises(ValueError, match="sample_weight has 240 negative numbers"):
        quick().fit(blobs[0], sample_weight=-np.ones(240))
    with pytest.raises(ValueError, match=r"column 0 of X goes from -1\.5e\+308 to 1\.5e\+308"):
        quick().fit(np.repeat([[1.5e308, 0.0], [-1.5e308, 1.0]], 9, axis=0))
    with pytest.raises(ValueError, match="X has one distinct row"):
        quick(early_stopping=True).fit(np.ones((9, 2)))
    with pytest.raises(ValueError, match=r"X has shape \(2, 3\): it must be \(N, 2\)"):
        fitted.inverse_transform(np.ones((2, 3)))
    with pytest.raises(ValueError, match="n_samples is 0"):
        fitted.sample(0)
    with pytest.raises(ValueError, match="cluster is 3: it must be a whole number from 0 to 2"):
        fitted.sample(1, cluster=3)
