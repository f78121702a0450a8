"""Find columns that only count the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

COUNTED = 20
"""Minimum number of rows for a column that rises by 1 in each row to count as more than chance."""


class Counting:
    """Finds the columns that rise, or fall, by 1 from each row to the next, in rows that come in blocks.

    Arguments:
        width: The number of columns, D.
    """

    def __init__(self, width: int) -> None:
        self._steps = np.ones((2, width), dtype=np.bool_)  # whether each column rises, and whether it falls
        self._last: NDArray[np.float64] | None = None
        self._rows = 0

    @property
    def over(self) -> bool:
        """Whether no column can be found any more."""
        return not self._steps.any()

    def add(self, values: NDArray[Any]) -> None:
        """Add the next rows, (B, D)."""
        self._rows += len(values)
        if self.over or not len(values):
            return
        y = values.astype(np.float64, copy=False)
        with np.errstate(over="ignore"):
            steps = np.diff(y if self._last is None else np.concatenate((self._last, y)), axis=0)
        self._steps &= np.stack(((steps == 1).all(0), (steps == -1).all(0)))
        self._last = y[-1:].copy()

    @property
    def found(self) -> list[int]:
        """The numbers of these columns; none of fewer than ``COUNTED`` rows."""
        return np.flatnonzero(self._steps.any(0)).tolist() if self._rows >= COUNTED else []
