"""Open a file or a folder with the reader for its ending."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from gmvae.data.files.base import TEXTS, Source, same
from gmvae.data.files.folder import ENDINGS
from gmvae.data.files.globs import found, has_marks
from gmvae.data.limits import check_file

TABLES = (*TEXTS, ".parquet", ".arrow", ".feather", ".ipc")
ARRAYS = (".npy", ".npz", ".t7")
ZARR = ("zarr.json", ".zarray", ".zgroup")
"""Files at the top of a Zarr store, of format 3 or 2."""
KINDS = (
    ", ".join((*TABLES, ".csv.gz", *ARRAYS, ".h5ad", ".zarr"))
    + ", or a folder of pictures or of .parquet files"
)


def open_source(path: str | Path) -> Source:
    """Open the data at a path.

    This can be a table (.csv, .tsv, .txt with tabs, each also .gz; .parquet, .arrow, .feather), an array
    (.npy, .npz, .t7), an AnnData file (.h5ad), a Zarr store, a folder of pictures or of .parquet files, the
    .parquet files that a glob matches, or those at an address (``s3://``, ``gs://``, ...).

    Raises:
        ValueError: if it is something else.
        OSError: if it does not exist.
    """
    path = _address(path)
    if isinstance(path, str):
        from gmvae.data.files.remote import RemoteParquetFiles

        return RemoteParquetFiles(path)
    if has_marks(path) and not path.exists():
        return open_glob(path)
    check_file(path)
    if path.is_dir():
        return open_folder(path)
    ending, inner = path.suffix.lower(), path.with_suffix("").suffix.lower()
    text = inner if ending == ".gz" else ending
    if text in TEXTS:
        from gmvae.data.files.separated import SeparatedFile

        return SeparatedFile(path, "," if text == ".csv" else "\t")
    if ending in TABLES:
        from gmvae.data.files.arrow import ArrowFile, ParquetFiles

        return ParquetFiles(path, [path]) if ending == ".parquet" else ArrowFile(path)
    if ending in ARRAYS:
        from gmvae.data.files.stores import open_array

        return open_array(path)
    if ending == ".h5ad":
        from gmvae.data.files.annotated import open_h5ad

        return open_h5ad(path)
    raise ValueError(f"{path} ends in {path.suffix!r}: it must be one of {KINDS}")


def reads(path: str, out: Path) -> bool:
    """Whether a file at ``out`` is one of those that :func:`open_source` reads at ``path``, by whatever name
    or link, or would be if it were written."""
    if "://" in path:
        return False
    try:
        return open_source(path).reads(out)
    except (ValueError, OSError):  # it has changed since it was read
        return same(out, Path(path))


def open_glob(pattern: Path) -> Source:
    """Open the .parquet files whose paths match a pattern, such as ``part-*.parquet`` or
    ``2026-*/part-*.parquet``, in order.

    Raises:
        ValueError: if no file matches, or one of them is not a .parquet file.
    """
    files = found(pattern)
    if not files or any(file.suffix.lower() != ".parquet" for file in files):
        raise ValueError(f"{pattern} matches {len(files)} files: it must match .parquet files only")
    from gmvae.data.files.arrow import ParquetFiles

    return ParquetFiles(pattern, files)


def open_folder(path: Path) -> Source:
    """Open a folder that is a Zarr store, or else the pictures in it and its subfolders, or else the .parquet
    files there, in the order of their paths. Hidden files and folders (``.name``) are ignored.

    Raises:
        ValueError: if it has none of these.
        FileNotFoundError: if one of them is a link that leads to no file.
    """
    if any((path / mark).is_file() for mark in ZARR):
        from gmvae.data.files.zarr_store import open_zarr

        return open_zarr(path)
    files = sorted(
        file
        for file in path.rglob("*")
        if (file.is_file() or file.is_symlink())
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    for file in files:
        if not file.exists() and file.suffix.lower() in (*ENDINGS, ".parquet"):
            raise FileNotFoundError(errno.ENOENT, "the link leads to no file", str(file))
    files = [file for file in files if file.is_file()]
    pictures = [file for file in files if file.suffix.lower() in ENDINGS]
    if pictures:
        from gmvae.data.files.pictures import Pictures

        return Pictures(path, pictures)
    tables = [file for file in files if file.suffix.lower() == ".parquet"]
    if tables:
        from gmvae.data.files.arrow import ParquetFiles

        return ParquetFiles(path, tables)
    raise ValueError(f"{path} has neither pictures ({', '.join(ENDINGS)}) nor .parquet files in it")


def _address(path: str | Path) -> str | Path:
    """An address as a string, with the slash that a ``Path`` takes from it; anything else as a path."""
    if "://" in str(path):
        return str(path)
    scheme = re.match(r"([a-z][a-z0-9+]+):/", str(path))
    if scheme is None or Path(path).exists():
        return Path(path)
    return str(path).replace(":/", ":///" if scheme[1] == "file" else "://", 1)
