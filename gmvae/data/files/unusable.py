"""Error messages about values that no model can take: missing ones, and infinite ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmvae.data.files.columns import listing

Blocks = Callable[[], Iterable[NDArray[np.float64]]]
"""Gives all rows, in order, shape (B, D), with NaN for what is missing."""


@dataclass(frozen=True)
class Unusable:
    """What is wrong with the values of a table."""

    said: tuple[str, ...] = ()
    """A phrase for each kind of values."""
    empty: tuple[str, ...] = ()
    """Columns without any finite number. They can only be left out."""
    gaps: bool = False
    """Whether values are missing in other columns."""


def unusable(
    names: Sequence[str],
    blocks: Blocks,
    advice: Mapping[str, str],
    *,
    missing: bool = True,
    training: bool = True,
) -> Unusable:
    """Count missing and infinite values.

    Arguments:
        names: Names of the D columns.
        blocks: The rows.
        advice: How to follow the advice of a message.
        missing: Whether missing values are reported, too.
        training: Whether a model is to be trained, and not applied. Columns without any number are reported
            only then.
    """
    whole = [_Count(len(names)), _Count(len(names))]
    for values in blocks():
        for count, found in zip(whole, (np.isnan(values), np.isinf(values)), strict=True):
            count.add(found, values)
    gaps, infinite = whole
    counts, total = gaps.columns + infinite.columns, gaps.total
    empty = (counts == total) & training & (total > 1 or not missing)
    if empty.any():  # the counts of rows are those of the other columns
        gaps, infinite = _Count(len(names)), _Count(len(names))
        for values in blocks():
            gaps.add(np.isnan(values) & ~empty, values)
            infinite.add(np.isinf(values) & ~empty, values)
    said = [*_about_empty(names, empty, whole[0].columns == total, advice)]
    if missing:
        said += _about_gaps(gaps, names, advice["impute"], training=training)
    said += _about_infinite(infinite, names)
    lacking = missing and gaps.first is not None
    return Unusable(tuple(said), tuple(names[place] for place in np.flatnonzero(empty).tolist()), lacking)


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


def _about_empty(
    names: Sequence[str], empty: NDArray[np.bool_], missing: NDArray[np.bool_], advice: Mapping[str, str]
) -> Iterator[str]:
    for what, which in (("value at all", empty & missing), ("finite number", empty & ~missing)):
        if which.any():
            named = listing([names[place] for place in np.flatnonzero(which).tolist()])
            yield f"no {what} in column {named}: leave it out with {advice['drop']}"


def _about_gaps(gaps: _Count, names: Sequence[str], impute: str, *, training: bool) -> Iterator[str]:
    if gaps.first is not None:
        remedy = (
            f"train with {impute}, which fills them with means of the training data, or remove these rows"
            if training
            else f"fill them, or remove these rows, since the model was trained without {impute}"
        )
        yield (
            f"missing values in {gaps.rows:,} of {gaps.total:,} rows, first in row {gaps.first[0]:,} counted "
            f"from 0, in columns {gaps.where(names)}: {remedy}"
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
