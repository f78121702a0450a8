"""Torch as it is when it has just been imported, whatever modes its caller has set."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any, TypeVar

import torch

Function = TypeVar("Function", bound=Callable[..., Any])
Item = TypeVar("Item")
AUTOCAST = ("cpu", "cuda", "mps")
"""Devices that autocast may be on for."""


@contextmanager
def own_modes() -> Iterator[None]:
    """Within the ``with`` block gradients are recorded, and neither inference mode, autocast nor a default
    device is on; after it, and after an error in it, the caller's modes are there again.

    All of these belong to the thread that sets them, so that no other is touched. The default type of
    floating point belongs to the whole process: it is left alone, and whatever is made says its type.
    """
    with ExitStack() as modes:
        if torch.is_inference_mode_enabled():
            modes.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            modes.enter_context(torch.enable_grad())
        for kind in AUTOCAST:
            if torch.is_autocast_enabled(kind):
                modes.enter_context(torch.autocast(kind, enabled=False))
        # where there is none this would only make each call of torch slower
        if torch.get_default_device() != torch.device("cpu"):
            modes.enter_context(torch.device("cpu"))
        yield


def within(
    context: Callable[[], AbstractContextManager[object]], steps: Generator[Item, None, None]
) -> Generator[Item, None, None]:
    """What ``steps`` gives, each step made in a new ``context()``, out of which it is while it waits for its
    caller."""
    try:
        while True:
            with context():
                try:
                    found = next(steps)
                except StopIteration:
                    return
            yield found
    finally:
        with context():
            steps.close()


def isolated(function: Function) -> Function:
    """Decorates a public function or method, a generator too, so that all of it runs in :func:`own_modes`."""

    @wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        if isgeneratorfunction(function):
            return within(own_modes, function(*args, **options))
        with own_modes():
            return function(*args, **options)

    return called  # type: ignore[return-value]
