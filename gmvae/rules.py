"""Rules for the names and values of settings, with errors that say what may be given."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

RENAMED_SETTINGS = {"most_clusters": "max_clusters", "measure_most": "measure_limit"}
"""Names of settings in earlier versions, and the names now."""
RENAMED = {
    **RENAMED_SETTINGS,
    "least_variance": "smallest_variance",
    "signs": "diagnostics",
    "signs_": "diagnostics_",
    "recipe": "schema",
}
"""Names in files and pickles of earlier versions, and the names now."""


def renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values, by the names of this version."""
    return {RENAMED.get(name, name): value for name, value in values.items()}


def choice(name: str, value: object, kind: Any) -> None:
    """Raise ``ValueError`` if a value is not one of those of a ``Literal``."""
    allowed = get_args(kind)
    if value not in allowed:
        raise ValueError(no_choice(name, value, allowed))


def no_choice(name: str, value: object, allowed: Iterable[str]) -> str:
    """The message about a value that is not allowed: the nearest allowed one, and all others."""
    allowed = list(allowed)
    near = similar(value, allowed) if isinstance(value, str) else []
    if not near:
        return f"{name} is {value!r}: it must be one of {', '.join(allowed)}"
    others = [one for one in allowed if one != near[0]]
    also = f"It can also be {'one of ' * (len(others) > 1)}{', '.join(others)}"
    return f"{name} is {value!r}: did you mean {near[0]}? {also}"


def similar(name: str, names: Collection[str], maximum: int = 1, cutoff: float = 0.6) -> list[str]:
    """The names that are most like another one: those that differ from it only in the case of letters, or
    else the most similar ones."""
    folded: dict[str, list[str]] = {}
    for one in names:
        folded.setdefault(one.casefold(), []).append(one)
    key = name.casefold()
    near = [key] if key in folded else get_close_matches(key, folded, maximum, cutoff)
    return [one for found in near for one in folded[found]][:maximum]


def whole(name: str, value: object, minimum: int, more: str = "") -> None:
    """Raise ``ValueError`` if a value is not a whole number of at least ``minimum``; ``more`` says what else
    may be given."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(f"{name} is {value!r}: it must be a whole number of at least {minimum}{more}")


def real(name: str, value: object, *, minimum: float, open_end: bool = False) -> None:
    """Raise ``ValueError`` if a value is not a finite number of at least ``minimum`` or, with an open end,
    above it."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < minimum or (open_end and value == minimum):  # type: ignore[arg-type, operator]
        rule = "above" if open_end else "of at least"
        raise ValueError(f"{name} is {value!r}: it must be a finite number {rule} {minimum:g}")


def span(name: str, value: float) -> None:
    """Raise ``ValueError`` if a value is neither whole epochs nor a share of all epochs, below 1."""
    real(name, value, minimum=0)
    if value > 1 and value != int(value):
        raise ValueError(f"{name} is {value!r}: it must be whole epochs, or below 1 as a share of all epochs")
