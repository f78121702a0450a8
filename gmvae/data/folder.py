"""A folder of pictures, or of .parquet files."""

from __future__ import annotations

from pathlib import Path

from gmvae.data.source import Source

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
"""How the names of pictures end."""


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
