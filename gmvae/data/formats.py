"""Tables in files, read batch by batch through Arrow: CSV, TSV, Parquet, Arrow and Feather."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, ipc, parquet

from gmvae.data.recipe import Recipe
from gmvae.data.tables import Table

NONE = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A"]
"""What stands for a missing value in CSV and TSV files."""
CSV_BLOCK = 1 << 22
"""Bytes of a CSV file that are parsed together."""


class CsvFile(Table):
    """A file of values with commas or tabs between them, packed with gzip or not."""

    def __init__(self, path: Path, delimiter: str) -> None:
        super().__init__(path)
        self.delimiter = delimiter

    def count(self) -> int | None:
        return None

    def schema(self) -> pa.Schema:
        with self._opened(csv.ConvertOptions(null_values=NONE, strings_can_be_null=True)) as reader:
            return reader.schema

    def batches(self, names: Sequence[str], recipe: Recipe, rows: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        texts = {*recipe.categories, recipe.label_column} - {None}
        kinds = {name: pa.string() if name in texts else pa.float64() for name in names}
        if recipe.id_column is not None:  # as it looks in the first block
            kinds.pop(recipe.id_column, None)
        options = csv.ConvertOptions(
            column_types=kinds, include_columns=list(names), null_values=NONE, strings_can_be_null=True
        )
        with self._opened(options) as reader:
            yield from reader

    def _opened(self, options: csv.ConvertOptions) -> csv.CSVStreamingReader:
        # one thread, so that a complaint says in which line it is
        reading = csv.ReadOptions(use_threads=False, block_size=CSV_BLOCK)
        parsing = csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True)
        return csv.open_csv(self.path, reading, parsing, options)

    def complaint(self, message: str) -> str:
        found = re.search(r"CSV column #(\d+): (?:Row #(\d+): )?.*invalid (?:value )?'?(.*?)'?$", message)
        if found:
            name, line = self.schema().names[int(found[1])], f" in line {found[2]}" if found[2] else ""
            return f"{self.path} has {found[3]!r} in column {name}{line}: it must be a number or empty"
        return f"{self.path} is not a whole table: {message}"


class ParquetFiles(Table):
    """One or more Parquet files with the same columns."""

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        super().__init__(path)
        self.files = files

    def count(self) -> int | None:
        with self.reading():
            return sum(parquet.read_metadata(file).num_rows for file in self.files)

    def schema(self) -> pa.Schema:
        return parquet.read_schema(self.files[0])

    def batches(self, names: Sequence[str], recipe: Recipe, rows: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        for path in self.files:
            with parquet.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
                yield from file.iter_batches(rows, columns=list(names), use_threads=False)


class ArrowFile(Table):
    """An Arrow file or stream; Feather files are the former."""

    def count(self) -> int | None:
        return None

    def schema(self) -> pa.Schema:
        with self._opened() as (schema, _):
            return schema

    def batches(self, names: Sequence[str], recipe: Recipe, rows: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        with self._opened() as (_, batches):
            for batch in batches:
                yield batch.select(list(names))

    @contextmanager
    def _opened(self) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        with pa.memory_map(str(self.path)) as file:
            magic = file.read(6)
            file.seek(0)
            if magic == b"ARROW1":
                reader = ipc.open_file(file)
                yield reader.schema, (reader.get_batch(i) for i in range(reader.num_record_batches))
            elif magic[:4] == b"FEA1":
                raise ValueError(
                    f"{self.path} is Feather version 1: write it anew as version 2, or as Parquet"
                )
            else:
                stream = ipc.open_stream(file)
                yield stream.schema, iter(stream)


def open_table(path: Path, ending: str) -> Table:
    """The table in a file whose name ends so."""
    if ending in (".csv", ".tsv", ".txt"):
        return CsvFile(path, "," if ending == ".csv" else "\t")
    return ParquetFiles(path, [path]) if ending == ".parquet" else ArrowFile(path)
