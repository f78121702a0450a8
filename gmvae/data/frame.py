"""Tables in memory, read in the same way as files: data frames of pandas and polars, Arrow tables, and arrays
of numbers and text."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types

from gmvae.data.files.tables import Table
from gmvae.data.files.values import index_columns, kind, numeric_categories
from gmvae.data.printable import short
from gmvae.data.schema import ReadOptions, Schema, first_line, unseen_lines

ADVICE = {
    "drop": "X.drop", "one-hot": "text='one-hot'", "impute": "missing='impute'", "id": "the index",
    "plain": "convert them, as astype(float) does, or, if they are classes, make 0/1 features of them with "
    "text='one-hot'",
    "number": "write them like -1234.5, and convert them, as astype(float) does",
}  # fmt: skip
"""How to follow the advice of a message in Python."""


class Frame(Table):
    """A table in memory.

    Arguments:
        table: The table.
    """

    def __init__(self, table: pa.Table) -> None:
        super().__init__(Path("X"), ADVICE)
        self.table = table

    @classmethod
    def of(cls, X: Any, *, objects: bool = False) -> Self | None:
        """Return the frame of a data frame or an Arrow table; ``None`` for anything else.

        With ``objects`` also that of an array that can hold text. Its columns are called ``0``, ``1`` and
        so on.

        Raises:
            ValueError: if a column holds values of several types, or two columns have the same name.
        """
        library = type(X).__module__.split(".")[0]
        try:
            if isinstance(X, (pa.Table, pa.RecordBatch)):
                return cls(pa.table(X) if isinstance(X, pa.Table) else pa.Table.from_batches([X]))
            if library == "pandas" and hasattr(X, "columns"):
                named = X.set_axis(list(map(str, X.columns)), axis=1)
                if any(str(dtype).startswith("Sparse") for dtype in named.dtypes):
                    named = named.apply(lambda c: c.sparse.to_dense() if hasattr(c, "sparse") else c)
                return cls(_of_pandas(named))
            if library == "polars" and hasattr(X, "to_arrow") and hasattr(X, "columns"):
                return cls(X.to_arrow())
            if objects and isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "OUS":
                return cls(pa.table({str(i): pa.array(column.tolist()) for i, column in enumerate(X.T)}))
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            if str(error).startswith("X has"):
                raise
            raise ValueError(f"X is not a table of numbers and texts: {first_line(error)}") from error
        return None

    @property
    def plain(self) -> bool:
        """Whether it holds only numbers, none of them categories, all of them known and finite."""
        schema = self.table.schema
        if any(kind(field.type) != "number" for field in schema) or numeric_categories(schema):
            return False
        return all(_finite(column) for column in self.table.columns)

    def count(self) -> int:
        return int(self.table.num_rows)

    def arrow_schema(self, options: ReadOptions | None = None) -> pa.Schema:  # noqa: ARG002
        return self.table.schema

    def index(self) -> Sequence[str]:
        return index_columns(self.table.schema)

    def batches(self, names: Sequence[str], schema: Schema, rows: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        yield from self.table.select(list(names)).to_batches(max_chunksize=rows)

    def numbers(self, schema: Schema) -> NDArray[np.float64]:
        """The numbers of all rows, encoded by a schema, (N, D).

        Raises:
            ValueError: if a row cannot be read in that way.
        """
        blocks = [block.y for block in self.blocks(schema)]
        for line in unseen_lines("X", self.unseen):
            warnings.warn(line, UserWarning, stacklevel=2)
        return np.concatenate(blocks) if blocks else np.empty((0, len(schema.features)))


def _of_pandas(X: Any) -> pa.Table:
    """The Arrow table of a data frame of pandas. Whole numbers that are too large for 64 bits become floats.

    Raises:
        ValueError: if a column holds complex numbers, or values of several types.
    """
    try:
        return pa.Table.from_pandas(X, preserve_index=False)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        columns = {}
        for name, column in X.items():
            if column.dtype.kind == "c":
                raise ValueError(
                    f"X has complex numbers in column {name}: make columns of real and imaginary parts"
                ) from None
            if column.dtype == object:
                known = column.dropna()
                real = known.map(lambda value: isinstance(value, numbers.Real))
                if len(known) and real.all():
                    column = column.astype(float)
                elif real.any():
                    row = int(real.to_numpy().argmin())
                    raise ValueError(
                        f"X has values of several types in column {name}, {short(known[real].iloc[0])} and "
                        f"{short(known.iloc[row])}: make all of them numbers, or all of them strings"
                    ) from None
            columns[name] = column
        return pa.Table.from_pandas(type(X)(columns), preserve_index=False)


def _finite(column: pa.ChunkedArray) -> bool:
    if column.null_count:
        return False
    return not types.is_floating(column.type) or bool(pc.all(pc.is_finite(column)).as_py())


def encoded(X: Any, schema: Schema) -> Any:
    """Encode X by a schema, as numbers of shape (N, D).

    This applies to tables in memory, and to arrays with missing numbers, which the schema fills. Anything
    else is returned unchanged.

    Raises:
        ValueError: if a row cannot be read in that way.
    """
    frame = None if len(schema.y_shape) == 3 else Frame.of(X, objects=bool(schema.categories))
    if frame is not None:
        return frame.numbers(schema)
    whole = not (schema.impute and isinstance(X, np.ndarray) and X.dtype.kind == "f")
    if whole or X.shape[1:] != schema.y_shape or not np.isnan(X).any():
        return X
    return schema.filled(np.array(X, np.float64))
