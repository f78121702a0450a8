"""Progress: the share of a piece of work that is done."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float], object]
"""Called with the share of the work that is done, from 0 to 1."""


def part(progress: Progress, begin: float, length: float) -> Progress:
    """What a part of the work tells, which begins after a share of it and is another share of it long."""
    return lambda share: progress(begin + length * share)
