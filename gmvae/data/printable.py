"""Texts from files, made safe to print."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    r"""A text of one line without what a terminal would obey: control characters, and marks that turn the
    direction of writing, are written as escapes.

        >>> printable("a\x1b[2Jb")
        'a\\x1b[2Jb'
    """
    return "".join(
        one
        if one.isprintable() or unicodedata.category(one) == "Zs"
        else one.encode("unicode_escape").decode()
        for one in text
    )
