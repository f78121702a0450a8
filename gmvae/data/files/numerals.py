"""Recognise columns of strings that are all numbers, in a notation that is not read as numbers."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gmvae.data.files.values import NUMBER, flags, texts
from gmvae.data.files.written import form

MINUS = "[\u2212\u2012\u2013\ufe63\uff0d]"
"""The pattern of dashes that are not the hyphen of the keyboard."""
BRACKETS = r"^\s*\((.*)\)\s*$"
"""The pattern of a value in brackets, which accountants write for negative numbers."""
CODE = r"^\s*0\d"
"""The pattern of digits that are a code, such as 007, and not a number."""
COMMAS = r"^\s*[+-]?0,"
"""The pattern of a number whose comma cannot stand between thousands."""
NOTATIONS = ((None, ","), (",", "."), (".", ","), (" ", "."), (" ", ","), ("'", "."), ("'", ","))
"""Thousands separators, ``None`` for none, and decimal marks that are tried in turn."""
POINT = "a decimal point"


def notation(column: Any, decimal: str = ".") -> tuple[str, int] | None:
    """What is special about the numbers of a column of strings, empty if it is only that; and the
    row of the first such value. ``None`` if not all of them are numbers.

    Arguments:
        column: An Arrow array of strings.
        decimal: The decimal mark that numbers are read with.
    """
    values = texts(column)
    known = values.drop_null()
    if not len(known) or _any(known, CODE):
        return None
    hyphens = pc.replace_substring_regex(known, MINUS, "-")
    bare = pc.replace_substring_regex(hyphens, BRACKETS, r"-\1")
    special = ["a minus sign that is not a hyphen"] * _any(known, MINUS)
    special += ["brackets for negative ones"] * _any(known, BRACKETS)
    if _all(bare, NUMBER):
        special += [POINT] * (decimal == "," and _any(bare, r"\."))
    else:
        commas = _any(bare, COMMAS)
        found = next((one for one in NOTATIONS if _written(bare, *one, commas=commas)), None)
        if found is None:
            return None
        mark, point = found
        special += ["a decimal comma"] * (point == "," and decimal == "." and _any(bare, ","))
        special += ["a thousands separator"] * (mark is not None)
    marks = [pattern for pattern in (MINUS, BRACKETS) if _any(known, pattern)] + [r"\."] * (POINT in special)
    shown = pc.match_substring_regex(values, marks[0] if marks else NUMBER)
    if not marks:
        shown = pc.invert(shown) if special else values.is_valid()
    return " and ".join(special), int(flags(pc.and_kleene(shown, values.is_valid())).argmax())


def _written(values: pa.Array, mark: str | None, decimal: str, *, commas: bool) -> bool:
    """Whether numbers have this thousands separator and decimal mark."""
    if mark is None and _all(values, form(",", ".")) and not commas:
        return False  # 1,500 is rather 1500
    return not (mark == "," and commas) and _all(values, form(mark, decimal))


def _all(values: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, pattern)).as_py())


def _any(values: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(values, pattern)).as_py())
