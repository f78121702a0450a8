"""Write tables piece by piece, in the format of the file's ending."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmvae.store.files import write_whole

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".arrow", ".feather", ".npy")
STANDARD = Path("-")
"""Standard output; tables are written to it as .csv."""


def check_ending(path: Path, endings: tuple[str, ...] = ENDINGS) -> None:
    """Raise ``ValueError`` if the ending of a file's name is not one of ``endings``."""
    if ending(path) not in endings:
        raise ValueError(f"{path} ends in {ending(path)!r}: it must end in {', '.join(endings)}")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file to write")


def ending(path: Path) -> str:
    """The ending of a file's name, including .gz, as in ``.csv.gz``. That of standard output is .csv."""
    if path == STANDARD:
        return ".csv"
    return "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix


def write_table(path: Path, batches: Iterator[pa.RecordBatch]) -> int:
    """Write batches of rows, all with the same columns, as they come, and return the number of rows.

    A file appears when it is complete; standard output gets the rows as they come. ``.npy`` has only the
    columns of numbers, shape (rows, columns).

    Raises:
        ValueError: if there are no rows, or the ending of the file's name is not in ``ENDINGS``.
    """
    check_ending(path)
    first = next(batches, None)
    if first is None:
        raise ValueError(f"there are no rows to write to {path}")
    written = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal written
        for batch in chain([first], batches):
            written += len(batch)
            yield batch

    write = _write_npy if path.suffix == ".npy" else _write_arrow(ending(path))
    if path == STANDARD:
        write(sys.stdout.buffer, first.schema, counted())
    else:
        write_whole(path, lambda part: write(part, first.schema, counted()))
    return written


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as a .npy file."""

    def write(part: Path) -> None:
        with open(part, "wb") as file:
            np.save(file, array, allow_pickle=False)

    write_whole(path, write)


def _write_arrow(ending: str) -> Callable[[Any, pa.Schema, Iterator[pa.RecordBatch]], None]:
    def write(part: Any, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        import pyarrow as pa

        text = ending.startswith((".csv", ".tsv"))
        schema = _plain(schema) if text else schema
        try:
            with _opened(part, ending, schema) as writer:
                for batch in batches:
                    writer.write_batch(batch.cast(schema) if batch.schema != schema else batch)
        except pa.ArrowException as error:
            odd = [f"{field.name} ({field.type})" for field in schema if not _is_writable(field.type)]
            if not text or not odd:
                raise
            raise ValueError(
                f"{ending} cannot hold the values of column {', '.join(odd)}: write a .parquet file, or "
                "leave out --keep-columns"
            ) from error

    return write


def _plain(schema: pa.Schema) -> pa.Schema:
    """The schema with ``string`` in place of ``string_view``. Arrow does not write the latter as text."""
    import pyarrow as pa

    kinds = [pa.string() if pa.types.is_string_view(field.type) else field.type for field in schema]
    return pa.schema([field.with_type(kind) for field, kind in zip(schema, kinds, strict=True)])


def _is_writable(kind: pa.DataType) -> bool:
    """Whether Arrow always writes values of a type as text."""
    from pyarrow import types

    binary = types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    return not (types.is_nested(kind) or binary or types.is_interval(kind))


@contextmanager
def _opened(part: Any, ending: str, schema: pa.Schema) -> Iterator[Any]:
    """Open a writer of record batches to a file, or to standard output, which stays open."""
    from pyarrow import csv, ipc, output_stream, parquet

    if ending == ".parquet":
        with parquet.ParquetWriter(part, schema) as writer:
            yield writer
    elif ending.startswith((".csv", ".tsv")):
        packed = "gzip" if ending.endswith(".gz") else None
        options = csv.WriteOptions(delimiter="\t" if ending[1] == "t" else ",", quoting_style="needed")
        with (
            output_stream(part, compression=packed)
            if isinstance(part, Path)
            else nullcontext(part) as stream,
            csv.CSVWriter(stream, schema, write_options=options) as writer,
        ):
            yield writer
    else:
        with ipc.new_file(part, schema) as writer:
            yield writer


def _write_npy(part: Any, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    """Write a .npy file. Its header has room for a larger number of rows, and is written again at the end."""
    numbers = [place for place, field in enumerate(schema) if _is_number(field.type)]
    kind, rows = np.dtype(np.float64), 0
    with open(part, "wb") as file:
        _npy_header(file, kind, (0, len(numbers)))
        for batch in batches:
            table = np.column_stack([batch.column(i).to_numpy(zero_copy_only=False) for i in numbers])
            file.write(np.ascontiguousarray(table, kind).tobytes())
            rows += len(table)
        file.seek(0)
        _npy_header(file, kind, (rows, len(numbers)))


def _npy_header(file: Any, kind: np.dtype[Any], shape: tuple[int, ...]) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
