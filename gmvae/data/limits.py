"""Limits on the size of a file, checked before any memory is allocated for it.

A small file can claim a great size, by mistake or by intent: a packed file unpacks to gigabytes, or a header
names a shape that the file does not contain. So the memory that a file can take is bounded by its own size,
and the width of a row by one that no model here could be fitted to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from gmvae.rules import similar

UNPACKED = 1 << 28
"""Bytes that any file can take in memory: 256 MiB."""
RATIO = 256
"""Maximum bytes in memory for each byte of a larger file. Images with large empty areas take about 20."""
WIDTH = 1 << 22
"""Maximum number of values in a row: 4,194,304, a picture of 2048 x 2048 levels."""
PIXELS = 50_000_000
"""Maximum number of pixels in a picture, before it is resized."""
BESIDE = 10_000
"""How many names in a folder are compared with that of a file that is not there."""
JSON_BYTES = 1 << 28
"""Maximum size of a run's JSON file in bytes, including the records of epochs."""


def check_file(path: Path) -> None:
    """Raise ``ValueError`` if a path is a pipe, a device or a socket, since reading one could wait without
    end, and ``OSError`` if nothing is there. The message suggests a file with a similar name."""
    try:
        path.stat()
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, f"{error.strerror}{nearest(path)}", str(path)) from error
    if not path.is_file() and not path.is_dir():
        raise ValueError(f"{path} is neither a file nor a folder: save the data in a file first")


def nearest(path: Path) -> str:
    """The words that suggest a path with a similar name in the same folder, if there is one; else empty."""
    try:
        names = [beside.name for beside in islice(path.parent.iterdir(), BESIDE)]
    except OSError:
        return ""
    stem, _, _ = path.name.partition(".")
    near = [
        name
        for name in similar(path.name, names, 5, 0.7)
        if similar(stem, [name.partition(".")[0]], 1, 0.66)  # an ending in common makes no similar name
    ]
    return f": did you mean {path.with_name(near[0])}?" if near else ""


def check_size(path: Path, size: int, what: str = "it holds") -> None:
    """Raise ``ValueError`` if a file would take more bytes in memory than its own size makes plausible.

    Arguments:
        path: The file.
        size: Bytes that it would take.
        what: The words before the size in the message.
    """
    whole = path.stat().st_size
    limit = max(UNPACKED, RATIO * whole)
    if size > limit:
        raise ValueError(
            f"{path} has {whole:,} bytes, and {what} {size:,} in memory: at most {limit:,} are read from "
            "such a file, so split it, or save it unpacked"
        )


def check_shape(path: Path, shape: Sequence[int], itemsize: int = 8) -> None:
    """Check the size of an array of this shape (:func:`check_size`), and that its rows are at most
    :data:`WIDTH` wide."""
    width = math.prod(shape[1:])
    if width > WIDTH:
        raise ValueError(
            f"{path} has rows of {width:,} numbers: at most {WIDTH:,} are read, so choose some of them, "
            "or make images smaller"
        )
    check_size(path, math.prod(shape) * itemsize, f"an array of shape {tuple(shape)} has")
