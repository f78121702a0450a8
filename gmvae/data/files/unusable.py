"""Error messages about missing values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmvae.data.files.columns import some


def gaps(names: Sequence[str], blocks: Iterable[NDArray[np.bool_]], impute: str) -> str:
    """The message about missing values; empty if there are none.

    Arguments:
        names: Names of the D columns.
        blocks: For all rows, in order: which values are missing, shape (B, D).
        impute: How to ask for filling them.
    """
    columns, rows, first, done = np.zeros(len(names), dtype=np.int64), 0, -1, 0
    for block in blocks:
        lacking = block.any(1)
        if first < 0 and lacking.any():
            first = done + int(lacking.argmax())
        columns, rows, done = columns + block.sum(0), rows + int(lacking.sum()), done + len(block)
    worst = [place for place in np.argsort(-columns, kind="stable") if columns[place]]
    named = some([f"{names[place]} ({columns[place]:,})" for place in worst])
    if not rows:
        return ""
    return (
        f"missing values in {rows:,} of {done:,} rows, first in row {first:,} counted from 0, in columns "
        f"{named}: train with {impute}, which fills them with their column's mean in the training data, or "
        "remove these rows"
    )


def gaps_error(
    path: Path, names: Sequence[str], blocks: Iterable[NDArray[np.bool_]], impute: str
) -> ValueError:
    """The error that counts missing values of a file (:func:`gaps`)."""
    return ValueError(f"{path} has {gaps(names, blocks, impute)}")
