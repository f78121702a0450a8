"""The unit of a table changes neither its likelihood nor its clusters."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_iris
from sklearn.metrics import adjusted_rand_score
from small_fits import quick

from gmvae.data.files.read import read_file
from gmvae.data.prepare import prepare

CPU = torch.device("cpu")


def chosen(y, **more):
    return quick(init="random", epochs=1, **more).fit(y).likelihood_


def texts(words, rng):
    """TF-IDF of 300 texts with a given mean number of words, in rows of length 1."""
    rates = 1 / np.arange(1, 81)
    counts = np.stack([rng.multinomial(1 + rng.poisson(words - 1), rates / rates.sum()) for _ in range(300)])
    weighed = counts * (1 + np.log(301 / (1 + (counts > 0).sum(0))))
    return weighed / np.linalg.norm(weighed, axis=1, keepdims=True)


def mixed(rng, scale):
    """Two one-hot columns of five values, and a measurement."""
    return np.hstack([*(np.eye(5)[rng.integers(5, size=(2, 300))]), scale * rng.random((300, 1))])


def by_range(y):
    return (y - y.min(0)) / np.ptp(y, axis=0)


IRIS = load_iris().data
BINARY = {
    "zeros and ones": lambda rng: rng.random((200, 6)) < 0.3,
    "rare ones": lambda rng: rng.random((400, 6)) < 0.02,
    "one-hot": lambda rng: np.eye(6)[rng.integers(6, size=200)],
    "digits": lambda _: load_digits().data[:500] / 16,
}
MEASURED = {
    "iris / 200": lambda _: IRIS / 200,
    "iris / 1e6": lambda _: IRIS / 1e6,
    "iris by range": lambda _: by_range(IRIS),
    "petals by range": lambda _: by_range(IRIS[:, 2:]),
    "three clusters by range": lambda rng: by_range(
        np.array([[0, 0], [9, 0], [0, 9]])[rng.integers(3, size=200)] + rng.normal(size=(200, 2))
    ),
    "two ends by range": lambda rng: by_range(
        np.eye(2)[rng.integers(2, size=200)] + 0.01 * rng.normal(size=(200, 2))
    ),
    "shares": lambda _: IRIS / IRIS.sum(1, keepdims=True),
    "peaked shares": lambda rng: rng.dirichlet([0.05] * 5, 400),
    "rounded peaked shares": lambda rng: rng.dirichlet([0.1] * 5, 400).round(2),
    "long texts": lambda rng: texts(40, rng),
    "short texts": lambda rng: texts(2, rng),
    "even": lambda rng: rng.random((400, 6)),
    "skewed by range": lambda rng: (lambda y: y / y.max(0))(rng.lognormal(0, 2, (500, 4))),
    "one-hot and a small measurement": lambda rng: mixed(rng, 1e-3),
    "one-hot and a measurement by range": lambda rng: mixed(rng, 1.0),
    "zeros and small numbers": lambda rng: (rng.random((300, 5)) < 0.3) * 1e-3,
}


@pytest.mark.parametrize("name", BINARY)
def test_zeros_ones_and_levels_that_gather_there_are_bernoulli(name):
    assert chosen(BINARY[name](np.random.default_rng(0)).astype(float)) == "bernoulli"


@pytest.mark.parametrize("name", MEASURED)
def test_measurements_shares_and_tf_idf_are_gaussian(name):
    assert chosen(MEASURED[name](np.random.default_rng(0))) == "gaussian"


@pytest.mark.slow
def test_levels_of_images_are_bernoulli_as_a_table(mnist_dir):
    from gmvae.data.sets.idx import read_idx

    images = read_idx(mnist_dir / "t10k-images-idx3-ubyte.gz")[:300].reshape(300, -1)
    usps = mnist_dir.parent / "usps.npz"
    for levels in (images, *([np.load(usps)["X"][::6]] if usps.exists() else [])):
        assert chosen(levels / 255) == "bernoulli"
        assert chosen(levels / 255 / 255) == chosen(levels.astype(float)) == "gaussian"


def test_images_of_another_unit_are_gaussian():
    y = np.random.default_rng(0).random((60, 144))
    shape = {"image_shape": (12, 12), "network": "fc"}
    assert chosen(y, **shape) == "bernoulli"
    assert chosen(y / 255, **shape) == "gaussian"


@pytest.fixture(scope="module")
def three():
    """Three clear clusters of values from 1 to 10, (150, 3), and their labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat(range(3), 50)
    return np.array([[2, 8, 5], [8, 2, 5], [5, 5, 9.0]])[labels] + rng.normal(0, 0.3, (150, 3)), labels


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "origin"),
    [(1e-3, 0), (1e-60, 0), (1e160, 0), (1, 1e9), (1e-60, 1e-51)],
)
def test_units_never_change_clusters(three, unit, origin):
    y, labels = three
    y = y * unit + origin
    model = quick(init="kmeans", epochs=20).fit(y)
    assert (model.likelihood_, adjusted_rand_score(labels, model.labels_)) == ("gaussian", 1.0)
    for drawn in (model.sample(300)[0], model.inverse_transform(model.transform(y))):
        centred = (drawn - origin) / unit
        assert ((centred > -5) & (centred < 15)).all()
        assert centred.std(0).min() > 0.3
    # a density in other units: the logarithm of the unit, a column
    assert abs(model.score(y) + 3 * np.log(unit) + 2) < 4


