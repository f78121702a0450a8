"""A folder of pictures, or of .parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gmvae.data.source import Source

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


def open_folder(path: Path) -> Source:
    """The pictures in a folder and the folders in it, or else the .parquet files there, in the order of their
    paths. What is hidden (``.name``) is not looked at.

    Raises:
        ValueError: where it has neither.
    """
    files = sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    pictures = [file for file in files if file.suffix.lower() in ENDINGS]
    if pictures:
        from gmvae.data.photos import Pictures

        return Pictures(path, pictures)
    tables = [file for file in files if file.suffix.lower() == ".parquet"]
    if tables:
        from gmvae.data.formats import ParquetFiles

        return ParquetFiles(path, tables)
    raise ValueError(f"{path} has neither pictures ({', '.join(ENDINGS)}) nor .parquet files in it")
