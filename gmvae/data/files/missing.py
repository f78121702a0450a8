"""What is said of values that are missing where none may be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmvae.data.files.columns import some


def gaps_error(
    path: Path, names: Sequence[str], blocks: Iterable[NDArray[np.bool_]], impute: str
) -> ValueError:
    """The error that counts missing values.

    Arguments:
        path: The file.
        names: Names of its D columns.
        blocks: All of its rows, in order: where a value is missing, shape (B, D).
        impute: How to ask for having them filled.
    """
    columns, rows, first, done = np.zeros(len(names), dtype=np.int64), 0, -1, 0
    for gaps in blocks:
        lacking = gaps.any(1)
        if first < 0 and lacking.any():
            first = done + int(lacking.argmax())
        columns, rows, done = columns + gaps.sum(0), rows + int(lacking.sum()), done + len(gaps)
    worst = [place for place in np.argsort(-columns, kind="stable") if columns[place]]
    named = some([f"{names[place]} ({columns[place]:,})" for place in worst])
    return ValueError(
        f"{path} has missing values in {rows:,} of {done:,} rows, first in row {first:,} counted from 0, in "
        f"columns {named}: train with {impute}, which fills them with their column's mean in the training "
        "data, or remove these rows"
    )
