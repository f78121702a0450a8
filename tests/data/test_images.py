"""The published images compared with known facts, and every way in which their files can be damaged."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import io
from small_files import NAMES, complaint, idx, small, write_small

from gmvae.data.dataset import Dataset, scaled
from gmvae.data.load import load
from gmvae.data.sets import images, locate
from gmvae.data.sets.idx import read_idx
from gmvae.data.sets.images import mnist, svhn
from gmvae.data.sets.matlab import MatlabFile

pytestmark = pytest.mark.usefixtures("alone")
MNIST_MD5 = {  # of the unpacked files
    "train images": "6bbc9ace898e44ae57da46a324031adb",
    "train labels": "a25bea736e30d166cdddb491f175f624",
    "test images": "2646ac647ad5339dbf082846283269ea",
    "test labels": "27ae3e4e09519cfbb04c329615203637",
}
DEBIAN = Path("/usr/share/datasets")


# ---- MNIST and Fashion-MNIST


@pytest.mark.slow
def test_mnist_is_what_was_published(mnist_dir):
    data = mnist(mnist_dir)
    for name, part, count in (("train", data, 60_000), ("test", data.test, 10_000)):
        assert (part.y.shape, part.y.dtype, part.labels.dtype) == ((count, 1, 28, 28), np.uint8, np.int64)
        digests = [hashlib.md5(idx(array)).hexdigest() for array in (part.y[:, 0], part.labels.astype("u1"))]
        assert digests == [MNIST_MD5[f"{name} images"], MNIST_MD5[f"{name} labels"]]
    assert data.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(data.labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert (data.name, data.folder, data.test.test) == ("mnist", str(mnist_dir), None)
    tensor = torch.from_numpy(data.y)
    assert tensor.dtype == torch.uint8
    assert tensor.data_ptr() == data.y.ctypes.data
    assert scaled(tensor[:100]).mean() == pytest.approx(data.y[:100].mean() / 255, rel=1e-6)


@pytest.mark.slow
def test_fashion_mnist_is_found_where_debian_puts_it(monkeypatch):
    if not (DEBIAN / "fashion-mnist" / NAMES[0]).exists():
        pytest.skip(f"Fashion-MNIST is not in {DEBIAN}: install dataset-fashion-mnist")
    monkeypatch.setattr(locate, "AFTER", (str(DEBIAN),))
    data = load("fashion_mnist")
    assert (data.name, data.folder) == ("fashion_mnist", str(DEBIAN / "fashion-mnist"))
    assert data.labels[:5].tolist() == [9, 0, 0, 3, 0]
    assert np.bincount(data.labels).tolist() == [6000] * 10
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    for part, name in ((data, NAMES[0]), (data.test, NAMES[2])):
        with gzip.open(DEBIAN / "fashion-mnist" / name) as file:
            assert hashlib.md5(file.read()[16:]).digest() == hashlib.md5(part.y.tobytes()).digest()


@pytest.mark.parametrize("packed", [True, False])
def test_small_files_of_the_same_form(tmp_path, packed):
    data = mnist(write_small(tmp_path / "mine", packed=packed))
    y, labels = small()
    np.testing.assert_array_equal(data.y, y[:, None])
    np.testing.assert_array_equal(data.labels, labels)
    np.testing.assert_array_equal(data.test.y, small(seed=100)[0][:, None])
    data.y[0] = 0  # torch would warn about a read-only array


def test_packed_files_are_recognised_by_content(tmp_path):
    y, _ = small()
    (tmp_path / "a").write_bytes(gzip.compress(idx(y)))
    (tmp_path / "b.gz").write_bytes(idx(y))
    for name in ("a", "b.gz"):
        np.testing.assert_array_equal(read_idx(tmp_path / name), y)


WHOLE = idx(small()[0])
PACKED = gzip.compress(WHOLE, mtime=0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n <!DOCTYPE html><html>", "is a web page, not data"),
        (b"\xef\xbb\xbf<html>", "is a web page, not data"),
        (b"PK\x03\x04", "is not an IDX file of bytes, which begins with 0 0 8: it begins with 80 75 3 4"),
        (gzip.compress(b"", mtime=0), "is not an IDX file.*: it begins with nothing"),
        (b"\0\0\x0d" + WHOLE[3:], "is not an IDX file.*: it begins with 0 0 13 3"),
        (WHOLE[:3], "is not an IDX file.*: it begins with 0 0 8"),
        (WHOLE[:11], "is cut off in its header, which promises 3 dimensions"),
        (b"\0\0\x08\0", "is cut off in its header, which promises 0 dimensions"),
        (WHOLE[:-1], "holds 119 numbers, but its header says 6 x 4 x 5 = 120"),
        (WHOLE + b"\0", "holds 121 numbers, but its header says 6 x 4 x 5 = 120"),
        (gzip.compress(WHOLE[:-7], mtime=0), "holds 113 numbers, but its header says 6 x 4 x 5 = 120"),
        (PACKED[:-20], "is a gzip file that is cut off or broken"),
        (PACKED[:5], "is a gzip file that is cut off or broken"),
        (PACKED[:-8] + bytes(4) + PACKED[-4:], "is a gzip file that is cut off or broken"),
        (PACKED[:-4] + bytes(4), "is a gzip file that is cut off or broken"),
        (PACKED[:10] + b"\xff" * 40, "is a gzip file that is cut off or broken"),
        (PACKED + b"more", "is a gzip file that is cut off or broken"),
    ],
)
def test_damaged_idx_files_are_named(tmp_path, content, said):
    (tmp_path / "t.gz").write_bytes(content)
    with complaint(rf"t\.gz {said}.*: delete it and fetch it again"):
        read_idx(tmp_path / "t.gz")


@pytest.mark.parametrize("whole", [WHOLE, PACKED])
def test_an_idx_file_cut_off_anywhere_is_named(tmp_path, whole):
    for length in range(len(whole)):
        (tmp_path / "t").write_bytes(whole[:length])
        with complaint("t .*: delete it and fetch it again"):
            read_idx(tmp_path / "t")


def test_images_and_labels_that_do_not_belong_together(tmp_path):
    folder = write_small(tmp_path)
    (folder / NAMES[1]).write_bytes(idx(small(5)[1]))
    with complaint(rf"{NAMES[0]} holds 6 images and .*{NAMES[1]} 5 labels"):
        mnist(folder)
    (folder / NAMES[1]).write_bytes(idx(small()[0]))
    with complaint(rf"{NAMES[1]} has 3 dimensions: images have 3, labels have 1"):
        mnist(folder)
    (folder / NAMES[2]).write_bytes(idx(small()[0][:, :3]))
    (folder / NAMES[1]).write_bytes(idx(small()[1]))
    with complaint(r"test data of mnist have shape \(6, 1, 3, 5\) .*training \(6, 1, 4, 5\)"):
        mnist(folder)


# ---- SVHN


@pytest.fixture(scope="module")
def digits(mnist_dir):
    """MNIST digits in SVHN's format: X of shape (32, 32, 3, N), and labels 1, ..., 10."""
    with gzip.open(mnist_dir / NAMES[2]) as file:
        grey = np.frombuffer(file.read(16 + 300 * 784), np.uint8, offset=16).reshape(300, 28, 28)
    with gzip.open(mnist_dir / NAMES[3]) as file:
        labels = np.frombuffer(file.read(8 + 300), np.uint8, offset=8)
    grey = np.pad(grey, ((0, 0), (2, 2), (2, 2)))
    X = np.stack([grey, grey // 2, 255 - grey], axis=1).transpose(2, 3, 1, 0)
    return X, np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]


def write_svhn(folder: Path, digits, *, packed: bool = True, counts=(50, 20, 30)) -> Path:
    X, y = digits
    folder.mkdir(parents=True, exist_ok=True)
    start = 0
    for name, count in zip(images.SVHN.files, counts, strict=True):
        part = slice(start, start + count)
        io.savemat(folder / name, {"X": X[..., part], "y": y[part]}, do_compression=packed)
        start += count
    return folder


@pytest.mark.parametrize("packed", [True, False])
def test_svhn_is_what_scipy_reads(tmp_path, digits, packed, monkeypatch):
    monkeypatch.setattr(images, "BLOCK", 7)
    folder = write_svhn(tmp_path / "SVHN", digits, packed=packed)
    train, test, extra = (io.loadmat(folder / name) for name in images.SVHN.files)
    data = load("svhn", data_dir=str(tmp_path))
    for part, read in ((data, train), (data.test, test)):
        assert part.y.dtype == np.uint8
        np.testing.assert_array_equal(part.y, read["X"].transpose(3, 2, 0, 1))
        np.testing.assert_array_equal(part.labels, read["y"][:, 0] % 10)
    assert 10 in train["y"]
    assert (data.name, data.folder, data.y_shape) == ("svhn", str(folder), (3, 32, 32))
    more = load("svhn", data_dir=str(tmp_path), extra=True)
    assert more.y.shape == (80, 3, 32, 32)
    np.testing.assert_array_equal(more.y[:50], data.y)
    np.testing.assert_array_equal(more.y[50:], extra["X"].transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(more.labels[50:], extra["y"][:, 0] % 10)
    np.testing.assert_array_equal(more.test.y, data.test.y)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("count", [2, 3, 4, 5, 8])
def test_other_writers_of_matlab_files(tmp_path, digits, packed, count):
    X, y = digits[0][..., :count], digits[1][:count]
    beside = {
        "about": "digits",
        "s": {"a": 1.5},
        "c": np.array([1, "b"], dtype=object),
        "e": np.zeros((0, 0)),
    }
    for name in images.SVHN.files:
        contents = {"y": y.astype(float), **beside, "a_long_name": np.eye(3), "X": X}
        io.savemat(tmp_path / name, contents, do_compression=packed)
    data = svhn(tmp_path)
    np.testing.assert_array_equal(data.y, X.transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(data.labels, y[:, 0] % 10)
    file = MatlabFile(tmp_path / "test_32x32.mat")
    np.testing.assert_array_equal(file["a_long_name"].read(), np.eye(3))
    assert file["e"].read().shape == (0, 0)
    with complaint("has a s of class struct: it must be numbers"):
        file["s"].read()


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8", "i8", "u8"])
def test_numbers_of_every_kind(tmp_path, kind):
    array = np.arange(24).reshape(2, 3, 4).astype(kind)
    io.savemat(tmp_path / "t.mat", {"a": array}, do_compression=True)
    variable = MatlabFile(tmp_path / "t.mat")["a"]
    np.testing.assert_array_equal(variable.read(), array)
    assert variable.read().dtype == array.dtype
    blocks = [block.shape for block in variable.blocks(3)]
    assert blocks == [(2, 3, 3), (2, 3, 1)]


def svhn_said(tmp_path: Path, digits, said: str, **changes: object) -> None:
    folder = write_svhn(tmp_path, digits, counts=(5, 5, 5))
    contents = {"X": digits[0][..., :5], "y": digits[1][:5], **changes}
    io.savemat(folder / "test_32x32.mat", {k: v for k, v in contents.items() if v is not None})
    with complaint(rf"test_32x32\.mat {said}"):
        svhn(folder)


def test_svhn_files_of_another_content_are_named(tmp_path, digits):
    X, y = digits[0][..., :5], digits[1][:5]
    svhn_said(tmp_path, digits, "has no variable X, only y: save it again with X in it", X=None)
    svhn_said(tmp_path, digits, "has no variable y, only X", y=None)
    svhn_said(tmp_path, digits, "has no variable X, only a header", X=None, y=None)
    svhn_said(tmp_path, digits, r"has a X of class double and shape \(32, 32, 3, 5\)", X=X.astype(float))
    svhn_said(tmp_path, digits, r"has a X of class uint8 and shape \(5, 3, 32, 32\): it must be", X=X.T)
    svhn_said(tmp_path, digits, r"has a X of class uint8 and shape \(32, 32, 3\)", X=X[..., 0])
    svhn_said(tmp_path, digits, "holds 5 images in X and 4 labels in y", y=y[:4])
    svhn_said(tmp_path, digits, r"has a y of class uint8 and shape \(5, 2\)", y=np.hstack([y, y]))
    svhn_said(tmp_path, digits, "has numbers in y that are not whole", y=y + 0.5)
    svhn_said(tmp_path, digits, "has a y of class cell", y=np.array([["a"]] * 5, dtype=object))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda b: b"", "is empty: delete it"),
        (lambda b: b"<html>" + b, "is a web page, not data: delete it"),
        (lambda b: b[:100], "is not a MATLAB 5 file: delete it"),
        (lambda b: WHOLE * 5, "is not a MATLAB 5 file: delete it"),
        (lambda b: b"MATLAB 7.3 MAT-file" + b[19:], r"is a MATLAB 7.3 file \(HDF5\).*save\(..., '-v7'\)"),
        (lambda b: b"\x89HDF\r\n\x1a\n" + b[8:], "is a MATLAB 7.3 file"),
        (lambda b: b[:124] + b"\x01\x00MI" + b[128:], "is a big-endian MATLAB file"),
        (lambda b: b[:-1], "is cut off: it has .* of at least .* bytes: delete it"),
        (lambda b: b[:131], "is cut off: it has 131 of at least 136 bytes: delete it"),
        (lambda b: b[:128] + b"\x63" + b[129:], "has an element of type 99 at byte 136"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [True, False])
def test_damaged_matlab_files_are_named(tmp_path, digits, damage, said, packed):
    path = write_svhn(tmp_path, digits, packed=packed) / "train_32x32.mat"
    path.write_bytes(damage(path.read_bytes()))
    with complaint(rf"train_32x32\.mat {said}"):
        svhn(tmp_path)


def outcome(folder: Path) -> Dataset | str:
    try:
        return svhn(folder)
    except ValueError as error:
        return str(error)


@pytest.mark.slow
@pytest.mark.parametrize("packed", [True, False])
def test_a_matlab_file_damaged_anywhere_is_read_or_named(tmp_path, digits, packed):
    path = write_svhn(tmp_path, digits, packed=packed, counts=(3, 3, 3)) / "train_32x32.mat"
    whole, expected = path.read_bytes(), svhn(tmp_path)
    for length in range(128, len(whole), 41):
        path.write_bytes(whole[:length])
        with complaint(r"train_32x32\.mat"):
            svhn(tmp_path)
    spoilt = 0
    heads = [*range(124, 220), *range(len(whole) - 100, len(whole))]
    for number, position in enumerate([*heads, *range(220, len(whole) - 100, 101)]):
        wrong = whole[position] ^ (0x01, 0x80, 0xFF)[number % 3]
        path.write_bytes(whole[:position] + bytes([wrong]) + whole[position + 1 :])
        read = outcome(tmp_path)
        if isinstance(read, str):
            assert "train_32x32.mat" in read
            assert "\n" not in read
            spoilt += 1
        elif packed:  # what is not packed has no checksum
            np.testing.assert_array_equal(read.y, expected.y)
            np.testing.assert_array_equal(read.labels, expected.labels)
    assert spoilt > 50


@pytest.mark.slow
def test_svhn_is_never_in_memory_twice(tmp_path):
    rng = np.random.default_rng(0)
    for name, count, packed in zip(images.SVHN.files, (12_000, 50, 8_000), (False, True, True), strict=True):
        one = rng.integers(256, size=(32, 32, 3, 1), dtype=np.uint8)
        X = np.asfortranarray(np.broadcast_to(one, (32, 32, 3, count)))
        X[0, 0, 0] = np.arange(count) % 251
        io.savemat(tmp_path / name, {"X": X, "y": np.ones((count, 1), np.uint8)}, do_compression=packed)
    del X
    tracemalloc.start()
    try:
        data = svhn(tmp_path, extra=True)
        data.fingerprint()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert data.y.shape == (20_000, 3, 32, 32)
    assert (data.y[:12_000, 0, 0, 0] == np.arange(12_000) % 251).all()
    assert (data.y[12_000:, 0, 0, 0] == np.arange(8_000) % 251).all()
    assert data.y.nbytes < peak < 1.3 * data.y.nbytes


@pytest.mark.slow
def test_bytes_are_levels():
    y = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    data = Dataset("t", y, np.array([1, 2], dtype=np.uint8))
    assert data.labels.dtype == np.int64
    tensor = torch.from_numpy(data.y)
    assert tensor.dtype == torch.uint8
    torch.testing.assert_close(scaled(tensor), torch.from_numpy(y / np.float32(255)), rtol=0, atol=0)
    numbers = torch.ones(2, dtype=torch.float64)
    assert scaled(numbers) is numbers
    assert data.fingerprint() != Dataset("t", y.astype(np.float32)).fingerprint()


def test_arrays_of_bytes_are_images(tmp_path):
    def loaded(array: np.ndarray) -> Dataset:
        np.save(tmp_path / "y.npy", array)
        return load(path=str(tmp_path / "y.npy"))

    grey = np.arange(2 * 5 * 4, dtype=np.uint8).reshape(2, 5, 4)
    np.testing.assert_array_equal(loaded(grey).y, grey[:, None])
    colour = np.arange(2 * 3 * 5 * 4, dtype=np.uint8).reshape(2, 3, 5, 4)
    assert loaded(colour).y.dtype == np.uint8
    np.testing.assert_array_equal(loaded(colour).y, colour)
    np.testing.assert_array_equal(loaded(np.asfortranarray(colour)).y, colour)
    assert loaded(np.asfortranarray(colour)).fingerprint() == loaded(colour).fingerprint()
    assert loaded(grey[0]).y.dtype == np.float64
    assert loaded(colour / 255).y.dtype == np.float64
    with complaint(r"y\.npy has shape \(2, 5, 4, 3\): images must have shape \(N, channels, height, width\)"):
        loaded(colour.transpose(0, 2, 3, 1))


def test_unknown_data_are_named():
    with complaint("dataset is 'imagenet': it must be spiral, mnist, fashion_mnist, svhn or file"):
        load("imagenet")
