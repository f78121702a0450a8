"""Check the default values of flags without typeguard, whose import takes as long as all of tyro's work."""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args, get_origin

import tyro


@contextmanager
def quick() -> Iterator[None]:
    """Within the ``with`` block, unions and tuples of any length are checked here. For these tyro would
    import typeguard, which imports unittest and asyncio."""
    resolver = getattr(tyro, "_resolver", None)
    check = getattr(resolver, "is_instance", None)
    if check is None:  # another version of tyro, which may not need this
        yield
        return

    def is_instance(kind: Any, value: Any) -> bool:
        inner = get_args(kind)
        if isinstance(kind, types.UnionType):
            return any(is_instance(one, value) for one in inner)
        if get_origin(kind) is tuple and inner[1:] == (...,):
            return isinstance(value, tuple) and all(is_instance(inner[0], one) for one in value)
        return bool(check(kind, value))

    resolver.is_instance = is_instance  # type: ignore[union-attr]
    try:
        yield
    finally:
        resolver.is_instance = check  # type: ignore[union-attr]
