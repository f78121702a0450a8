"""Small files in MNIST's format, and the check of errors about bad ones."""

from __future__ import annotations

import gzip
import struct
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gmvae.data.sets import images

NAMES = list(images.MNIST.files)


@contextmanager
def complaint(pattern: str):
    with pytest.raises(ValueError, match=pattern) as caught:
        yield
    assert "\n" not in str(caught.value)


def idx(array: np.ndarray) -> bytes:
    """An array of bytes as an IDX file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def small(count: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(count, 4, 5), dtype=np.uint8), rng.integers(10, size=count, dtype=np.uint8)


def write_small(folder: Path, *, seed: int = 0, packed: bool = True) -> Path:
    """The four files of a small MNIST."""
    folder.mkdir(parents=True, exist_ok=True)
    for names, number in ((NAMES[:2], seed), (NAMES[2:], seed + 100)):
        for name, array in zip(names, small(seed=number), strict=True):
            content = gzip.compress(idx(array), mtime=0) if packed else idx(array)
            (folder / (name if packed else name.removesuffix(".gz"))).write_bytes(content)
    return folder
