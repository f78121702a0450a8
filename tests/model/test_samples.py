"""Samples and inputs of a model are in the units of its data."""

import numpy as np
import pytest
import torch
from commands import bad, here
from PIL import Image
from small_fits import quick

import gmvae
from gmvae.data.files.read import read_file
from gmvae.data.prepare import as_it_is, prepare

SHAPE = {"image_shape": (8, 8), "network": "fc", "init": "random"}


def pictures(kind=np.uint8):
    """Dim pictures of 8 x 8 with one of two bright halves and a black edge."""
    rng = np.random.default_rng(0)
    y = rng.integers(20, 60, (60, 8, 8))
    y[::2, :4] += 150
    y[1::2, 4:] += 150
    y[:, 0] = 0
    return y.reshape(60, 64).astype(kind)


def shades(model, folder):
    """The grey levels of the picture of a model's samples, 0 to 1."""
    model.save(folder / "m.safetensors")
    said = here("sample", folder / "m.safetensors", "-n", 36, "-o", folder / "x.png")
    assert said.status == 0, said.err
    return np.asarray(Image.open(folder / "x.png").convert("L")) / 255


@pytest.mark.parametrize("likelihood", ["bernoulli", pytest.param("gaussian", marks=pytest.mark.slow)])
def test_a_picture_of_samples_has_the_shades_of_the_data(likelihood, tmp_path):
    found = shades(quick(**SHAPE, likelihood=likelihood, epochs=30).fit(pictures()), tmp_path)
    assert (found > 0.97).mean() < 0.3
    assert (found < 0.03).mean() < 0.5
    assert 0.1 < found.mean() < 0.7


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1e-6, 0.01 / 209, 257.0])
def test_a_picture_of_samples_has_shades_in_any_unit(unit, tmp_path):
    y = pictures().astype(float) * unit
    found = shades(quick(**SHAPE, likelihood="gaussian", epochs=30).fit(y), tmp_path)
    assert (found > 0.97).mean() < 0.3
    assert (found < 0.03).mean() < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("value", [7.0, 0.3, 1e-60, -1e9])
def test_samples_of_identical_rows_are_that_row(value):
    y = np.full((30, 3), value) * [1, 2, 3]
    model = quick(n_clusters=1, likelihood="gaussian").fit(y)
    np.testing.assert_array_equal(model.sample(20)[0], y[:20])
    np.testing.assert_array_equal(model.inverse_transform(model.transform(y)), y)
    assert np.isfinite(model.score(y))


def test_constant_pixels_are_constant_in_samples():
    y = pictures()
    model = quick(**SHAPE, likelihood="gaussian").fit(y)
    assert (model.sample(20)[0][:, :8] == 0).all()
    assert (model.sample(20)[0][:, 8:].std(0) > 1).all()


def test_constant_columns_of_a_bernoulli_model_come_back(tmp_path):
    y = np.random.default_rng(0).integers(0, 2, (60, 3)).astype(float)
    y[:, 1] = 0.2
    model = quick(likelihood="bernoulli", epochs=1).fit(y)
    model.save(tmp_path / "model.safetensors")
    for each in (model, gmvae.load(tmp_path / "model.safetensors")):
        assert each.constant_features_.tolist() == [1]
        samples = each.sample(50)[0]
        assert (samples[:, 1] == 0.2).all()
        assert (np.ptp(samples, axis=0) > 0).tolist() == [True, False, True]


