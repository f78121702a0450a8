"""IDX files, the format of MNIST and of the data sets made in its image; gzip or plain."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSIGNED_BYTE = 0x08
GZIP = b"\x1f\x8b"


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array of bytes in an IDX file.

    Four bytes of magic number (two zeros, the type of the elements, the number of dimensions), the
    sizes as big-endian 32-bit integers, the elements.

    Arguments:
        path: The file.
        dimensions: The number of dimensions it must have: 3 for images, 1 for labels.

    Raises:
        ValueError: where the file is of another kind, or is not whole.
        OSError: where it cannot be read.
    """
    content = path.read_bytes()
    if content.startswith(GZIP):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{path} is a damaged gzip file ({error}): fetch it again") from error
    magic = bytes((0, 0, UNSIGNED_BYTE, dimensions))
    if content[:4] != magic:
        raise ValueError(
            f"{path} begins with the bytes {content[:4].hex(' ')}: an IDX file of {dimensions}-dimensional "
            f"bytes begins with {magic.hex(' ')}"
        )
    head = 4 + 4 * dimensions
    shape = tuple(int(size) for size in np.frombuffer(content[4:head], dtype=">u4"))
    if len(shape) < dimensions or len(content) - head != math.prod(shape):
        raise ValueError(
            f"{path} holds {max(0, len(content) - head):,} bytes after its head, which promises "
            f"{math.prod(shape):,}: it is not whole, fetch it again"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=head).reshape(shape)
