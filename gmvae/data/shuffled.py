"""Rows on disk in a random order: how data that are larger than memory are shuffled.

A buffer through which a stream runs mixes rows with their neighbours only: of data sorted by class it makes
batches of one class. Here a stream is shuffled once and exactly, in two passes over the disk (Sanders,
"Random permutations on distributed, external and hierarchical memory", 1998): each row goes to a random one
of some pieces, and each piece, which fits into memory, is shuffled by itself.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = 1 << 25
"""Bytes of rows that are read together."""
PIECES = 256
"""Pieces that a stream is divided into, at most, each a file that is open while rows come."""


class ShuffledRows:
    """A file of rows of one size, read a window at a time; indexed like an array of shape (N, width).

    Arguments:
        path: The file: rows of ``dtype`` one after the other, nothing else.
        width: Numbers in a row.
        dtype: Their type.

    Attributes:
        window: Rows that are read together. A pass goes through the windows in random order, and through
            each in random order (:meth:`gmvae.data.streamed.Streamed`).
    """

    def __init__(self, path: Path, width: int, dtype: Any) -> None:
        self.path, self.dtype = path, np.dtype(dtype)
        self._bytes = width * self.dtype.itemsize
        self.shape = path.stat().st_size // self._bytes, width
        self.window = max(1, WINDOW // self._bytes)
        self._file = os.open(path, os.O_RDONLY)
        self._kept: dict[int, NDArray[Any]] = {}

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def __getitem__(self, numbers: Any) -> NDArray[Any]:
        if isinstance(numbers, slice):
            start, stop, step = numbers.indices(self.shape[0])
            return self._read(start, stop)[::step] if step > 0 else self[np.arange(start, stop, step)]
        windows = numbers // self.window
        near = np.unique(windows)
        if len(near) > 2:  # a few rows from all over
            return np.concatenate([self._read(int(n), int(n) + 1) for n in numbers])
        found = np.empty((len(numbers), self.shape[1]), self.dtype)
        for window in near.tolist():
            chosen = windows == window
            found[chosen] = self._whole(window)[numbers[chosen] - window * self.window]
        return found

    def expect(self, window: int) -> None:
        """Let the system begin to read a window that is wanted next, while others are worked on."""
        if hasattr(os, "posix_fadvise"):
            size = self.window * self._bytes
            os.posix_fadvise(self._file, window * size, size, os.POSIX_FADV_WILLNEED)

    def _whole(self, window: int) -> NDArray[Any]:
        """The rows of a window; the last two that were asked for are kept, since batches lie across."""
        if window not in self._kept:
            while len(self._kept) > 1:
                del self._kept[next(iter(self._kept))]
            start = window * self.window
            self._kept[window] = self._read(start, min(start + self.window, self.shape[0]))
        return self._kept[window]

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        rows, done = np.empty((max(0, stop - start), self.shape[1]), self.dtype), 0
        view = rows.reshape(-1).view(np.uint8)
        while done < len(view):
            got = os.preadv(self._file, [view[done:].data], start * self._bytes + done)
            if not got:
                raise ValueError(f"{self.path} is shorter than it was: shuffle the data once more")
            done += got
        return rows


def shuffle(
    blocks: Iterable[tuple[NDArray[Any], ...]], folder: Path, size: int, seed: int
) -> list[ShuffledRows]:
    """Write the rows of blocks into files, in one random order for all of them.

    Arguments:
        blocks: What belongs to the same rows, each an array of shape (B, width) of its own type:
            observations, and labels.
        folder: Where the files go, ``0.rows`` and so on; it is made.
        size: Bytes of all rows, about: the disk must have room for them, and a piece is a share of them.
        seed: Where chance comes from.

    Returns:
        The rows in each of the files.

    Raises:
        ValueError: where the disk has no room.
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
    with ExitStack() as files:
        pieces: list[list[Any]] = []
        for block in blocks:
            if not pieces:
                about = [(values.shape[1], values.dtype) for values in block]
                pieces = [
                    [files.enter_context(open(_piece(folder, i, j), "wb")) for j in range(count)]
                    for i in range(len(block))
                ]
            where = rng.integers(count, size=len(block[0]))
            order = np.argsort(where, kind="stable")
            ends = np.cumsum(np.bincount(where, minlength=count))[:-1]
            for values, there in zip(block, pieces, strict=True):
                for file, part in zip(there, np.split(values[order], ends), strict=True):
                    file.write(np.ascontiguousarray(part).data)
    orders = [rng.spawn(1)[0] for _ in range(count)]
    return [_joined(folder, i, *kind, orders) for i, kind in enumerate(about)]


def _joined(folder: Path, i: int, width: int, dtype: Any, orders: list[np.random.Generator]) -> ShuffledRows:
    path = folder / f"{i}.rows"
    with open(path, "wb") as file:
        for j, rng in enumerate(orders):
            piece = _piece(folder, i, j)
            rows = np.fromfile(piece, dtype).reshape(-1, width)
            state = rng.bit_generator.state
            file.write(np.ascontiguousarray(rows[rng.permutation(len(rows))]).data)
            rng.bit_generator.state = state  # what belongs to the same rows goes the same way
            piece.unlink()
    return ShuffledRows(path, width, dtype)


def _piece(folder: Path, i: int, j: int) -> Path:
    return folder / f"{i}-{j}.part"


def windowed(count: int, window: int, seed: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """A random order of the numbers below ``count``, window by window: its number, and those in it. Within a
    pass a row is as likely in any place; two rows of one window are never far apart."""
    order = np.random.default_rng(seed).permutation(-(-count // window))
    for number in order.tolist():
        start = number * window
        size = min(window, count - start)
        yield number, start + np.random.default_rng([seed, number]).permutation(size)
