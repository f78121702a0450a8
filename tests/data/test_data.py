"""Generated points compared with the paper's file, and files compared with what was written."""

import hashlib
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

from gmvae.data import dataset
from gmvae.data.dataset import Dataset
from gmvae.data.files.arrays import read_array
from gmvae.data.load import load
from gmvae.data.prepare import as_it_is
from gmvae.data.sets.spiral import spiral


def arcs(y: np.ndarray) -> list[np.ndarray]:
    """The five arcs of a spiral, found by density alone, without their few outliers."""
    found = DBSCAN(eps=0.08, min_samples=3).fit_predict(y)
    parts = [y[found == k] for k in range(found.max() + 1)]
    parts = [part for part in parts if len(part) > 100]
    assert len(parts) == 5
    return sorted(parts, key=lambda part: np.arctan2(*part.mean(0)[::-1]))


def bend(arc: np.ndarray) -> dict[str, float]:
    """The circle that fits an arc best, and how the points lie around and along it."""
    circle = optimize.least_squares(
        lambda c: np.hypot(*(arc - c[:2]).T) - c[2], [*(0.7 * arc.mean(0)), 0.4]
    ).x
    across = np.hypot(*(arc - circle[:2]).T) - circle[2]
    towards = np.arctan2(circle[1], circle[0])
    along = np.arctan2(*(arc - circle[:2]).T[::-1]) - towards - np.pi / 2
    along = (along + np.pi) % (2 * np.pi) - np.pi
    return {
        "centre": float(np.hypot(*circle[:2])),
        "direction": float(towards * 5 % (2 * np.pi)),
        "radius": circle[2],
        "width": across.std(),
        "middle": along.mean(),
        "length": along.std(),
        "skew": stats.skew(along),
        "kurtosis": stats.kurtosis(across),
        "count": len(arc) / 5000,
    }


def test_generated_spiral_has_the_shape_of_the_papers(spiral_file):
    paper, ours = np.load(spiral_file).astype(float), spiral().y.astype(float)
    assert ours.shape == paper.shape
    np.testing.assert_allclose(ours.mean(0), paper.mean(0), atol=0.03)
    np.testing.assert_allclose(np.cov(ours.T), np.cov(paper.T), atol=0.012)
    assert stats.ks_2samp(np.hypot(*ours.T), np.hypot(*paper.T)).pvalue > 0.01
    tolerance = {
        "centre": 0.01,
        "direction": 0.1,
        "radius": 0.01,
        "width": 0.0015,
        "middle": 0.05,
        "length": 0.03,
        "skew": 0.3,
        "kurtosis": 0.4,
        "count": 0.02,
    }
    theirs, mine = ([bend(arc) for arc in arcs(y)] for y in (paper, ours))
    for key, allowed in tolerance.items():
        means = [
            np.mean([np.cos(a[key]) if key == "direction" else a[key] for a in s]) for s in (theirs, mine)
        ]
        assert means[0] == pytest.approx(means[1], abs=allowed), key


def test_generated_spiral_has_the_same_density_as_the_papers(spiral_file):
    paper, ours = np.load(spiral_file), spiral().y
    turn = np.linspace(-1.1, 1.1, 23)
    theirs, mine = (np.histogram2d(*y.T, bins=[turn, turn])[0].ravel() for y in (paper, ours))
    assert np.corrcoef(theirs, mine)[0, 1] > 0.97


def test_labels_of_the_generated_spiral_are_its_arcs():
    data = spiral(seed=4)
    found = DBSCAN(eps=0.08, min_samples=3).fit_predict(data.y)
    in_an_arc = found >= 0
    assert in_an_arc.mean() > 0.99
    assert adjusted_rand_score(data.labels[in_an_arc], found[in_an_arc]) > 0.99


def test_generated_spiral_follows_its_options():
    assert spiral(points=30, arms=3, seed=1).y.shape == (30, 2)
    assert set(spiral(points=3000, arms=7).labels) == set(range(7))
    np.testing.assert_array_equal(spiral(seed=5).y, spiral(seed=5).y)
    assert not np.array_equal(spiral(seed=5).y, spiral(seed=6).y)
    assert spiral(seed=5).fingerprint() == spiral(seed=5).fingerprint() != spiral(seed=6).fingerprint()


def test_torch7_file_is_the_same_as_the_array(spiral_file):
    tensor = read_array(spiral_file.with_suffix(".t7"))
    np.testing.assert_array_equal(tensor.astype(np.float32), np.load(spiral_file))


def torch7(kind: str, storage: str, values: np.ndarray, strides: tuple[int, ...], offset: int = 1) -> bytes:
    """A tensor as Torch7 writes it."""

    def text(string: str) -> bytes:
        return struct.pack("<i", len(string)) + string.encode()

    def head(index: int, name: str) -> bytes:
        return struct.pack("<ii", 4, index) + text("V 1") + text(name)

    sizes = struct.pack(f"<i{values.ndim}q", values.ndim, *values.shape)
    rest = struct.pack(f"<{len(strides)}qq", *strides, offset)
    return (
        head(1, kind) + sizes + rest + head(2, storage) + struct.pack("<q", values.size) + values.tobytes("A")
    )


