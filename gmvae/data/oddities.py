"""Unusual properties of a table, for the doctor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np


@dataclass(frozen=True)
class Oddities:
    """Unusual properties of a table.

    Arguments:
        rows: How many rows have a weight above 0; 0 if that is not known.
        distinct: How many of these differ.
        columns: How many columns it has.
        heavy: Columns with heavy tails that their scale does not tame, by number.
        rare: Columns with one value in nearly all rows.
        names: Names of the columns, if they have names.
    """

    rows: int = 0
    distinct: int = 0
    columns: int = 0
    heavy: tuple[int, ...] = ()
    rare: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    def of_columns(self, heavy: tuple[int, ...], rare: Any) -> Self:
        """The same with these properties of the columns; ``rare`` has a flag for each column, (D,)."""
        return replace(self, heavy=heavy, rare=tuple(np.flatnonzero(rare).tolist()))

    def called(self, columns: Sequence[int]) -> str:
        """Some columns by their names, or else by their numbers."""
        names = [str(self.names[column]) if self.names else str(column) for column in columns]
        listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        return listed if self.names else f"{listed}, counted from 0"


NOTHING_ODD = Oddities()
"""The value for images and for the paper's experiments, which are not checked."""
