"""The scaling of a table's columns for a Gaussian model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from commands import bad, here
from scipy import integrate
from sklearn.datasets import load_digits, load_iris, make_blobs
from sklearn.metrics import adjusted_rand_score
from small_fits import UNITS, quick, three_blobs

import gmvae
from gmvae import GMVAE
from gmvae.config import Config
from gmvae.data.prepare import prepare
from gmvae.data.scales.traits import SAMPLED_ROWS, Traits
from gmvae.data.scales.warp import Warp
from gmvae.data.stream import Sample
from gmvae.store.onnx import export

IRIS = load_iris()


def lognormal(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three clusters of lognormal values that are far apart only in their logarithms."""
    y, labels = make_blobs(240, centers=3, n_features=4, center_box=(-6, 6), random_state=3 + seed)
    return np.exp(y), labels


def prepared(y: np.ndarray, scale: str = "auto"):
    return prepare(y, scale=scale, device=gmvae.training.devices.pick_device("cpu"))


def seen(y: np.ndarray, scale: str = "auto") -> np.ndarray:
    """The rows as the model sees them, in their own order."""
    return prepared(y, scale).everything.tensor().numpy()


# ---- one column

COLUMNS = {  # knee and power
    "straight": (0.0, 1.0),
    "logarithm": (0.0, 0.0),
    "bounded": (5.0, -1.0),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_warp_and_back_and_its_slope(name):
    knee, power = (np.array([value]) for value in COLUMNS[name])
    warp = Warp(np.array([3.0]), np.array([0.5]), knee, power, np.array([10.0]))
    y = np.array([-9.0, -1.0, 2.9, 3.0, 3.1, 5.0, 5.6, 9.0, 200.0])[:, None]
    shaped = warp.apply(y)
    assert (np.diff(shaped[:, 0]) > 0).all()
    np.testing.assert_allclose(warp.undo(shaped), y, rtol=1e-9)
    step = 1e-6
    slope = (warp.apply(y + step) - warp.apply(y - step)) / (2 * step)
    kink = abs(y - 3) < step  # the logarithm has its greatest curvature there
    np.testing.assert_allclose(np.exp(warp.log_slopes(shaped))[~kink], slope[~kink], rtol=1e-3)
    assert (abs(warp.apply(np.array([[1e300], [-1e300]]))) <= (6.0 if power < 0 else np.inf)).all()


def test_a_logarithm_is_that_of_counts():
    warp = Warp(np.zeros(1), np.ones(1), *np.zeros((3, 1)))
    np.testing.assert_allclose(warp.apply(np.array([[0.0], [1.0], [99.0]])), np.log([[1], [2], [100]]))


# ---- a table


def test_standard_robust_and_common():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(400, 3)) * [1, 10, 0.1] + 5
    y[0, 1] = 1e6
    np.testing.assert_allclose(seen(y, "standard").std(0), 1, rtol=1e-3)
    robust = seen(y, "robust")
    np.testing.assert_allclose(robust[1:].std(0), 1, atol=0.06)
    np.testing.assert_allclose(np.median(robust, 0), 0, atol=0.1)
    assert robust[0, 1] == pytest.approx(6, abs=1e-3)  # five deviations, and at most one more
    common = seen(y[1:], "common")
    np.testing.assert_allclose(
        common.std(0) / common.std(0).max(), y[1:].std(0) / y[1:].std(0).max(), rtol=1e-4
    )
    assert np.mean(common.var(0)) == pytest.approx(1, rel=1e-3)


def test_none_changes_nothing():
    y = np.array([[1.5, -2.0], [4.0, 8.0], [3.0, 0.0]])
    np.testing.assert_array_equal(seen(y, "none"), y)


def test_unit_rows_have_the_neighbours_of_the_cosine():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(60, 8)) * rng.lognormal(size=(60, 1))
    y[3] = 0
    shown = seen(y, "unit")
    apart = np.square(shown[:, None] - shown).sum(-1)
    unit = y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-300)
    expected = np.square(unit[:, None] - unit).sum(-1)
    np.testing.assert_allclose(apart / apart.max(), expected / expected.max(), atol=1e-5)
    for factor in (1e-200, 1e200):  # whose squares overflow
        np.testing.assert_allclose(seen(y * factor, "unit"), shown, atol=1e-5)


