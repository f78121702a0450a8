"""Error messages about values that no model can take: missing ones, and infinite ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmvae.data.files.columns import listing


def unusable(
    names: Sequence[str], blocks: Iterable[NDArray[np.float64]], impute: str, *, missing: bool = True
) -> list[str]:
    """Count missing and infinite values: a phrase for each kind that there is.

    Arguments:
        names: Names of the D columns.
        blocks: All rows, in order, shape (B, D), with NaN for what is missing.
        impute: How to ask for filling missing values.
        missing: Whether missing values are reported, too.
    """
    gaps, infinite = _Count(len(names)), _Count(len(names))
    for values in blocks:
        gaps.add(np.isnan(values) if missing else np.zeros(values.shape, dtype=np.bool_), values)
        infinite.add(np.isinf(values), values)
    return [*_about_gaps(gaps, names, impute), *_about_infinite(infinite, names)]


def unusable_error(
    path: Path, names: Sequence[str], blocks: Iterable[NDArray[np.float64]], impute: str, *, missing: bool
) -> ValueError:
    """The error that counts missing and infinite values of a file (:func:`unusable`)."""
    return ValueError(f"{path} has {'; and '.join(unusable(names, blocks, impute, missing=missing))}")


class _Count:
    """Where values of one kind are, in rows that come in blocks."""

    def __init__(self, width: int) -> None:
        self.columns = np.zeros(width, dtype=np.int64)
        self.rows = self.total = 0
        self.first: tuple[int, int, float] | None = None
        """Row, column and value of the first one."""

    def add(self, found: NDArray[np.bool_], values: NDArray[np.float64]) -> None:
        """Add a block of rows, (B, D), in which the values of this kind are marked."""
        if self.first is None and found.any():
            row, column = np.argwhere(found)[0].tolist()
            self.first = self.total + row, column, float(values[row, column])
        self.columns += found.sum(0)
        self.rows, self.total = self.rows + int(found.any(1).sum()), self.total + len(found)

    def where(self, names: Sequence[str]) -> str:
        """The columns with such values, those with most of them first."""
        worst = [place for place in np.argsort(-self.columns, kind="stable") if self.columns[place]]
        return listing([f"{names[place]} ({self.columns[place]:,})" for place in worst])


def _about_gaps(gaps: _Count, names: Sequence[str], impute: str) -> Iterator[str]:
    if gaps.first is not None:
        yield (
            f"missing values in {gaps.rows:,} of {gaps.total:,} rows, first in row {gaps.first[0]:,} counted "
            f"from 0, in columns {gaps.where(names)}: train with {impute}, which fills them with their "
            "column's mean in the training data, or remove these rows"
        )


def _about_infinite(infinite: _Count, names: Sequence[str]) -> Iterator[str]:
    if infinite.first is not None:
        row, column, value = infinite.first
        many = f", in columns {infinite.where(names)}" if np.count_nonzero(infinite.columns) > 1 else ""
        yield (
            f"infinite numbers in {infinite.rows:,} of {infinite.total:,} rows, first {value} in row {row:,} "
            f"of column {names[column]}, counted from 0{many}: remove these rows, or replace them with "
            "finite numbers"
        )
