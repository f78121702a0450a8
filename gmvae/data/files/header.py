"""Decide whether the first line of a text table has the names of the columns, or is a row."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from gmvae.data.files.values import kind, no_number, numbers, strings
from gmvae.data.files.written import NONE

SURE = 10
"""From this length on, a first line 0, 1, 2, ... holds names, not data."""


def is_row(names: Sequence[str], first: pa.RecordBatch) -> bool:
    """Whether the first line is probably a row of the table: each value has the type of its column.

    A missing or infinite value can be in any column, so it is ignored. The line has names if one of its
    entries cannot be a value of its column: a word above numbers, or a word that is none of the classes below
    it. Numbers alone are a row, unless they are 0, 1, 2, ... or 1, 2, 3, ..., the names that pandas gives.
    Words and numbers together are a row in three cases: a word occurs in its own column; it equals those
    there except for digits, such as ``id0`` above ``id1``; or each number lies in the range of its column.
    ``5.1, setosa`` is a row of the iris data, and ``country, 2019, 2020`` are names above populations. Words
    that occur again in a column of numbers are names, as where files with a line of names each were joined.

    Arguments:
        names: The first line.
        first: The rows below it that have been read, with their types.
    """
    if any(_again(name, column) for name, column in zip(names, first.columns, strict=True)):
        return False
    columns = [
        (name, column) for name, column in zip(names, first.columns, strict=True) if not _is_missing(name)
    ]
    if not columns:
        return any(name.strip() for name in names)
    typed = [(name, column) for name, column in columns if not _is_text(column)]
    words = [(name, column) for name, column in columns if _is_text(column) and number(name) is None]
    occur = [_occurs(name, column) for name, column in words]
    foreign = any(not there and _repeats(column) for there, (_, column) in zip(occur, words, strict=True))
    if foreign or not all(_fits(name, column) for name, column in typed):
        return False
    if not typed:
        return len(words) > 1 and all(occur)
    occur += [_numbered_alike(name, column) for name, column in words]
    found = [name for name, _ in columns if number(name) is not None]
    if numbered(found):
        whole = all(_is_whole(column.type) for _, column in typed)
        near = all(_near(name, column, 0.5) for name, column in typed)
        return whole and near and len(found) < SURE and names[0] != ""
    return not words or any(occur) or all(_near(name, column) for name, column in typed)


def number(name: str) -> float | None:
    """The finite number that a string spells, or ``None``."""
    try:
        value = float(name)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in name else None


def _is_missing(name: str) -> bool:
    """Whether a string stands for a missing value, or for one that is not finite."""
    try:
        return name.strip() in NONE or not math.isfinite(float(name))
    except ValueError:
        return False


def _is_text(column: pa.Array) -> bool:
    return kind(column.type) == "text"


def _again(name: str, column: pa.Array) -> bool:
    """Whether a word occurs again in a column of numbers."""
    if not _is_text(column) or number(name) is not None or _is_missing(name) or not _occurs(name, column):
        return False
    row = no_number(column)
    return row is not None and column[row].as_py() == name


def _is_whole(dtype: pa.DataType) -> bool:
    return bool(types.is_integer(dtype) or types.is_boolean(dtype) or types.is_null(dtype))


def _fits(name: str, column: pa.Array) -> bool:
    """Whether a name could be a value of its column."""
    if types.is_boolean(column.type):
        return name.strip().lower() in ("true", "false")
    if kind(column.type) == "number":
        return number(name) is not None
    try:
        pc.cast(strings([name])[0], column.type)
    except pa.ArrowException:
        return False
    return True


def _near(name: str, column: pa.Array, beyond: float = 0.0) -> bool:
    """Whether the number that a name spells lies in the range of its column, widened at both ends by the
    share ``beyond`` of its width."""
    value = number(name)
    values = numbers(column) if kind(column.type) == "number" else np.empty(0)
    values = values[np.isfinite(values)]
    if value is None or not len(values):
        return True
    low, high = float(values.min()), float(values.max())
    more = beyond * (high - low)
    return low - more <= value <= high + more


def _repeats(column: pa.Array) -> bool:
    """Whether strings are classes: on average, each occurs at least twice."""
    return bool(2 * pc.count_distinct(column).as_py() <= len(column) - column.null_count)


def _occurs(name: str, column: pa.Array) -> bool:
    return bool(pc.any(pc.equal(column, pc.cast(strings([name])[0], column.type))).as_py())


def _numbered_alike(name: str, column: pa.Array) -> bool:
    """Whether a string has digits, and equals every string of its column once digits are ignored."""
    form = re.sub(r"\d+", "\0", name)
    return form != name and bool(
        pc.all(pc.equal(pc.replace_substring_regex(column, r"\d+", "\0"), strings([form])[0])).as_py()
    )


def numbered(found: Sequence[str]) -> bool:
    """Whether strings are whole numbers that count from 0 or from 1."""
    return len(found) > 0 and any(
        list(found) == list(map(str, range(start, start + len(found)))) for start in (0, 1)
    )
