"""Parquet files at an address (``s3://``, ``gs://``, ``https://``, ``memory://``), through fsspec."""

from __future__ import annotations

import re
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import pyarrow as pa
from pyarrow import parquet

from gmvae.data.files.arrow import BUFFER, ParquetFiles
from gmvae.data.schema import first_line


class RemoteParquetFiles(ParquetFiles):
    """The Parquet files at an address: one file, those of a folder, or those of a glob, in order.

    Arguments:
        address: ``protocol://...``; the package that fsspec needs for the protocol must be installed.

    Raises:
        ValueError: if the protocol is unknown, there is no such file, or it cannot be reached.
    """

    def __init__(self, address: str) -> None:
        try:
            self.system, place = fsspec.core.url_to_fs(address)
            files = self._listed(place)
        except Exception as error:  # such as a missing package, no network, or credentials that are refused
            raise ValueError(f"{_plain(address)} cannot be opened: {_said(error)}") from error
        if not files:
            raise ValueError(f"{_plain(address)} has no .parquet file: name one, a folder of them, or a glob")
        super().__init__(Path(_plain(address)), [Path(file) for file in files])
        self.places = dict(zip(self.files, files, strict=True))

    def _listed(self, place: str) -> list[str]:
        """The Parquet files at a place in the system, in order."""
        if "*" in place or "?" in place:
            found = self.system.glob(place)
        else:
            found = self.system.find(place) if self.system.isdir(place) else [place]
        files = sorted(file for file in found if file.endswith(".parquet"))
        return files if files and self.system.exists(files[0]) else []

    def reads(self, path: Path) -> bool:  # noqa: ARG002
        return False

    def _opened(self, file: Path) -> parquet.ParquetFile:
        place = self.places[file]
        try:
            opened = self.system.open(place)
        except Exception as error:
            raise ValueError(f"{place} cannot be opened: {_said(error)}") from error
        try:
            return parquet.ParquetFile(opened, pre_buffer=False, buffer_size=BUFFER)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{place} is not a complete Parquet file: {first_line(error)}") from error


def _said(error: Exception) -> str:
    """The first line of an error; errors of some file systems have no words but the name of their type."""
    line = first_line(error)
    return (
        line if isinstance(error, (ImportError, ValueError, OSError)) else f"{type(error).__name__}: {line}"
    )


def _plain(address: str) -> str:
    """An address without the password in it."""
    return re.sub(r"(://[^:/@]*):[^/]*@", r"\1:...@", address)
