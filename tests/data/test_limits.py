"""Small files that claim a large size are refused before memory is allocated, and damaged files give one line
that names them; each case was found by ``benchmarks/fuzz.py`` or by hand."""

from __future__ import annotations

import gzip
import io
import os
import struct
import threading
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet
from scipy import sparse

from gmvae.data import limits
from gmvae.data.files import tables
from gmvae.data.files.arrays import read_array
from gmvae.data.files.packed import Unpacked
from gmvae.data.files.read import read_file
from gmvae.data.sets.idx import read_idx
from gmvae.data.sets.matlab import MatlabFile

TORCH7 = struct.pack("<iii", 4, 1, 3) + b"V 1" + struct.pack("<i", 17) + b"torch.FloatTensor"
STORAGE = struct.pack("<iii", 4, 2, 3) + b"V 1" + struct.pack("<i", 18) + b"torch.FloatStorage"


def npy(shape: tuple[int, ...], *, header: str | None = None) -> bytes:
    text = header or f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return file.getvalue()


def sparse_of(shape: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    sparse.save_npz(file, sparse.csr_array(([1.0], ([0], [1])), shape))
    return file.getvalue()


def matlab_bomb() -> bytes:
    sizes = struct.pack("<IIii", 5, 8, 1 << 20, 1 << 12)
    head = struct.pack("<IIII", 6, 8, 9, 0) + sizes + struct.pack("<HH4s", 1, 1, b"X")
    matrix = zlib.compress(
        struct.pack("<II", 14, 1 << 31) + head + struct.pack("<II", 2, 1 << 31) + bytes(1 << 20)
    )
    return b" " * 124 + b"\x00\x01IM" + struct.pack("<II", 15, len(matrix)) + matrix


BOMBS = {
    "wide.npy": npy((0, 10**12)),
    "deep.npz": zipped(X__npy=npy((10**4, 100)) + bytes(8 * 10**6)),
    "wide.npz": sparse_of((3, 10**8)),
    "long.npz": sparse_of((10**6, 3)),
    "stride.t7": TORCH7
    + struct.pack("<i6q", 2, 10**5, 10**4, 0, 0, 1, 0)[:-8]
    + STORAGE
    + struct.pack("<qf", 1, 0),
}


@pytest.fixture
def low(monkeypatch):
    """A lower limit, so that bombs are small."""
    monkeypatch.setattr(limits, "UNPACKED", 1 << 22)


@pytest.mark.parametrize("name", BOMBS)
def test_files_that_claim_a_large_size_are_refused_before_allocation(name, tmp_path, low):
    path = tmp_path / name
    path.write_bytes(BOMBS[name])
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=rf"{name} .* at most [\d,]+ are read"):
            read_file(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_packed_files_are_unpacked_little_beyond_the_limit(tmp_path, low, monkeypatch):
    # Arrow reads it in its own thread; tracemalloc.stop() can crash beside one before Python 3.12.9
    sizes = []
    read = Unpacked.read
    monkeypatch.setattr(Unpacked, "read", lambda file, size=-1: sizes.append(size) or read(file, size))
    path = tmp_path / "packed.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * (3 << 20)))
    with pytest.raises(ValueError, match=r"packed\.csv\.gz .* at most [\d,]+ are read"):
        read_file(path)
    assert (
        1 << 22 < sum(sizes) <= 3 << 22
    )  # of 12 MB: a block from which the columns are found, and the first block of rows
    assert min(sizes) > 0


def test_published_formats_have_limits(tmp_path, low):
    (tmp_path / "x.mat").write_bytes(matlab_bomb())
    with pytest.raises(ValueError, match=r"x\.mat has .* at most"):
        MatlabFile(tmp_path / "x.mat")["X"].read()
    idx = bytes([0, 0, 8, 2]) + struct.pack(">II", 1 << 14, 1 << 10)
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx + bytes(1 << 24)))
    with pytest.raises(ValueError, match=r"x\.gz has .* at most"):
        read_idx(tmp_path / "x.gz")


