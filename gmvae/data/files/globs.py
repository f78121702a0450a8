"""Globs: paths with ``*`` or ``?`` in the name of a file or of its folders."""

from __future__ import annotations

from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path


def has_marks(path: Path) -> bool:
    """Whether a path is a glob."""
    return any(mark in str(path) for mark in "*?")


def found(pattern: Path) -> list[Path]:
    """The files that a glob matches, in the order of their paths; ``**`` stands for any folders."""
    top, inner = _split(pattern)
    return sorted(top.glob(str(inner)))


def matches(pattern: Path, path: Path) -> bool:
    """Whether a glob matches a path, or would if a file were there."""
    top, inner = _split(pattern)
    real, whole = path.parent.resolve() / path.name, Path(escape(str(top.resolve()))) / inner
    deep = "**" in inner.parts or len(real.parts) == len(whole.parts)
    return deep and fnmatchcase(str(real), str(whole))


def _split(pattern: Path) -> tuple[Path, Path]:
    """The deepest folder of a glob that has no mark, and the rest."""
    top = next(folder for folder in pattern.parents if not has_marks(folder))
    return top, pattern.relative_to(top)
