"""What is odd about a table, for the doctor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np


@dataclass(frozen=True)
class Oddities:
    """What is odd about a table.

    Arguments:
        rows: Its rows with a weight above 0; 0 where nothing is known of them.
        distinct: Those of them that differ.
        columns: Its columns.
        heavy: Columns with heavy tails that their scale does not tame, by number.
        rare: Columns with one value in nearly all rows.
        names: What the columns are called, where they have names.
    """

    rows: int = 0
    distinct: int = 0
    columns: int = 0
    heavy: tuple[int, ...] = ()
    rare: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    def of_columns(self, heavy: tuple[int, ...], rare: Any) -> Self:
        """The same, with what was found of the columns; ``rare`` says it of each, (D,)."""
        return replace(self, heavy=heavy, rare=tuple(np.flatnonzero(rare).tolist()))

    def called(self, columns: Sequence[int]) -> str:
        """Some columns by their names."""
        names = [str(self.names[column]) if self.names else str(column) for column in columns]
        return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


NOTHING_ODD = Oddities()
"""Of images, and of the paper's experiments."""
