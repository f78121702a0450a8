"""Parquet files at an address (``s3://``, ``gs://``, ``https://``, ``memory://``), through fsspec."""

from __future__ import annotations

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
        ValueError: if the protocol is unknown, or there is no such file.
        OSError: if it cannot be reached.
    """

    def __init__(self, address: str) -> None:
        try:
            self.system, place = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise ValueError(f"{address} cannot be opened: {first_line(error)}") from error
        if "*" in place or "?" in place:
            found = self.system.glob(place)
        else:
            found = self.system.find(place) if self.system.isdir(place) else [place]
        files = sorted(file for file in found if file.endswith(".parquet"))
        if not files or not self.system.exists(files[0]):
            raise ValueError(f"{address} has no .parquet file: name one, a folder of them, or a glob")
        super().__init__(Path(address), [Path(file) for file in files])
        self.places = dict(zip(self.files, files, strict=True))

    def reads(self, path: Path) -> bool:  # noqa: ARG002
        return False

    def _opened(self, file: Path) -> parquet.ParquetFile:
        place = self.places[file]
        try:
            return parquet.ParquetFile(self.system.open(place), pre_buffer=False, buffer_size=BUFFER)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{place} is not a complete Parquet file: {first_line(error)}") from error