@pytest.mark.slow
@pytest.mark.parametrize("init", ["kmeans", "random"])
def test_another_unit_is_the_same_fit_to_the_bit(init):
    """With iris, of which two groups overlap, so that some rows are unclear."""
    first = quick(init=init, epochs=4).fit(IRIS)
    for unit, origin in ((2, 0), (1 / 200, 0), (1e-60, 0), (3, 1000), (1e9, -1e9)):
        other = quick(init=init, epochs=4).fit(IRIS * unit + origin)
        np.testing.assert_array_equal(other.labels_, first.labels_)
        assert same_weights(first, other)


@pytest.mark.slow
def test_levels_and_fractions_of_images_are_the_same_fit():
    levels = (load_digits().data[:200] * 15).astype(np.uint8)
    options = {"image_shape": (8, 8), "network": "fc", "init": "kmeans"}
    first, other = (quick(**options).fit(y) for y in (levels, levels / 255))
    assert (first.likelihood_, other.likelihood_) == ("bernoulli", "bernoulli")
    np.testing.assert_array_equal(other.labels_, first.labels_)
    assert same_weights(first, other)


def same_weights(first, other):
    """Whether two fits have the same numbers in their networks."""
    pairs = zip(first.model_.state_dict().values(), other.model_.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_columns_of_all_units_count(three):
    y, labels = three
    model = quick(init="kmeans", epochs=20)
    found = model.fit_predict(y * [1e-60, 1e60, 1] + [0, 0, 1e8])
    assert adjusted_rand_score(labels, found) == 1


def test_files_of_small_units_are_read_like_others(three, tmp_path):
    y, _ = three
    for unit in (1, 1e-60):
        np.save(tmp_path / "t.npy", y * unit)
        made = prepare(read_file(tmp_path / "t.npy").y, device=CPU)
        assert made.likelihood == "gaussian"
        np.testing.assert_allclose(made.everything.tensor(), (y - y.mean(0)) / y.std(0), atol=3e-6)
    for scaled in (y * 1e-60, y * 1e-3 + 1e7):
        np.save(tmp_path / "t.npy", scaled)
        with pytest.raises(
            ValueError, match=r"column 0 of t\.npy goes from .* too near each other for float32"
        ):
            prepare(read_file(tmp_path / "t.npy").y, device=CPU, name="t.npy", scale="none")
