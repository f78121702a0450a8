"""Texts from files, made safe to print."""

from __future__ import annotations

import unicodedata


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
