"""Progress: the share of a piece of work that is done."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float], object]
"""Called with the share of the work that is done, from 0 to 1."""


def part(progress: Progress, begin: float, length: float) -> Progress:
    """Return the progress of a part of the work, which starts at the share ``begin`` of the whole and takes
    the share ``length`` of it."""
    return lambda share: progress(begin + length * share)
