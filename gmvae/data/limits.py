"""Limits that a file is held to before anything is allocated for it.

A small file may claim a great size, by mistake or by intent: a packed one unpacks to gigabytes, a header
names a shape that nothing backs. What a file may come to in memory is bounded by its own size, and a row by a
width that no model here could be fitted to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

UNPACKED = 1 << 28
"""Bytes that any file may come to in memory: 256 MiB."""
RATIO = 256
"""Bytes in memory for each byte of a larger file. Images with large empty areas come to about 20."""
WIDTH = 1 << 22
"""Numbers in a row: 4,194,304, a picture of 2048 x 2048 levels."""
PIXELS = 50_000_000
"""Pixels of a picture, before it is brought to another size."""
JSON_BYTES = 1 << 28
"""Bytes of a JSON file of a run, records of epochs included."""


def check_file(path: Path) -> None:
    """``ValueError`` where a path leads to a pipe, a device or a socket, which could be waited for without
    end; ``OSError`` where it leads nowhere."""
    path.stat()
    if not path.is_file() and not path.is_dir():
        raise ValueError(f"{path} is neither a file nor a folder: save the data in a file first")


def check_size(path: Path, size: int, what: str = "it holds") -> None:
    """``ValueError`` where a file would come to more bytes in memory than its own size makes likely.

    Arguments:
        path: The file.
        size: Bytes that it would come to.
        what: What these are, for the message.
    """
    whole = path.stat().st_size
    limit = max(UNPACKED, RATIO * whole)
    if size > limit:
        raise ValueError(
            f"{path} has {whole:,} bytes, and {what} {size:,} in memory: at most {limit:,} are read of such "
            "a file, so split it, or save it unpacked"
        )


def check_shape(path: Path, shape: Sequence[int], itemsize: int = 8) -> None:
    """:func:`check_size` of an array of this shape, whose rows must not be wider than :data:`WIDTH`."""
    width = math.prod(shape[1:])
    if width > WIDTH:
        raise ValueError(
            f"{path} has rows of {width:,} numbers: at most {WIDTH:,} are read, so choose some of them, or "
            "make images smaller"
        )
    check_size(path, math.prod(shape) * itemsize, f"an array of shape {tuple(shape)} has")