def test_a_picture_of_too_many_pixels_is_refused(tmp_path):
    Image.new("1", (9400, 9400)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png .*9400x9400 pixels, and at most 50,000,000"):
        read_file(tmp_path)


def test_a_table_of_few_bytes_and_many_rows_is_refused(tmp_path, low):
    rows = pa.table({"a": pa.array(np.zeros(1 << 18)), "b": pa.nulls(1 << 18, pa.float64())})
    for name in "cdefg":
        rows = rows.append_column(name, rows["a"])
    parquet.write_table(rows, tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"x\.parquet has .* at most"):
        read_file(tmp_path / "x.parquet")


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "x.npy")
    for read in (read_file, read_array):
        found: list[BaseException] = []

        def call(read=read, found=found) -> None:
            try:
                read(tmp_path / "x.npy")
            except ValueError as error:
                found.append(error)

        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        thread.join(60)
        assert "neither a file nor a folder" in str(found[0])


DAMAGED = {
    "brace.npy": npy((2, 2), header="{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2)\n"),
    "deep.npy": npy((2,), header="(" * 3000 + "\n"),
    "short.npy": npy((20, 3)) + bytes(24),
    "name.npz": zipped(__npy=npy((2, 2)) + bytes(31)),
    "objects.npz": zipped(
        X__npy=npy((2,), header="{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }\n")
    ),
    "class.t7": TORCH7.replace(b"torch.FloatTensor", b"torch.Float\nTenso"),
    "sizes.t7": TORCH7 + struct.pack("<i", 0),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_gives_one_line_that_names_the_file(name, tmp_path):
    (tmp_path / name).write_bytes(DAMAGED[name])
    with pytest.raises(ValueError, match=name) as caught:
        read_file(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_other_files_in_an_archive_are_ignored(tmp_path):
    X = np.arange(12.0).reshape(4, 3)
    file = io.BytesIO()
    np.save(file, X)
    (tmp_path / "x.npz").write_bytes(zipped(X__npy=file.getvalue(), notes__txt=b"made by hand"))
    np.testing.assert_array_equal(read_file(tmp_path / "x.npz").y, X)


def test_the_columns_of_a_wide_table_are_examined_once(tmp_path, monkeypatch):
    calls = []
    original = tables.index
    monkeypatch.setattr(tables, "index", lambda schema: calls.append(0) or original(schema))
    counts = []
    for width in (20, 200):
        names = ",".join(f"c{i}" for i in range(width))
        (tmp_path / "x.csv").write_text(names + "\n" + (",".join(["0.5"] * width) + "\n") * 3)
        calls.clear()
        read_file(tmp_path / "x.csv")
        counts.append(len(calls))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("given", "there", "suggested"),
    [
        ("cels.csv", "cells.csv", True),
        ("data.csv", "dates.csv", True),
        ("data.csv", "data.tsv", True),
        ("data.csv", "data.csv.gz", True),
        ("Iris.CSV", "iris.csv", True),
        ("run2", "run1", True),
        ("a.csv", "b.csv", False),
        ("x.csv", "gap.csv", False),
        ("data.csv", "cats.csv", False),
        ("iris.csv", "wine.csv", False),
        (".csv", "b.csv", False),
    ],
)
def test_only_files_with_a_similar_name_are_suggested(tmp_path, given, there, suggested):
    (tmp_path / there).touch()
    found = limits.nearest(tmp_path / given)
    assert found == (f": did you mean {tmp_path / there}?" if suggested else "")


def test_the_most_similar_name_that_is_no_ending_alone_is_suggested(tmp_path):
    for name in ("b.csv", "d.csv", "ab.csv.gz", "cells.tsv"):
        (tmp_path / name).touch()
    assert limits.nearest(tmp_path / "cell.csv").endswith("cells.tsv?")


def test_a_file_that_hdf5_reads_without_end_is_refused():
    path = (
        Path(__file__).parent / "endless.h5ad"
    )  # found by benchmarks/fuzz.py; the heap of strings is damaged
    with pytest.raises(
        ValueError, match=r"endless\.h5ad is not a complete \.h5ad file: HDF5 crashes on it, or"
    ):
        read_file(path)
