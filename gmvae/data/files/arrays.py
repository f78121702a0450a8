"""Read arrays from files: NumPy's .npy, and tensors of Torch7 (.t7). Neither format runs any code."""

from __future__ import annotations

import math
import os
import struct
import tokenize
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from gmvae.data.limits import check_file, check_shape

DIMENSIONS = 8
"""Maximum number of axes of an array."""
TABLE = "save a table with pandas.DataFrame(X).to_csv(...), or numbers: X.astype(float)"
TORCH7_STRING, TORCH7_TORCH = 2, 4
TORCH7_STORAGES = {
    "torch.ByteTensor": "<u1",
    "torch.CharTensor": "<i1",
    "torch.ShortTensor": "<i2",
    "torch.IntTensor": "<i4",
    "torch.LongTensor": "<i8",
    "torch.FloatTensor": "<f4",
    "torch.DoubleTensor": "<f8",
}


NO_NUMBERS = {
    "M": ("dates", "save numbers, such as days: (X - X.min()) / numpy.timedelta64(1, 'D')"),
    "m": ("durations", "save numbers, such as seconds: X / numpy.timedelta64(1, 's')"),
    "U": ("text", TABLE),
    "S": ("text", TABLE),
    "O": (
        "Python objects",
        "only pickle reads them, and that can run any code; save numbers, X.astype(float), or a table with "
        "pandas.DataFrame(X).to_csv(...)",
    ),
    "V": ("records", "save a table: pandas.DataFrame(X).to_csv(...)"),
    "c": ("complex numbers", "save their real and imaginary parts as columns of their own"),
}
"""By the letter of its kind in NumPy: what an array holds if it holds no numbers, and the remedy."""


class NoNumbersError(ValueError):
    """An array does not hold numbers."""


def check_numbers(path: Path, kind: np.dtype, others: str = "") -> None:
    """Raise ``NoNumbersError`` if an array of a file does not hold numbers, or one of the ``others``, by the
    letter of their kind."""
    if kind.kind not in f"biuf{others}":
        what, remedy = NO_NUMBERS.get(kind.kind, ("no numbers", TABLE))
        raise NoNumbersError(f"{path} holds {what} ({kind}): {remedy}")


def read_array(path: str | Path, *, mapped: bool = False) -> NDArray[np.generic]:
    """Read the array in a file. With ``mapped``, that of a .npy file is a memory map.

    Raises:
        ValueError: if the file is of another kind, is broken, or does not hold one array of numbers.
        OSError: if it cannot be read.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in (".npy", ".t7"):
        raise ValueError(f"{path} ends in {path.suffix!r}: it must be a .npy or a .t7 file")
    check_file(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: it must be a .npy or a .t7 file")
    return _read_torch7(path) if ending == ".t7" else _read_npy(path, "r" if mapped else None)


def _read_npy(path: Path, mode: Literal["r"] | None) -> NDArray[np.generic]:
    try:
        with open(path, "rb") as file:
            shape, kind, _ = npy_header(file)
            size = os.fstat(file.fileno()).st_size - file.tell()
            check_numbers(path, kind)
            if size < math.prod(shape) * kind.itemsize:
                raise ValueError(f"its header says shape {shape}, but only {size:,} bytes follow it")
        array = np.load(path, mmap_mode=mode if math.prod(shape) else None, allow_pickle=False)
    except NoNumbersError:
        raise
    except ValueError as error:
        raise ValueError(
            f"{path} is not a complete .npy file of numbers ({error}): write it again with numpy.save"
        ) from error
    check_shape(path, array.shape)
    return array


def npy_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Read the header of an array in NumPy's format: shape, type, and whether it is in Fortran order.

    Raises:
        ValueError: if the header is damaged, or no array can be as it says.
    """
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
        else:
            shape, fortran, kind = np.lib.format.read_array_header_2_0(file)
    except (
        ValueError,
        SyntaxError,
        TypeError,
        KeyError,
        RecursionError,
        MemoryError,
        tokenize.TokenError,
    ) as error:
        raise ValueError("its header is damaged") from error
    if len(shape) > DIMENSIONS or any(size < 0 or size > 1 << 48 for size in shape):
        raise ValueError(f"its header says shape {shape} of {kind}")
    return shape, kind, fortran


def _read_torch7(path: Path) -> NDArray[np.generic]:
    """Read one tensor in Torch7's binary format (little-endian, longs of 8 bytes).

    An object consists of the number of its type, an index, a version string, a class name and its fields. The
    fields of a tensor are its dimensions, sizes, strides and offset (from 1), then its storage as another
    object.
    """
    stream = _Torch7Stream(path)
    kind = stream.object_class()
    if kind not in TORCH7_STORAGES:
        raise ValueError(f"{path} holds a {kind!r}: it must hold one tensor of numbers")
    dimensions = stream.integer()
    if not 1 <= dimensions <= DIMENSIONS:
        raise stream.broken()
    shape, strides = stream.longs(dimensions), stream.longs(dimensions)
    offset = stream.longs(1)[0] - 1
    stream.object_class()
    storage = stream.numbers(stream.longs(1)[0], np.dtype(TORCH7_STORAGES[kind]))
    span = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if offset < 0 or min(shape) < 1 or min(strides) < 0 or offset + span > len(storage):
        raise stream.broken()
    check_shape(path, shape)
    steps = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False).copy()


class _Torch7Stream:
    def __init__(self, path: Path) -> None:
        self.path, self.bytes, self.position = path, path.read_bytes(), 0

    def broken(self) -> ValueError:
        return ValueError(f"{self.path} is not a complete Torch7 file in binary format")

    def take(self, size: int) -> bytes:
        if size < 0 or self.position + size > len(self.bytes):
            raise self.broken()
        self.position += size
        return self.bytes[self.position - size : self.position]

    def integer(self) -> int:
        return int(struct.unpack("<i", self.take(4))[0])

    def longs(self, count: int) -> list[int]:
        return list(struct.unpack(f"<{count}q", self.take(8 * count)))

    def string(self) -> str:
        return self.take(self.integer()).decode("latin-1")

    def object_class(self) -> str:
        if self.integer() != TORCH7_TORCH:
            raise self.broken()
        self.integer()
        name = self.string()
        return self.string() if name.startswith("V ") else name

    def numbers(self, count: int, kind: np.dtype) -> NDArray[np.generic]:
        return np.frombuffer(self.take(count * kind.itemsize), dtype=kind)
