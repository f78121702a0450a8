"""Write a table in every format, and read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import ipc

from gmvae.data.files.base import ROWS
from gmvae.data.files.open import open_source
from gmvae.data.schema import ReadOptions, Schema


def features(path: Path, options: ReadOptions | None = None, schema: Schema | None = None, rows: int = ROWS):
    """All rows of a file, read by its own schema or by another, with their ids and labels."""
    source = open_source(path)
    blocks = list(source.blocks(schema or source.schema(options or ReadOptions()), rows))
    beside = (
        []
        if getattr(blocks[0], name) is None
        else np.concatenate([getattr(b, name) for b in blocks]).tolist()
        for name in ("ids", "labels")
    )
    return np.concatenate([block.y for block in blocks]), *beside


def complaint(path: Path, options: ReadOptions | None = None, schema: Schema | None = None) -> str:
    """The line with which a file is refused, without its folder."""
    with pytest.raises(ValueError, match=r"\S") as error:
        features(path, options, schema)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(path), path.name)


def write_csv(table, path):
    table.to_csv(path, index=False, sep="," if ".csv" in path.name else "\t")


def write_polars(table, path):
    frame = pl.from_pandas(table)
    frame.write_ipc(path) if path.suffix == ".ipc" else frame.write_parquet(path)


def write_stream(table, path):
    whole = pa.Table.from_pandas(table, preserve_index=False)
    with ipc.new_stream(path, whole.schema) as file:
        file.write_table(whole, max_chunksize=7)


def write_parts(table, path):
    path.mkdir()
    for number in range(3):
        part = table.iloc[number * len(table) // 3 : (number + 1) * len(table) // 3]
        part.to_parquet(path / f"part-{number}.parquet", index=False)


WRITERS = {
    "t.csv": write_csv,
    "t.csv.gz": write_csv,
    "t.TSV": write_csv,
    "t.txt": write_csv,
    "t.txt.gz": write_csv,
    "t.parquet": lambda table, path: table.to_parquet(path, index=False, row_group_size=10),
    "parts.parquet": write_parts,
    "t.feather": lambda table, path: table.to_feather(path),
    "t.arrow": write_stream,
    "polars.ipc": write_polars,
    "polars.parquet": write_polars,
}
"""How to write a pandas table in each format that has names and types."""


def sample(rows: int = 30) -> pd.DataFrame:
    """Numbers of several types, with an id and a label."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": [f"{i:03d}" for i in range(rows)],
            "a": rng.normal(size=rows) * 1e3,
            "b": rng.integers(-5, 2**40, rows),
            "c": rng.random(rows) < 0.5,
            "kind": rng.choice([2, 10, 7], rows),
        }
    )
