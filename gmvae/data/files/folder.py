"""Whether a file of a folder is, or would be, read as data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
"""Endings of the names of pictures."""


def would_read(folder: Path, files: Sequence[Path], path: Path, endings: Sequence[str]) -> bool:
    """Whether a file at a path is read as part of a folder, also through links, or would be once it is
    written.

    Arguments:
        folder: The folder.
        files: The files in it that are read.
        path: The path.
        endings: Endings of the names of files that are read.
    """
    real, inside = path.resolve(), folder.resolve()
    if real.is_relative_to(inside) and real.suffix.lower() in endings:
        return not any(part.startswith(".") for part in real.relative_to(inside).parts)
    try:
        found = path.stat()
    except OSError:
        return False
    return any((file.st_ino, file.st_dev) == (found.st_ino, found.st_dev) for file in map(Path.stat, files))
