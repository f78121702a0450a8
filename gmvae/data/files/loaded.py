"""A data set in memory, read as if it were a file: the spiral, MNIST and so on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from gmvae.data.dataset import Dataset
from gmvae.data.files.base import ROWS, Block, Source, at_most
from gmvae.data.schema import ReadOptions, Schema


class Loaded(Source):
    """The observations of a data set, in order. If columns are kept, they are called y0, y1, ...

    Arguments:
        data: The data set.
    """

    def __init__(self, data: Dataset) -> None:
        super().__init__(Path(data.name))
        self.data = data

    def count(self) -> int | None:
        return len(self.data)

    def names(self) -> Sequence[str]:
        return ()

    def reads(self, path: Path) -> bool:  # noqa: ARG002
        return False

    def schema(self, options: ReadOptions) -> Schema:  # noqa: ARG002
        return Schema(self.data.y_shape)

    def blocks(self, schema: Schema, rows: int = ROWS) -> Iterator[Block]:
        rows, width = at_most(rows, schema.y_shape), math.prod(self.data.y_shape)
        for start in range(0, len(self.data), rows):
            part = slice(start, start + rows)
            y = np.array(self.data.y[part])
            y = y if y.dtype == np.uint8 else y.astype(np.float64, copy=False)
            labels = None if self.data.labels is None else self.data.labels[part]
            table = None
            if self.keeps_columns:
                flat = y.reshape(len(y), width)
                names = [f"y{d}" for d in range(width)]
                table = pa.RecordBatch.from_arrays([pa.array(column) for column in flat.T], names)
            yield Block(y, labels=labels, table=table)