def test_one_great_column_makes_no_rows_of_one_length():
    rng = np.random.default_rng(0)
    groups = 5.0 * (np.arange(150) % 3)[:, None] + rng.normal(size=(150, 4))
    for great in (rng.integers(2000, 2024, 150), 20_230_101 + np.arange(150), 4e6 + np.arange(150)):
        y = np.column_stack([great, groups])
        assert not Traits.of(y, np.ones(150)).unit_rows
        assert not Traits.of(np.column_stack([y, rng.permutation(great)]), np.ones(150)).unit_rows
    rows = rng.normal(size=(150, 64)) + rng.normal(size=64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    for found in (rows, rows.round(3), rows.astype(np.float16).astype(float), rows * 7e-9):
        assert Traits.of(found, np.ones(150)).unit_rows


@pytest.mark.parametrize("scale", ["standard", "robust", "log", "common", "auto"])
def test_the_unit_of_a_column_makes_no_difference(scale):
    y = lognormal()[0]
    factors = 1e-7 if scale == "common" else np.array([1e-60, 1e12, 3.0, 1 / 7])
    np.testing.assert_array_equal(seen(y * factors, scale), seen(y, scale))


def test_auto_chooses_a_scale_and_says_why():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(500, 6))
    assert prepared(y).scale_reason == ""
    assert "takes the logarithm of 4 columns" in prepared(lognormal()[0]).scale_reason
    far = IRIS.data.copy()
    far[7, 2] = 1e9
    assert "brings far values nearer in 1 column" in prepared(far).scale_reason
    np.testing.assert_allclose(seen(far)[:, [0, 1, 3]], seen(IRIS.data)[:, [0, 1, 3]], atol=1e-3)
    unit = y / np.linalg.norm(y, axis=1, keepdims=True)
    for factor in (1.0, 100.0, 1e-300, 1e300):
        assert "all have the same length" in prepared(unit * factor).scale_reason
        np.testing.assert_allclose(seen(unit * factor), seen(unit, "unit"), atol=1e-5)
    left, spread, _ = np.linalg.svd(y - y.mean(0), full_matrices=False)
    components = left * spread * [9, 7, 5, 3, 2, 1]
    assert "as principal components are" in prepared(components).scale_reason
    np.testing.assert_array_equal(seen(components), seen(components, "common"))
    assert prepared(components[:, ::-1]).scale_reason == ""


def test_levels_of_one_scale_keep_their_proportions():
    """Pixels in whatever unit; but not columns that were divided by their ranges, and not a few columns."""
    levels = load_digits().data
    for factor in (1.0, 0.37, 1e9):
        assert "as pixels do" in prepared(levels * factor).scale_reason
        np.testing.assert_array_equal(seen(levels * factor), seen(levels, "common"))
    varying = levels[:, levels.min(0) < levels.max(0)]
    assert prepared(varying / varying.max(0) + 3).scale_reason == ""
    assert prepared(varying[:, :50]).scale_reason == ""


def test_a_scale_is_for_gaussian_models():
    y = (np.random.default_rng(0).random((50, 4)) > 0.5).astype(float)
    assert prepared(y).likelihood == "bernoulli"
    found = prepared(y, "standard")
    assert (found.likelihood, found.reason[:28]) == ("gaussian", "scale standard was asked for")
    with pytest.raises(ValueError, match="scale is 'log' and likelihood is 'bernoulli'"):
        quick(scale="log", likelihood="bernoulli").fit(y)
    with pytest.raises(ValueError, match="every column of X has values below 0"):
        quick(scale="log").fit(-1 - y)
    with pytest.raises(ValueError, match="scale is 'loud': it must be one of auto, standard, "):
        quick(scale="loud").fit(y)


# ---- a fit


SELDOM = [pytest.param(name, marks=pytest.mark.slow) for name in ("robust", "unit", "common", "log", "none")]


@pytest.mark.parametrize("scale", ["auto", *SELDOM[:3]])
def test_a_fit_comes_back_in_the_units_of_the_data(tmp_path, scale):
    y = three_blobs()[0].astype(np.float64) / UNITS
    model = quick(scale=scale, epochs=10).fit(y)
    samples, _ = model.sample(500)
    if scale == "unit":
        assert abs(np.linalg.norm(samples, axis=1) - 1).mean() < 0.5
    else:
        assert (abs(samples.mean(0) - y.mean(0)) < y.std(0)).all()
    model.save(tmp_path / "m.safetensors")
    again = gmvae.load(tmp_path / "m.safetensors")
    assert (again.scale, again.scale_reason_) == (scale, model.scale_reason_)
    np.testing.assert_array_equal(again.score_samples(y), model.score_samples(y))
    np.testing.assert_array_equal(again.predict(y), model.predict(y))
    assert model.elbo_ == pytest.approx(model.score(y), abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["log", "robust"])
