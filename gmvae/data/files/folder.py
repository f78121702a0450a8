"""Which files of a folder are read, or would be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
"""How the names of pictures end."""


def would_read(folder: Path, files: Sequence[Path], path: Path, endings: Sequence[str]) -> bool:
    """Whether a file at this path is one of a folder's, through whatever links, or would be one if it were
    written.

    Arguments:
        folder: The folder.
        files: Those that are read of it.
        path: The path.
        endings: How the names of files end that are read.
    """
    real, inside = path.resolve(), folder.resolve()
    if real.is_relative_to(inside) and real.suffix.lower() in endings:
        return not any(part.startswith(".") for part in real.relative_to(inside).parts)
    try:
        found = path.stat()
    except OSError:
        return False
    return any((file.st_ino, file.st_dev) == (found.st_ino, found.st_dev) for file in map(Path.stat, files))
