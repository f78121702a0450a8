"""Read MATLAB 5 files, the format of SVHN, piece by piece.

There are two reasons for a reader of our own: ``scipy.io.loadmat`` (1.17.1) crashes the process on some
damaged files, and keeps an array of 1.6 GB in memory at least twice. Here a caller gets a few thousand images
at a time.

After 128 bytes of header, a file is a sequence of elements: a tag (type and size), then that many bytes. An
element is a matrix, or a zlib stream that unpacks to one. A matrix is again a sequence of elements: flags
(its class), sizes, name, numbers. Each is padded to 8 bytes; one of up to four bytes can share 8 with its
tag.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gmvae.data.limits import check_file, check_size
from gmvae.data.sets.damage import check_start, damaged

HEADER = 128
HDF5 = b"\x89HDF\r\n\x1a\n"
INT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 5, 6, 14, 15
NUMBERS = {
    1: "<i1", 2: "<u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8",
}  # fmt: skip
CLASSES = {
    1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 6: "double", 7: "single", 8: "int8",
    9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32", 14: "int64", 15: "uint64",
}  # fmt: skip
NO_NUMBERS = ("cell", "struct", "object", "char", "sparse")
PIECE = 1 << 18


@dataclass(frozen=True)
class Variable:
    """A variable of a file. Its numbers are read only when they are asked for.

    Arguments:
        path: The file.
        name: Its name in the file.
        kind: Its MATLAB class, such as uint8.
        shape: Its sizes, as MATLAB gives them.
        position: Where its element begins in the file, after the tag.
        size: Bytes of its element.
        packed: Whether the element is a zlib stream.
    """

    path: Path
    name: str
    kind: str
    shape: tuple[int, ...]
    position: int
    size: int
    packed: bool

    def blocks(self, count: int) -> Iterator[NDArray[np.generic]]:
        """The numbers in file order, ``count`` steps of the last axis at a time.

        Yields:
            Arrays of shape (*shape[:-1], count), the last of them shorter, in MATLAB's memory order: the
            first axis runs fastest.

        Raises:
            ValueError: if the file is cut off or broken, or the variable does not hold numbers.
        """
        *inner, steps = self.shape
        check_size(self.path, math.prod(self.shape) * 8, f"{self.name} may have")
        with self._numbers() as (stream, kind):
            for start in range(0, steps, count):
                shape = (*inner, min(count, steps - start))
                numbers = np.frombuffer(stream.read(math.prod(shape) * kind.itemsize), kind)
                yield numbers.reshape(shape, order="F")
            stream.finish()

    def read(self) -> NDArray[np.generic]:
        """All numbers at once. Errors are those of :meth:`blocks`."""
        blocks = list(self.blocks(max(1, self.shape[-1])))
        return blocks[0] if blocks else np.empty(self.shape)

    @contextmanager
    def _numbers(self) -> Iterator[tuple[_Element, np.dtype]]:
        with open(self.path, "rb") as file:
            file.seek(self.position)
            stream = _Element(self.path, file, self.size, self.packed)
            _head(stream)
            found, size, _ = stream.tag()
            if self.kind in NO_NUMBERS or found not in NUMBERS:
                raise ValueError(f"{self.path} has a {self.name} of class {self.kind}: it must be numbers")
            kind = np.dtype(NUMBERS[found])
            if size != math.prod(self.shape) * kind.itemsize:
                raise damaged(
                    self.path,
                    f"holds {size} bytes of {self.name}, but its header says "
                    f"{math.prod(self.shape) * kind.itemsize}",
                )
            yield stream, kind


class MatlabFile:
    """The variables of a MATLAB 5 file, by name.

    Raises:
        ValueError: if the file is of another kind, cut off or broken.
        OSError: if it cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.variables: dict[str, Variable] = {}
        check_file(self.path)
        with open(self.path, "rb") as file:
            _check_header(self.path, file.read(HEADER))
            whole = self.path.stat().st_size
            while tag := file.read(8):
                kind, size = struct.unpack("<II", tag.ljust(8, b"\0"))
                position = file.tell()
                end = position + size if len(tag) == 8 else position - len(tag) + 8
                if end > whole:
                    raise damaged(self.path, f"is cut off: it has {whole} of at least {end} bytes")
                if kind not in (MATRIX, COMPRESSED):
                    raise damaged(self.path, f"has an element of type {kind} at byte {position}")
                self._add(file, position, size, kind == COMPRESSED)
                file.seek(end)

    def __getitem__(self, name: str) -> Variable:
        if name not in self.variables:
            raise ValueError(
                f"{self.path} has no variable {name}, only {', '.join(self.variables) or 'a header'}: "
                f"save it again with {name} in it"
            )
        return self.variables[name]

    def _add(self, file: BinaryIO, position: int, size: int, packed: bool) -> None:
        head = _head(_Element(self.path, file, size, packed)) if size else None
        if head is not None:
            kind, shape, name = head
            self.variables[name] = Variable(self.path, name, kind, shape, position, size, packed)


