"""Read IDX files, the format of MNIST and its relatives, packed with gzip or not."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from gmvae.data.files.arrays import DIMENSIONS
from gmvae.data.limits import check_file, check_size
from gmvae.data.sets.damage import check_start, damaged

GZIP = b"\x1f\x8b"
UINT8 = b"\x00\x00\x08"
PIECE = 1 << 20


def read_idx(path: str | Path) -> NDArray[np.uint8]:
    """Read the array in an IDX file.

    The format is 0, 0, 8 for bytes, the number of dimensions, each size as four bytes (big-endian), then the
    numbers. The content of the file, not its name, decides whether it is packed.

    Raises:
        ValueError: if the file is not IDX or does not hold what its header says.
        OSError: if it cannot be read.
    """
    path = Path(path)
    check_file(path)
    content = _unpacked(path)
    if content[:3] != UINT8 or len(content) < 4:
        begins = " ".join(str(byte) for byte in content[:4]) or "nothing"
        raise damaged(path, f"is not an IDX file of bytes, which begins with 0 0 8: it begins with {begins}")
    start = 4 + 4 * content[3]
    if not 1 <= content[3] <= DIMENSIONS or len(content) < start:
        raise damaged(path, f"is cut off in its header, which promises {content[3]} dimensions")
    shape = struct.unpack_from(f">{content[3]}I", content, 4)
    if 0 in shape[1:]:
        raise damaged(path, f"has an impossible shape in its header, {shape}")
    if len(content) - start != math.prod(shape):
        sizes = " x ".join(str(size) for size in shape)
        raise damaged(
            path,
            f"holds {len(content) - start} numbers, but its header says {sizes} = {math.prod(shape)}",
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _unpacked(path: Path) -> bytearray:
    # a bytearray grows in place and stays writable, so that the array needs no copy of it
    content = bytearray()
    with open(path, "rb") as file:
        start = file.read(512)
        check_start(path, start)
        file.seek(0)
        packed = start.startswith(GZIP)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
        try:
            while piece := stream.read(PIECE):
                content += piece
                check_size(path, len(content), "it unpacks to at least")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise damaged(path, "is a gzip file that is cut off or broken") from error
    return content
