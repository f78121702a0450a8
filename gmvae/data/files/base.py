"""The base class of readers: observations in a file or a folder, read a block of rows at a time."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gmvae.data.schema import ReadOptions, Schema

TEXTS = (".csv", ".tsv", ".txt")
"""Endings of text tables, each also with .gz."""
ROWS = 1 << 15
"""Default number of rows in a block."""
FLAGS = {
    "drop": "--drop", "one-hot": "--text one-hot", "impute": "--missing impute", "id": "the --id-column",
    "plain": "save them as numbers or, if they are classes, make 0/1 features of them with --text one-hot",
    "number": "write them like -1234.5",
}  # fmt: skip
"""How to follow the advice of a message on the command line."""
NUMBERS = 1 << 21
"""Maximum number of values in a block: wide rows come in smaller blocks."""


@dataclass(frozen=True)
class Block:
    """Some rows of a file."""

    y: NDArray[Any]
    """Numbers of a table, float64, shape (B, D), not scaled; or images (B, channels, height, width), uint8
    if they are levels, else float64. The array is writable."""
    ids: Any = None
    """Values of the id column, (B,), an Arrow or numpy array; ``None`` if there is none."""
    labels: Any = None
    """Values of the label column as they are in the file, (B,); ``None`` if there is none."""
    weights: Any = None
    """Values of the weight column as they are in the file, (B,); ``None`` if there is none."""
    table: Any = None
    """All columns as they are in the file, an Arrow record batch, if the source keeps them."""


class Source(ABC):
    """A file or a folder of data.

    Arguments:
        path: Its path.
        advice: How to follow the advice of a message: flags, or Python.
    """

    def __init__(self, path: Path, advice: Mapping[str, str] = FLAGS) -> None:
        self.path, self.advice = path, advice
        self.keeps_columns = False
        """Whether blocks of a table also have all columns as they are in the file."""
        self.options: ReadOptions | None = None
        """The options of :meth:`schema`, which reads a file to train on; ``None`` for a file that a model is
        applied to."""
        self.unseen: dict[str, tuple[int, str]] = {}
        """Texts in the blocks so far that training did not see (:meth:`gmvae.data.schema.Schema.unseen`)."""

    columns_have_types = False
    """Whether a look at the columns, without their values, can find something wrong."""

    @abstractmethod
    def count(self) -> int | None:
        """The number of rows, if it is known without reading them all; else ``None``."""

    def size(self) -> int:
        """About how many bytes all rows take in memory: those of the file, or 0 if that is not known."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @abstractmethod
    def names(self) -> Sequence[str]:
        """Names of all columns, features or not; empty if the file has no names."""

    def index(self) -> Sequence[str]:
        """Names of the index columns. They are not features unless they are asked for."""
        return ()

    def reads(self, path: Path) -> bool:
        """Whether this source reads the file at a path, under any name or link, or would read it once it is
        written."""
        return same(path, self.path)

    @abstractmethod
    def schema(self, options: ReadOptions) -> Schema:
        """Resolve the options to a schema of this file.

        Raises:
            ValueError: if the file cannot be read with these options.
        """

    @abstractmethod
    def blocks(self, schema: Schema, rows: int = ROWS) -> Iterator[Block]:
        """Yield the rows in order, in blocks of at most ``rows``.

        The schema is that of this file or of another one. Columns are found by name if both files have names,
        else by position.

        Raises:
            ValueError: if a row cannot be read by the schema.
        """


def same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same existing file, also through links."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def at_most(rows: int, y_shape: tuple[int, ...]) -> int:
    """How many rows a block of observations of this shape has: at least one, and fewer if they are wide, to
    save memory."""
    return max(1, min(rows, NUMBERS // max(1, math.prod(y_shape))))
