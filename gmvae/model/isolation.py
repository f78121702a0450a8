"""Run code in torch's default modes, whatever modes the caller has set."""

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
"""Devices for which autocast can be on."""


@contextmanager
def own_modes() -> Iterator[None]:
    """Use torch's default modes within the ``with`` block: gradients are recorded, and neither inference mode
    nor autocast nor a default device is on. The caller's modes are restored afterwards, also after an error.

    All of these modes belong to one thread, so no other thread is affected. The default floating-point type
    belongs to the whole process. It is left alone: every tensor is created with an explicit type.
    """
    with ExitStack() as modes:
        if torch.is_inference_mode_enabled():
            modes.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            modes.enter_context(torch.enable_grad())
        for kind in AUTOCAST:
            if torch.is_autocast_enabled(kind):
                modes.enter_context(torch.autocast(kind, enabled=False))
        # without a default device this would only make each call of torch slower
        if torch.get_default_device() != torch.device("cpu"):
            modes.enter_context(torch.device("cpu"))
        yield


def within(
    context: Callable[[], AbstractContextManager[object]], steps: Generator[Item, None, None]
) -> Generator[Item, None, None]:
    """Yield what ``steps`` yields. Each step runs in a new ``context()``, which is left before the caller
    gets the item."""
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
    """Decorate a public function, method or generator so that all of it runs in :func:`own_modes`."""

    @wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        if isgeneratorfunction(function):
            return within(own_modes, function(*args, **options))
        with own_modes():
            return function(*args, **options)

    return called  # type: ignore[return-value]