def _check_header(path: Path, header: bytes) -> None:
    check_start(path, header)
    if header.startswith((HDF5, b"MATLAB 7.3")):
        raise ValueError(
            f"{path} is a MATLAB 7.3 file (HDF5): it must be a MATLAB 5 file, which save(..., '-v7') writes"
        )
    if header[126:] == b"MI":
        raise ValueError(f"{path} is a big-endian MATLAB file: save it again on a little-endian machine")
    if header[124:] != b"\x00\x01IM":
        raise damaged(path, "is not a MATLAB 5 file")


class _Element:
    """The bytes of a file's element, unpacked if it is a zlib stream."""

    def __init__(self, path: Path, file: BinaryIO, size: int, packed: bool) -> None:
        self.path, self.file, self.left = path, file, size
        self.unpack = zlib.decompressobj() if packed else None
        if packed and self.tag()[0] != MATRIX:
            raise damaged(path, "is a MATLAB file with a zlib stream that holds no matrix")

    def read(self, size: int) -> bytearray:
        found = bytearray()
        while len(found) < size:
            found += self._piece(min(size - len(found), PIECE))
        return found

    def tag(self) -> tuple[int, int, int]:
        """An element's type, its size, and the size of the padding after it."""
        (kind,) = struct.unpack("<I", self.read(4))
        if kind >> 16:
            return kind & 0xFFFF, kind >> 16, -(kind >> 16) % 4
        (size,) = struct.unpack("<I", self.read(4))
        return kind, size, -size % 8

    def part(self, expected: int) -> bytearray:
        """The bytes of the next small element, which must have the expected type."""
        kind, size, padding = self.tag()
        if kind != expected or size > PIECE:
            raise damaged(self.path, f"has a part of type {kind} where type {expected} should be")
        found = self.read(size)
        self.read(padding)
        return found

    def finish(self) -> None:
        """Read a zlib stream to its end, so that its checksum is verified."""
        if self.unpack is not None:
            rest = 0
            while not self.unpack.eof:
                rest += len(self._piece(PIECE))
            if rest >= 8:
                raise damaged(self.path, "is a MATLAB file that holds more than its header says")

    def _piece(self, size: int) -> bytes:
        if self.unpack is None:
            piece = self._raw(size)
        else:
            try:
                packed = self.unpack.unconsumed_tail or self._raw(PIECE)
                piece = self.unpack.decompress(packed, size)
            except zlib.error as error:
                raise damaged(self.path, "is a MATLAB file with a broken zlib stream") from error
            if packed:
                return piece
        if not piece:
            raise damaged(self.path, "is a MATLAB file that is cut off")
        return piece

    def _raw(self, size: int) -> bytes:
        found = self.file.read(min(size, self.left))
        self.left -= len(found)
        return found


def _head(stream: _Element) -> tuple[str, tuple[int, ...], str] | None:
    """Class, shape and name of a matrix; ``None`` if its class is not one of ``CLASSES``."""
    flags = stream.part(UINT32)
    kind = CLASSES.get(flags[0]) if len(flags) == 8 else None
    if kind is None:
        return None
    sizes = stream.part(INT32)
    shape = struct.unpack(f"<{len(sizes) // 4}i", sizes[: len(sizes) // 4 * 4])
    if len(shape) < 2 or min(shape) < 0:
        raise damaged(stream.path, f"has a variable of shape {shape}")
    return kind, shape, stream.part(INT8).decode("latin-1")