def test_a_density_of_warped_columns_integrates_to_no_more_than_one(scale):
    rng = np.random.default_rng(0)
    y = np.exp(rng.normal(size=(300, 1)))
    model = quick(n_clusters=1, scale=scale, epochs=20, hidden_size=16).fit(y)
    grid = np.concatenate([-np.geomspace(1e-6, 1e3, 400)[::-1], [0], np.geomspace(1e-6, 1e3, 800)])
    total = integrate.trapezoid(np.exp(model.score_samples(grid[:, None])), grid)
    assert 0.5 < total < 1.03


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["log", "unit", "robust"])
def test_the_exported_encoder_scales_in_the_same_way(tmp_path, scale):
    onnxruntime = pytest.importorskip("onnxruntime")
    y, _ = lognormal()
    model = quick(scale=scale).fit(y)
    export(model, tmp_path)
    run = onnxruntime.InferenceSession(tmp_path / "encoder.onnx").run
    probabilities, _, x = run(None, {"y": y[:50]})
    np.testing.assert_allclose(probabilities, model.predict_proba(y[:50]), atol=1e-6)
    decode = onnxruntime.InferenceSession(tmp_path / "decoder.onnx").run
    (back,) = decode(None, {"x": x})
    np.testing.assert_allclose(back, model.inverse_transform(x), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_clusters_of_lognormal_columns_are_found():
    for seed in range(3):
        y, labels = lognormal(seed)
        found = {
            s: GMVAE(3, random_state=0, init="kmeans", epochs=10, scale=s).fit(y)
            for s in ("auto", "standard")
        }
        scores = {s: adjusted_rand_score(labels, model.labels_) for s, model in found.items()}
        assert scores["auto"] > 0.95
        assert "heavy-tails" not in {finding.name for finding in found["auto"].findings_}
        (finding,) = (f for f in found["standard"].findings_ if f.name == "heavy-tails")
        assert "scale=robust or scale=log" in finding.advice


@pytest.mark.slow
def test_the_shell_reports_the_scale_too(tmp_path):
    y, _ = lognormal()
    np.save(tmp_path / "y.npy", y)
    flags = ["--clusters", 3, "--epochs", 2, "--init", "random", "--hidden-size", 16, "--plot-every", 0]
    train = ["train", "data", "--path", tmp_path / "y.npy", *flags, "--seed", 0]
    said = here(*train, "--run-dir", tmp_path / "auto")
    assert "y.npy has columns with heavy tails, so scale auto takes the logarithm of 4 columns" in said.out
    assert "scale" in here("info", tmp_path / "auto").out
    said = here(*train, "--scale", "standard", "--run-dir", tmp_path / "standard")
    assert "Columns with heavy tails" in said.out
    assert "0, 1, 2, 3" in said.out
    model = quick(scale="standard", epochs=2, hidden_size=16, x_size=10, w_size=10).fit(y)
    assert "heavy-tails" in {finding.name for finding in model.findings_}
    said = here(*train, "--scale", "log", "--likelihood", "bernoulli", "--run-dir", tmp_path / "none")
    assert "--scale is 'log' and --likelihood is 'bernoulli'" in bad(said)


def test_runs_of_earlier_versions_have_a_scale():
    given = Config().to_json()
    for before, now in ((True, "standard"), (False, "none")):
        data = {name: value for name, value in given["data"].items() if name != "scale"}
        assert Config.from_json({**given, "data": {**data, "standardise": before}}).data.scale == now


# ---- a stream


class Batches:
    """An object that yields rows in batches each time it is iterated."""

    def __init__(self, y: np.ndarray) -> None:
        self.y = y

    def __iter__(self) -> Iterator[np.ndarray]:
        yield from (self.y[i : i + 50] for i in range(0, len(self.y), 50))


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["auto", *SELDOM])
def test_a_stream_is_scaled_as_rows_in_memory_are(scale):
    y = lognormal()[0]
    y[7, 1] = 1e7
    streamed, in_memory = (quick(scale=scale, epochs=1).fit(rows) for rows in (Batches(y), y))
    assert streamed.scale_reason_ == in_memory.scale_reason_
    for name in ("mean", "scale", "kept"):
        np.testing.assert_allclose(
            getattr(streamed._scaling, name), getattr(in_memory._scaling, name), rtol=1e-9
        )
    np.testing.assert_allclose(streamed._scaling.apply(y), in_memory._scaling.apply(y), rtol=1e-9)
    names = [{f.name for f in model.findings_} & {"heavy-tails"} for model in (streamed, in_memory)]
    assert names[0] == names[1]


@pytest.mark.parametrize("blocks", [[7, 100, 1, 20_000, 3, 50_000, 12_345], [82_456], [1] * 50])
def test_the_sample_of_a_stream_is_every_kth_row(blocks):
    sample, start = Sample(SAMPLED_ROWS), 0
    for size in blocks:
        sample.add(np.arange(start, start + size)[:, None])
        start += size
    rows = sample.rows[:, 0]
    step = max(1, int(np.diff(rows).max()))
    np.testing.assert_array_equal(rows, np.arange(0, start, step))
    assert start <= SAMPLED_ROWS or SAMPLED_ROWS / 2 <= len(rows) <= SAMPLED_ROWS
