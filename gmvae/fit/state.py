"""Records of epochs, and the state of a fit between two events: tensors and JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

Record = dict[str, Any]
"""The record of an epoch: ``restart`` and ``epoch``, both from 1, ``seconds``, ``loss``, ``elbo``, the terms
and, if rows are held out, ``validation_loss``, in nats per observation and the units of the data."""
Tensors = dict[str, Tensor]
State = tuple[Tensors, dict[str, Any]]
"""Tensors by name, and JSON values."""
CURRENT = "current"
"""The part of an engine's state that is the first restart in progress."""


def beside(number: int) -> str:
    """The part of an engine's state that is a restart in progress, from 0: the first, or one beside it."""
    return f"beside{number}" if number else CURRENT


def running(state: State) -> State:
    """The part of an engine's state that is all restarts in progress."""
    tensors, about = state
    kept = {name: value for name, value in about.items() if not name.startswith("outcome")}
    return {key: value for key, value in tensors.items() if key.split(".", 1)[0] in kept}, kept


def joined(**parts: State) -> State:
    """The states of several parts as one: a tensor ``a`` of part ``p`` is called ``p.a``."""
    tensors = {f"{part}.{name}": t for part, (named, _) in parts.items() for name, t in named.items()}
    return tensors, {part: about for part, (_, about) in parts.items()}


def part(state: tuple[Mapping[str, Tensor], Mapping[str, Any]], name: str) -> State:
    """One part of a state that :func:`joined` made.

    Raises:
        ValueError: if there is no part with that name.
    """
    tensors, about = state
    if name not in about:
        raise ValueError(f"the checkpoint has no {name}: it was written by another version, or changed")
    start = len(name) + 1
    return {key[start:]: value for key, value in tensors.items() if key.startswith(f"{name}.")}, about[name]
