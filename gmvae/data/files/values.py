"""Convert columns of Arrow tables, of any type, to numbers or strings.

``pa.array``, ``pa.scalar``, ``to_numpy`` and NumPy's ``asarray`` of an Arrow array import pandas if it is
installed, which takes as long as the whole check of a small file. The functions here use DLPack and buffers
instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types

LEVELS = 20
"""Maximum number of different strings, some of them numbers, that can be categories."""
MOSTLY = 0.5
"""Share of numbers above which a column of text is one of numbers."""


def kind(dtype: pa.DataType) -> Literal["number", "text", "other"]:
    """The kind of an Arrow type. Whole and decimal numbers, booleans and columns without any value are
    numbers. A dictionary has the kind of its values."""
    if types.is_dictionary(dtype):
        dtype = dtype.value_type
    if any(_is(dtype) for _is in (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)):
        return "number"
    if any(_is(dtype) for _is in (types.is_string, types.is_large_string, types.is_string_view)):
        return "text"
    return "number" if types.is_null(dtype) else "other"


def plain_name(dtype: pa.DataType) -> str:
    """What values of an Arrow type are, in words; the name of the type if there is no such word."""
    if types.is_dictionary(dtype):
        dtype = dtype.value_type
    if isinstance(dtype, pa.BaseExtensionType):  # such as pandas.period
        return f"{dtype.extension_name.rpartition('.')[2]}s"
    return next((word for word, is_one in OTHERS.items() if is_one(dtype)), str(dtype))


OTHERS = {
    "dates": lambda dtype: types.is_date(dtype) or types.is_timestamp(dtype),
    "times": types.is_time,
    "durations": types.is_duration,
    "lists": lambda dtype: (
        types.is_list(dtype) or types.is_large_list(dtype) or types.is_fixed_size_list(dtype)
    ),
    "records": types.is_struct,
    "bytes": lambda dtype: types.is_binary(dtype) or types.is_large_binary(dtype),
}
"""Words for types that are neither numbers nor text, with their tests."""

NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
"""The pattern of a number."""
WRITTEN = r"^\s*[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\s*$"
"""The pattern of a number with a decimal point or comma."""
SIGN = r"[^\pL\d\s.,+\-\x{2212}]{1,3}"
"""The pattern of a currency or percent sign."""
LETTER = r"[a-z\x{80}-\x{10ffff}]"
"""The pattern of a letter of a date, in any case. With the class of all letters, Arrow would take 30 ms to
compile ``DATE``, and does so for each column."""
MONTH = (
    r"(?:jan|f[eé]v|feb|m[aä]r|mrt|apr|avr|abr|may|mai|mei|mag|jun|jui|giu|jul|lug|aug|ao[uû]|ago|sep|set|oct|"
    rf"okt|out|ott|nov|d[eé]c|dez|dic|ene|gen){LETTER}*\.?"
)
"""The pattern of the name of a month in some languages."""
TIME = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s?([ap]\.?m\.?)?"
"""The pattern of a time of day."""
DATE = (
    rf"(?i)^\s*({LETTER}{{2,10}}\.?,?\s+)?("  # a day of the week
    r"(\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{1,2}[./]\d{1,2}[./]\d{2}|\d{8}T\d{4,6}"
    rf"|\d{{1,2}}({LETTER}{{2}}|\.)?[ ./-]\s?{MONTH}[ ,./-]{{1,2}}(\d{{4}}|\d{{2}})"
    rf"|{MONTH}[ -]\d{{1,2}}({LETTER}{{2}})?,?[ -](\d{{4}}|\d{{2}})|\d{{4}}[ -]{MONTH}[ -]\d{{1,2}}"
    rf"|{MONTH}\s+\d{{1,2}}\s+{TIME}\s+\d{{4}})([ T,].*|Z)?"
    rf"|{MONTH}[ -]\d{{4}}|\d{{4}}[ -]{MONTH}|(19|20)\d{{2}}-(0[1-9]|1[0-2]|[QW]\d{{1,2}})|{TIME}"
    r")\s*$"
)
"""The pattern of a date, with a time or without, or of a time of day."""
DIGITS = r"[+-]?\d[\d.,]*"
LIKE_UNIT = rf"^\s*([^a-zA-Z\d]{{1,4}}|[A-Z]{{3}}\s[\s\x{{a0}}]?)?{DIGITS}[^\d]{{0,4}}\s*$"
"""A pattern that each string of ``UNIT`` has, and few others. It is compiled a hundred times faster."""
UNIT = (
    rf"^\s*((?:{SIGN}|[A-Z]{{3}}\s)?)[\s\x{{a0}}]?{DIGITS}"
    rf"[\s\x{{a0}}\x{{202f}}]?((?:{SIGN}|\pL{{1,3}})?)\s*$"
)
"""The pattern of a number with a unit: a sign, letters behind it, or a code of three letters before it."""


def no_number(column: Any) -> int | None:
    """The row of the first value that is not a number, in a column of strings most of which are
    numbers, or all of which are numbers with a unit; ``None`` for other columns."""
    values = pc.cast(texts(column), pa.string())
    known = max(1, len(values) - values.null_count)
    missing = values.is_null()
    plain = flags(pc.or_kleene(pc.match_substring_regex(values, WRITTEN), missing))
    share = (plain.sum() - values.null_count) / known
    if plain.all() or not (share > MOSTLY or (_have_units(values) and len(values.unique()) > 2)):
        return None
    return int(plain.argmin())


def _have_units(values: Any) -> bool:
    """Whether the strings of a column that are not missing are numbers, with a unit or without."""
    return all(
        pc.all(pc.match_substring_regex(values, pattern)).as_py() is not False
        for pattern in (LIKE_UNIT, UNIT)
    )


def no_numbers(values: Any) -> Any:
    """Those of an Arrow array of strings that are no numbers."""
    return values.filter(pc.invert(pc.match_substring_regex(values, WRITTEN)))


def is_level(text: str, count: int) -> bool:
    """Whether a string among numbers, such as ``3+`` or ``none``, can be one of ``count`` categories; ``?``
    cannot."""
    return count <= LEVELS and any(map(str.isalnum, text))


def date(column: Any) -> str:
    """The first date of a column, if most of its strings are dates or times, and the others have no digits;
    else empty."""
    values = texts(column).drop_null()
    found = pc.match_substring_regex(values, DATE)
    dates, others = values.filter(found), values.filter(pc.invert(found))
    if len(dates) <= MOSTLY * len(values) or pc.any(pc.match_substring_regex(others, r"\d")).as_py():
        return ""
    return dates[0].as_py()


def first_date(values: Any) -> str:
    """The first date or time of an array of these, as text, without a time if it is 0; empty if all are
    missing."""
    known = values.drop_null()
    text = texts(known[:1])[0].as_py() if len(known) else ""
    text = re.sub(r"\.0+(?=[+-]|Z|$)", "", text)
    return re.sub(r" 00:00:00([+-]\d{2}:?\d{2}|Z)?$", "", text)


def unit(column: Any) -> str:
    """The unit that numbers in a column of strings are written with, such as %; empty if they have none, or
    not all the same."""
    values = pc.cast(texts(column), pa.string()).drop_null().unique()
    if not pc.all(pc.match_substring_regex(values, UNIT)).as_py():
        return ""
    units = pc.utf8_trim_whitespace(pc.replace_substring_regex(values, UNIT, r"\1\2")).unique()
    found = [one for one in units.to_pylist() if one]
    return found[0] if len(found) == 1 else ""


def numeric_categories(schema: pa.Schema) -> set[str]:
    """Columns of numbers that stand for categories without an order: those of a dictionary, or a categorical
    column of pandas, which Parquet stores as plain numbers."""
    found = {field.name for field in schema if types.is_dictionary(field.type) and not field.type.ordered}
    for column in _of_pandas(schema, "columns"):
        if isinstance(column, dict) and column.get("pandas_type") == "categorical":
            ordered = isinstance(about := column.get("metadata"), dict) and about.get("ordered")
            found |= set() if ordered else {column.get("field_name")}
    kinds = {
        field.name: field.type.value_type if types.is_dictionary(field.type) else field.type
        for field in schema
        if field.name in found
    }
    return {name for name, one in kinds.items() if kind(one) == "number" and not types.is_boolean(one)}


def index_columns(schema: pa.Schema) -> tuple[str, ...]:
    """The columns of an Arrow table that were the index of a pandas data frame."""
    levels = _of_pandas(schema, "index_columns")
    return tuple(name for name in levels if isinstance(name, str) and name in schema.names)


def _of_pandas(schema: pa.Schema, key: str) -> Sequence[Any]:
    """A list in the metadata that pandas wrote; empty if there is none."""
    try:
        found = (schema.pandas_metadata or {}).get(key, ())
    except (ValueError, AttributeError):  # the metadata of a file can be anything
        return ()
    return found if isinstance(found, list) else ()


def numbers(values: Any) -> NDArray[np.float64]:
    """The numbers of an array or chunked array, shape (B,), with NaN for missing ones. Whole numbers beyond
    2^53 are rounded.

    Raises:
        pyarrow.ArrowException: if they are not numbers.
    """
    cast = pc.cast(decoded(values), pa.float64(), safe=False)
    if cast.null_count:
        cast = pc.coalesce(cast, pc.cast(strings(["nan"])[0], pa.float64()))
    return np.from_dlpack(cast)  # type: ignore[return-value]


def flags(values: Any) -> NDArray[np.bool_]:
    """The values of an Arrow array of booleans, (B,), none of which is missing."""
    return np.from_dlpack(pc.cast(values, pa.uint8())).astype(np.bool_)


def strings(words: Sequence[str]) -> Any:
    """Words as an Arrow array."""
    coded = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, coded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(coded), pa.py_buffer(ends), pa.py_buffer(b"".join(coded)))


def texts(values: Any) -> Any:
    """The same values as text, an Arrow array.

    Raises:
        pyarrow.ArrowException: if they cannot be converted to text.
    """
    return pc.cast(decoded(values), pa.string())


def decoded(values: Any) -> Any:
    """Convert an array to plain values: without a dictionary, and not as ``string_view``, which Arrow's
    kernels do not support."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.DictionaryArray):
        return decoded(values.dictionary).take(values.indices)
    return pc.cast(values, pa.string()) if types.is_string_view(values.type) else values
