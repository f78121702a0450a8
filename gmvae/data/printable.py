"""Texts and values of the user, made safe to print."""

from __future__ import annotations

import unicodedata
from typing import Any

LONG = 40
"""Maximum number of letters of a value in a message."""


def printable(text: str) -> str:
    r"""Escape the characters of a one-line text that a terminal would act on: control characters, and marks
    that change the direction of writing.

        >>> printable("a\x1b[2Jb")
        'a\\x1b[2Jb'
    """
    return "".join(
        one
        if one.isprintable() or unicodedata.category(one) == "Zs"
        else one.encode("unicode_escape").decode()
        for one in text
    )


def short(value: Any) -> str:
    r"""A value as one line, cut if it is long.

    >>> short("a" * 100)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ..."
    """
    value = value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value
    text = " ".join(repr(value).split())
    return text if len(text) <= LONG else f"{text[: LONG - 4]} ..."