def test_bernoulli_models_refuse_other_ranges(tmp_path):
    y = (np.random.default_rng(0).random((60, 4)) < 0.4).astype(float)
    model = quick(init="random").fit(y)
    said = r"X has values from .* trained on values in \[0, 1\] with likelihood bernoulli"
    for outside in (y + 1, -y, 1e42 * y):
        for method in (model.score_samples, model.score, model.predict, model.predict_proba, model.transform):
            with pytest.raises(ValueError, match=said):
                method(outside)
    model.set_params(warm_start=True)
    with pytest.raises(ValueError, match=said):
        model.fit(y * 2)
    model.save(tmp_path / "m.safetensors")
    np.save(tmp_path / "t.npy", y * 2)
    line = bad(here("predict", tmp_path / "m.safetensors", tmp_path / "t.npy", "-o", tmp_path / "p.csv"))
    assert "X has values from 0 to 2, but the model was trained on values in [0, 1]" in line
    assert not (tmp_path / "p.csv").exists()


def test_levels_and_fractions_are_not_mixed_up():
    y = pictures()
    model = quick(**SHAPE, warm_start=True).fit(y)
    np.testing.assert_array_equal(model.predict(y), model.predict(y.astype(float)))
    for ask in (model.predict, model.score_samples, model.transform, model.fit):
        with pytest.raises(ValueError, match=r"values from 0 to .* pixels from 0 to 255: multiply by 255"):
            ask(y / 255)
    other = quick(**SHAPE, warm_start=True).fit(y / 255)
    for ask in (other.predict, other.fit):
        with pytest.raises(ValueError, match=r"from 0 to 209, .* in \[0, 1\]"):
            ask(y)


@pytest.mark.parametrize(
    ("fitted", "asked"),
    [
        (lambda y: y.astype(np.uint8), lambda y: y / 255),
        (lambda y: y.astype(float), lambda y: y / 255),
        (lambda y: y + 0.3, lambda y: (y + 0.3) / 255),
        (lambda y: y.astype(np.uint16) * 257, lambda y: y.astype(np.uint8)),
        (lambda y: y / 127.5 - 1, lambda y: y.astype(np.uint8)),
    ],
)
def test_units_of_images_are_not_mixed_up_in_a_gaussian_model(fitted, asked, tmp_path):
    y = pictures()
    model = quick(**SHAPE, likelihood="gaussian").fit(fitted(y))
    model.save(tmp_path / "m.safetensors")
    for one in (model, gmvae.load(tmp_path / "m.safetensors", "cpu")):
        one.predict(fitted(y)[:5])
        one.predict(0 * fitted(y)[:5])  # all black
        for ask in (one.predict, one.score_samples, one.transform):
            with pytest.raises(ValueError, match=r"images with values .*: bring them to the same unit"):
                ask(asked(y))


def test_zeros_and_ones_of_images_are_no_levels(tmp_path):
    y = (pictures() > 100).astype(np.uint8)
    model = quick(**SHAPE, epochs=30).fit(y)
    assert (model.likelihood_, set(np.unique(model.sample(50)[0]))) == ("bernoulli", {0, 1})
    np.testing.assert_array_equal(model.predict(y), model.predict(y.astype(float)))
    np.save(tmp_path / "t.npy", y.reshape(-1, 8, 8))
    data = read_file(tmp_path / "t.npy")
    np.testing.assert_array_equal(data.y.reshape(-1, 64), y)
    cpu = torch.device("cpu")
    for made in (
        prepare(data.y.reshape(-1, 64), image_shape=(8, 8), device=cpu),
        as_it_is(data, "auto", cpu),
    ):
        assert made.rows.tensor().max() == made.likelihood.startswith("bernoulli") == 1
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(gmvae.load(tmp_path / "m.safetensors", "cpu").predict(y), model.predict(y))


@pytest.mark.slow
@pytest.mark.parametrize("different", [1, 2])
def test_images_of_which_one_or_two_differ_are_fitted(different):
    y = np.zeros((30, 8, 8), np.uint8) + np.repeat([7, 200], 15)[:, None, None].astype(np.uint8)
    y = y[:15] if different == 1 else y
    model = gmvae.GMVAE(different, hidden_size=16, x_size=2, w_size=2, epochs=3, random_state=0).fit(y)
    assert model.labels_.tolist() == [0] * 15 + [1] * 15 * (different - 1)
