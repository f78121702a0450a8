"""Observations in a file or a folder, which are read a block of rows at a time."""

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
"""Endings of tables of text, each also with .gz."""
ROWS = 1 << 15
"""Rows of a block, unless another number is asked for."""
FLAGS = {
    "drop": "--drop", "one-hot": "--text one-hot", "impute": "--missing impute", "id": "--id-column",
}  # fmt: skip
"""How to ask for what a message advises."""
NUMBERS = 1 << 21
"""Numbers of a block, at most: fewer rows where they are wide."""


@dataclass(frozen=True)
class Block:
    """Some rows of a file."""

    y: NDArray[Any]
    """Numbers of a table, float64, shape (B, D), not scaled; or images (B, channels, height, width), uint8
    where they are levels, else float64. It may be written to."""
    ids: Any = None
    """Values of the id column, (B,), an Arrow or numpy array; ``None`` where there is none."""
    labels: Any = None
    """Values of the label column as they are in the file, (B,), likewise."""
    weights: Any = None
    """Values of the weight column as they are in the file, (B,), likewise."""
    table: Any = None
    """All columns as they are in the file, an Arrow record batch, where they are kept."""


class Source(ABC):
    """A file or a folder of data.

    Arguments:
        path: Where it is.
        advice: How to ask for what a message advises.
    """

    def __init__(self, path: Path, advice: Mapping[str, str] = FLAGS) -> None:
        self.path, self.advice = path, advice
        self.keeps_columns = False
        """Whether blocks of a table have all columns as they are in the file."""
        self.unseen: dict[str, tuple[int, str]] = {}
        """Texts of the blocks so far that training did not see (:meth:`gmvae.data.schema.Schema.unseen`)."""

    @abstractmethod
    def count(self) -> int | None:
        """The number of rows, where it is known without reading them all."""

    @abstractmethod
    def names(self) -> Sequence[str]:
        """Names of everything that a row has, features or not, as far as it has names."""

    def index(self) -> Sequence[str]:
        """Names of the columns that name the rows, which are no features unless they are asked for."""
        return ()

    def reads(self, path: Path) -> bool:
        """Whether a file at this path is one of those that are read here, by whatever name or link, or would
        be if it were written."""
        return same(path, self.path)

    @abstractmethod
    def schema(self, options: ReadOptions) -> Schema:
        """How this file is to be read: what a person asks of it, made definite.

        Raises:
            ValueError: where the file cannot be read in that way.
        """

    @abstractmethod
    def blocks(self, schema: Schema, rows: int = ROWS) -> Iterator[Block]:
        """The rows in order, in blocks of at most so many, as a schema says that was made from this file or
        from another one. Columns are found by name where both files have names, else by place.

        Raises:
            ValueError: where a row cannot be read in that way.
        """


def same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file that is there, through whatever links."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def at_most(rows: int, y_shape: tuple[int, ...]) -> int:
    """The rows of a block of observations of this shape: at least one, and few where they are wide, so that
    they need little memory."""
    return max(1, min(rows, NUMBERS // max(1, math.prod(y_shape))))
