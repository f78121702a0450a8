"""Errors in the words of the shell: flags for parameters, and standard input for the file that holds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import tyro

STANDARD_INPUT = "standard-input.csv"
"""Name of the temporary file that standard input is copied to."""
NOT_FLAGS = ("run", "runs", "file", "plot", "edits")
"""Fields of commands that are no flags, since they have a position."""
ALIASES = {"n_samples": "count"}
"""Names of parameters in Python whose flag has another name."""


def flags(kind: Any) -> Iterator[str]:
    """Yield the flags of a dataclass, and of nested ones."""
    for name in names(kind):
        flag = name.replace("_", "-")
        yield from (f"--{flag}", f"--no-{flag}")


def names(kind: Any) -> Iterator[str]:
    """Yield the fields of a dataclass, and of nested ones, except those that are not on the command line."""
    for one in fields(kind):
        inner = one.default_factory
        if is_dataclass(inner):
            yield from names(inner)
        elif tyro.conf.Suppress not in getattr(one.type, "__metadata__", ()):
            yield one.name


def switches(kind: Any) -> Iterator[str]:
    """Yield the fields of a dataclass, and of nested ones, that are on or off, so that their flags take no
    value."""
    for one in fields(kind):
        if is_dataclass(inner := one.default_factory):
            yield from switches(inner)
        elif one.type in (bool, "bool"):
            yield one.name


def in_shell(text: str, kind: Any) -> str:
    """An error of the command of a dataclass in the words of the shell."""
    known = {name: name for name in names(kind) if name not in NOT_FLAGS}
    known |= {name: field for name, field in ALIASES.items() if field in known}
    parameter = rf"(^|; |: | and )({'|'.join(known)})(?= is (?:['(\d-]|on\b|not given|empty))"
    text = re.sub(parameter, lambda m: f"{m[1]}--{known[m[2]].replace('_', '-')}", text)
    return re.sub(rf"(\S*/)?{re.escape(STANDARD_INPUT)}", "standard input", text)


@contextmanager
def of_shell(kind: Any) -> Iterator[None]:
    """Within the ``with`` block, errors about bad input use the words of the shell."""
    try:
        yield
    except ValueError as error:
        text = in_shell(str(error), kind)
        if text == str(error):
            raise
        raise ValueError(text) from error