def test_torch7_strides_are_followed(tmp_path):
    values = np.arange(6, dtype="<f8").reshape(2, 3)
    path = tmp_path / "t.t7"
    path.write_bytes(torch7("torch.DoubleTensor", "torch.DoubleStorage", values, (3, 1)))
    np.testing.assert_array_equal(read_array(path), values)
    path.write_bytes(torch7("torch.DoubleTensor", "torch.DoubleStorage", values, (1, 2)))
    np.testing.assert_array_equal(read_array(path), [[0, 2, 4], [1, 3, 5]])


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-1],
        lambda b: b[:20],
        lambda b: b"",
        lambda b: b[:4] + b"\xff" * 8 + b[12:],
        lambda b: b.replace(b"torch.DoubleTensor", b"torch.HalfishTensr"),
        lambda b: b.replace(struct.pack("<q", 3), struct.pack("<q", 1 << 40)),
        lambda b: pickle.dumps([1, 2]),
    ],
)
def test_damaged_torch7_files_are_named(tmp_path, damage):
    values = np.arange(6, dtype="<f8").reshape(2, 3)
    path = tmp_path / "t.t7"
    path.write_bytes(damage(torch7("torch.DoubleTensor", "torch.DoubleStorage", values, (3, 1))))
    with pytest.raises(ValueError, match=r"t\.t7"):
        read_array(path)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_pickles_are_not_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([Bomb(), 1], dtype=object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Bomb()))
    for name, said in (
        ("a.npy", "holds Python objects"),
        ("b.npy", "is not a complete .npy file of numbers"),
    ):
        with pytest.raises(ValueError, match=f"{name} {said}"):
            read_array(tmp_path / name)


def test_files_of_other_kinds_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"data.csv ends in '.csv': it must be a .npy or a .t7 file"):
        read_array(tmp_path / "data.csv")
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    with pytest.raises(ValueError, match=r"words.npy holds text \(<U1\): save a table"):
        read_array(tmp_path / "words.npy")
    with pytest.raises(FileNotFoundError):
        read_array(tmp_path / "none.npy")


def test_labels_belong_to_the_data(tmp_path):
    np.save(tmp_path / "y.npy", np.random.default_rng(0).normal(size=(6, 3)))
    np.save(tmp_path / "labels.npy", np.array([0, 0, 1, 1, 2, 2.0]))
    paths = {"path": str(tmp_path / "y.npy"), "labels_path": str(tmp_path / "labels.npy")}
    data = load(**paths)
    assert data.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert (data.name, data.y.dtype, data.y_shape) == ("y.npy", np.float64, (3,))
    np.save(tmp_path / "labels.npy", np.array([0.5] * 6))
    with pytest.raises(ValueError, match="labels must be whole numbers"):
        load(**paths)
    np.save(tmp_path / "labels.npy", np.arange(5))
    with pytest.raises(ValueError, match=r"labels of y.npy have shape \(5,\), the observations \(6, 3\)"):
        load(**paths)


def test_numbers_that_are_missing_are_counted():
    y = np.ones((4, 2), dtype=np.float32)
    y[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"bad has 1 of 4 observations with a missing .* number 2"):
        Dataset("bad", y)
    with pytest.raises(ValueError, match=r"flat has shape \(4,\)"):
        Dataset("flat", y[:, 0])


def test_test_data_are_of_the_same_kind():
    y = np.ones((4, 2), dtype=np.float32)
    assert Dataset("t", y, test=Dataset("t test", y[:3])).test.name == "t test"
    with pytest.raises(ValueError, match=r"test data of t have shape \(4, 1\) .* training \(4, 2\)"):
        Dataset("t", y, test=Dataset("t test", y[:, :1]))
    with pytest.raises(ValueError, match=r"test data of t have .*\(uint8\).*\(float32\)"):
        Dataset("t", y, test=Dataset("t test", y.astype(np.uint8)))


def test_types_of_numbers_are_checked():
    y = np.ones((4, 2), dtype=np.float32)
    for kind in ("u1", "i2", "u4", "i8", "?"):
        assert Dataset("t", y, np.array([0, 1, 1, 0], dtype=kind)).labels.dtype == np.int64
    with pytest.raises(ValueError, match="labels of t are of type float64: they must be whole"):
        Dataset("t", y, np.zeros(4))
    with pytest.raises(ValueError, match="t has values of type complex64: they must be real numbers"):
        Dataset("t", y.astype(np.complex64))


def test_fingerprint_is_of_shape_and_numbers(monkeypatch):
    y = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    whole = hashlib.sha256(b"(50, 6)" + y.tobytes()).hexdigest()
    assert Dataset("t", y).fingerprint() == whole
    monkeypatch.setattr(dataset, "CHUNK", 40)
    assert Dataset("t", y).fingerprint() == whole
    assert Dataset("t", np.asfortranarray(y)).fingerprint() == whole
    assert Dataset("t", y, np.arange(50), Dataset("u", y[:9])).fingerprint() == whole
    levels = y.astype(np.uint8)
    assert (
        Dataset("t", levels).fingerprint() == hashlib.sha256(b"(50, 6)uint8" + levels.tobytes()).hexdigest()
    )
    bad = y.copy()
    bad[41, 3] = bad[49, 0] = np.inf
    with pytest.raises(ValueError, match=r"2 of 50 .* number 41"):
        Dataset("t", bad)


def test_checks_and_fingerprints_need_little_memory():
    y = np.zeros((1_000_000, 16), dtype=np.float32)
    tracemalloc.start()
    try:
        Dataset("t", y[:, ::-1][:, ::-1]).fingerprint()
        Dataset("t", y.reshape(1000, -1).T).fingerprint()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < y.nbytes / 2


def test_a_sample_of_the_observations_is_evenly_spaced():
    data = Dataset("ten", np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10))
    rows = as_it_is(data, "gaussian", torch.device("cpu")).everything
    for subset in (rows.spaced(4), rows.sample(4)):
        assert subset.tensor().tolist() == [[0, 1], [6, 7], [12, 13], [18, 19]]
        assert data.labels[subset.order].tolist() == [0, 3, 6, 9]
    assert rows.spaced(None).tensor().shape == (10, 2)
