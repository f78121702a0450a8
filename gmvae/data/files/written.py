"""The format of a text table, if it is given: encoding, separator, decimal mark, thousands separator."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from gmvae.data.files.values import kind, strings
from gmvae.data.schema import ReadOptions, Schema

NONE = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A", "<NA>", "\\N")
"""Texts that stand for a missing value. Ids and labels are read as they are: no id is missing, and
:mod:`gmvae.data.files.labels` decides which labels are."""
THOUSANDS = (",", ".", "'", " ", "_")
"""Possible thousands separators."""


@dataclass(frozen=True)
class Written:
    """Separator, decimal mark, thousands separator and encoding of a text table.

    With ``None``, separator and decimal mark are detected, there is no thousands separator, and the encoding
    is UTF-8.
    """

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None

    @classmethod
    def of(cls, given: ReadOptions | Schema) -> Self:
        """Return the format that options or a schema give.

        Raises:
            ValueError: if a value is not valid.
        """
        separator = "\t" if given.separator in ("tab", "\\t") else given.separator
        if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
            raise ValueError(f"separator is {given.separator!r}: it must be one character, or tab")
        if given.decimal not in (None, ".", ","):
            raise ValueError(f"decimal is {given.decimal!r}: it must be . or a comma")
        if given.thousands is not None and given.thousands not in THOUSANDS:
            listed = " ".join(map(repr, THOUSANDS))
            raise ValueError(f"thousands is {given.thousands!r}: it must be one of {listed}")
        if given.thousands is not None and given.thousands == given.decimal:
            raise ValueError(f"thousands is {given.thousands!r}, as the decimal mark is: they must differ")
        if given.encoding is not None and not is_encoding(given.encoding):
            raise ValueError(
                f"encoding is {given.encoding!r}: it must be one that Python knows, such as cp1252 or utf-16"
            )
        decimal = "," if given.thousands == "." else given.decimal
        return cls(separator, decimal, given.thousands, given.encoding)


def is_encoding(name: str) -> bool:
    """Whether Python knows a text encoding by this name."""
    try:
        "".encode(name)
    except (LookupError, ValueError):  # ValueError: a name with a null in it
        return False
    return True


def form(mark: str | None, decimal: str) -> str:
    """The pattern of a number that can have a thousands separator."""
    thousands = "" if mark is None else rf"|[1-9]\d{{0,2}}({separator(mark)}\d{{3}})+"
    return rf"^\s*[+-]?(\d+{thousands})({re.escape(decimal)}\d*)?([eE][+-]?\d+)?\s*$"


def separator(mark: str) -> str:
    """The pattern of a thousands separator. A space stands for any of those that do not break a line, too."""
    return "[ \u00a0\u202f]" if mark == " " else re.escape(mark)


def marked(batch: pa.RecordBatch, mark: str | None, decimal: str) -> set[str]:
    """Text columns whose values are all numbers written like this, and at least one of them has the thousands
    separator, or, without one, the decimal mark."""
    found = set()
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        if kind(values.type) != "text" or mark == decimal:
            continue
        fits = pc.match_substring_regex(nulled(values), form(mark, decimal))
        has = separator(decimal if mark is None else mark)
        if pc.all(fits).as_py() and pc.any(pc.match_substring_regex(values, has)).as_py():
            found.add(name)
    return found


def unmarked(values: Any, mark: str, decimal: str, where: str) -> Any:
    """Convert strings to numbers, with ``mark`` as thousands separator.

    Raises:
        ValueError: if a string is not a number.
    """
    values = nulled(values)
    fits = pc.or_kleene(pc.match_substring_regex(values, form(mark, decimal)), values.is_null())
    odd = values.filter(pc.invert(fits))
    if len(odd):
        raise ValueError(
            f"{where.format(repr(odd[0].as_py()))}: it must be a number or empty, with {mark!r} between "
            "thousands, if anything"
        )
    plain = pc.replace_substring_regex(pc.utf8_trim_whitespace(values), separator(mark), "")
    return pc.cast(pc.replace_substring(plain, decimal, "."), pa.float64())


def nulled(values: pa.Array, known: Collection[str] = ()) -> pa.Array:
    """Replace strings that stand for a missing value with null, except those that are ``known`` values of a
    column: a data frame can have the text NA, since it has other missing values."""
    words = strings([word for word in NONE if word not in known])
    missing = pc.is_in(values, value_set=pc.cast(words, values.type))
    return pc.if_else(missing, pa.nulls(1, values.type)[0], values)
