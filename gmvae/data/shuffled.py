"""Rows on disk in a random order: how data larger than memory are shuffled.

A shuffle buffer mixes rows only with their neighbours in the stream: from data sorted by class it makes
batches of one class. Here a stream is shuffled once and exactly, in two passes over the disk (Sanders,
"Random permutations on distributed, external and hierarchical memory", 1998). First each row is written to a
random one of several pieces. Then each piece, which fits into memory, is shuffled by itself.
"""

from __future__ import annotations

import math
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = 1 << 25
"""How many bytes of rows are read together."""
PIECES = 256
"""Maximum number of pieces of a stream, each in a file of its own."""


class ShuffledRows:
    """A file of rows of one size, read a window at a time; indexed like an array of shape (N, width).

    Arguments:
        path: The file: rows of ``dtype`` one after the other, nothing else.
        width: How many numbers a row has.
        dtype: Their type.

    Attributes:
        window: How many rows are read together. A pass goes through the windows in random order, and through
            the rows of each in random order (:class:`gmvae.data.streamed.Streamed`).
    """

    def __init__(self, path: Path, width: int, dtype: Any) -> None:
        self.path, self.dtype = path, np.dtype(dtype)
        self._bytes = width * self.dtype.itemsize
        self.shape = path.stat().st_size // self._bytes, width
        self.window = max(1, WINDOW // self._bytes)
        self._file = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def __getitem__(self, numbers: Any) -> NDArray[Any]:
        if isinstance(numbers, slice):
            start, stop, step = numbers.indices(self.shape[0])
            return self._read(start, stop)[::step] if step > 0 else self[np.arange(start, stop, step)]
        if not len(numbers):
            return self._read(0, 0)
        first, last = int(numbers.min()), int(numbers.max())
        if last - first < self.window:
            return self._read(first, last + 1).take(numbers - first, 0)
        return np.concatenate([self._read(int(n), int(n) + 1) for n in numbers])  # a few from all over

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        rows, done = np.empty((max(0, stop - start), self.shape[1]), self.dtype), 0
        view = rows.reshape(-1).view(np.uint8)
        while done < len(view):
            got = os.preadv(self._file, [view[done:].data], start * self._bytes + done)
            if not got:
                raise ValueError(f"{self.path} is shorter than it was: shuffle the data again")
            done += got
        return rows


def shuffle(
    blocks: Iterable[tuple[NDArray[Any], ...]], folder: Path, size: int, seed: int
) -> list[ShuffledRows]:
    """Write the rows of blocks into files, in the same random order for all files.

    Arguments:
        blocks: Arrays of the same rows, each of shape (B, width) and a type of its own: observations, and
            labels.
        folder: Folder for the files, ``0.rows`` and so on; it is created.
        size: Approximate bytes of all rows. The disk must have room for them. The number of pieces depends on
            it.
        seed: Seed of the order.

    Returns:
        The rows in each of the files.

    Raises:
        ValueError: if the disk does not have enough room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise ValueError(
            f"{folder} has {free / 2**30:.1f} GiB of free disk, and the shuffled rows need "
            f"{size / 2**30:.1f}: name another disk with TMPDIR or --run-dir, or take fewer --columns"
        )
    rng, count = np.random.default_rng(seed), max(1, min(PIECES, math.ceil(size / (2 * WINDOW))))
    about: list[tuple[int, Any]] = []
    waiting, waiting_bytes = defaultdict[tuple[int, int], list[NDArray[Any]]](list), 0
    for block in blocks:
        about = about or [(values.shape[1], values.dtype) for values in block]
        where = rng.integers(count, size=len(block[0]))
        order = np.argsort(where, kind="stable")
        ends = np.cumsum(np.bincount(where, minlength=count))[:-1]
        for i, values in enumerate(block):
            for j, part in enumerate(np.split(values[order], ends)):
                waiting[i, j].append(part)
            waiting_bytes += values.nbytes
        if waiting_bytes >= WINDOW:
            _append(waiting, folder)
            waiting_bytes = 0
    _append(waiting, folder)
    orders = [rng.spawn(1)[0] for _ in range(count)]
    return [_joined(folder, i, *kind, orders) for i, kind in enumerate(about)]


def _append(waiting: dict[tuple[int, int], list[NDArray[Any]]], folder: Path) -> None:
    """Append the rows that wait to the files of their pieces. One file is open at a time: there can be more
    pieces than the process may open."""
    for (i, j), parts in waiting.items():
        with open(_piece(folder, i, j), "ab") as file:
            file.write(np.concatenate(parts).data)
    waiting.clear()


def _joined(folder: Path, i: int, width: int, dtype: Any, orders: list[np.random.Generator]) -> ShuffledRows:
    path = folder / f"{i}.rows"
    with open(path, "wb") as file:
        for j, rng in enumerate(orders):
            piece = _piece(folder, i, j)
            rows = np.fromfile(piece, dtype).reshape(-1, width)
            state = rng.bit_generator.state
            file.write(np.ascontiguousarray(rows[rng.permutation(len(rows))]).data)
            rng.bit_generator.state = state  # the same rows are permuted in the same way in all files
            piece.unlink()
    return ShuffledRows(path, width, dtype)


def _piece(folder: Path, i: int, j: int) -> Path:
    return folder / f"{i}-{j}.part"


def windowed(count: int, window: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield a random order of the numbers below ``count``, window by window. Every row is equally likely in
    any place of a pass, but two rows of one window are never far apart."""
    order = np.random.default_rng(seed).permutation(-(-count // window))
    for number in order.tolist():
        start = number * window
        size = min(window, count - start)
        yield start + np.random.default_rng([seed, number]).permutation(size)
