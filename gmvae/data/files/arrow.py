"""Tables in binary files, read batch by batch: Parquet, Arrow and Feather."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc, parquet

from gmvae.data.files.base import same
from gmvae.data.files.columns import listing
from gmvae.data.files.folder import ENDINGS, would_read
from gmvae.data.files.globs import matches
from gmvae.data.files.tables import Table
from gmvae.data.limits import check_shape
from gmvae.data.schema import ReadOptions, Schema, first_line

BUFFER = 1 << 16
"""How many bytes of a Parquet column are fetched together. Without it, a whole row group is fetched."""


class ParquetFiles(Table):
    """One or more Parquet files with the same columns, in the order of their paths."""

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        super().__init__(path)
        self.files = files

    def count(self) -> int | None:
        return sum(self._opened(file).metadata.num_rows for file in self.files)

    def size(self) -> int:
        return 8 * (self.count() or 0) * len(self.names())

    def reads(self, path: Path) -> bool:
        if not self.path.is_dir():
            return matches(self.path, path) or any(same(path, file) for file in self.files)
        return would_read(self.path, self.files, path, (".parquet", *ENDINGS))  # pictures come before them

    def arrow_schema(self, options: ReadOptions | None = None) -> pa.Schema:  # noqa: ARG002
        return self._opened(self.files[0]).schema_arrow

    def batches(self, names: Sequence[str], schema: Schema, rows: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        first, *_ = self.files
        expected = set(self._opened(first).schema_arrow.names)
        for path in self.files:
            file = self._opened(path)
            there = set(file.schema_arrow.names)
            if lacking := [name for name in names if name not in there]:
                raise ValueError(f"{path} has no column {listing(lacking)}, but {first} has")
            if expected == set(names) and (more := sorted(there - expected)):
                raise ValueError(f"{path} has a column {listing(more)}, but {first} has none of that name")
            try:
                yield from file.iter_batches(rows, columns=list(names), use_threads=False)
            except (pa.ArrowException, OSError) as error:
                raise _damaged(path, error) from error

    def _opened(self, path: Path) -> parquet.ParquetFile:
        try:
            file = parquet.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER)
            check_shape(path, (file.metadata.num_rows, file.metadata.num_columns))
            return file
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from error


class ArrowFile(Table):
    """An Arrow file or stream. Feather files are Arrow files."""

    def count(self) -> int | None:
        return None

    def arrow_schema(self, options: ReadOptions | None = None) -> pa.Schema:  # noqa: ARG002
        with self._opened() as (schema, _):
            return schema

    def batches(self, names: Sequence[str], schema: Schema, rows: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        rows = 0
        with self._opened() as (_, batches):
            for batch in batches:
                rows += len(batch)
                check_shape(self.path, (rows, batch.num_columns))
                wanted = batch.select(list(names))
                wanted.validate(full=True)  # wrong lengths in the file would crash Python
                yield wanted

    @contextmanager
    def _opened(self) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        if not self.path.stat().st_size:
            raise ValueError(f"{self.path} is empty: it must be an Arrow or Feather file")
        with pa.memory_map(str(self.path)) as file:
            magic = file.read(6)
            file.seek(0)
            if magic == b"ARROW1":
                reader = ipc.open_file(file)
                yield reader.schema, (reader.get_batch(i) for i in range(reader.num_record_batches))
            elif magic[:4] == b"FEA1":
                raise ValueError(
                    f"{self.path} is Feather version 1: write it again as version 2, or as Parquet"
                )
            else:
                stream = ipc.open_stream(file)
                yield stream.schema, iter(stream)

    def complaint(self, message: str) -> str:
        return f"{self.path} is not a complete Arrow or Feather file: {message}"


def _damaged(path: Path, error: Exception) -> Exception:
    if isinstance(error, OSError) and error.errno:
        return error
    return ValueError(f"{path} is not a complete Parquet file: {first_line(error)}")
