"""Torch as it is when it has just been imported, whatever modes its caller has set."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any, TypeVar

import torch

Function = TypeVar("Function", bound=Callable[..., Any])
AUTOCAST = ("cpu", "cuda", "mps")


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


def isolated(function: Function) -> Function:
    """Decorates a public function or method so that all of it runs in :func:`own_modes`; a generator is out
    of them while it waits for its caller."""

    @wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        with own_modes():
            return function(*args, **options)

    @wraps(function)
    def stepped(*args: Any, **options: Any) -> Generator[Any, None, Any]:
        steps = function(*args, **options)
        try:
            while True:
                with own_modes():
                    try:
                        found = next(steps)
                    except StopIteration as end:
                        return end.value
                yield found
        finally:
            with own_modes():
                steps.close()

    return stepped if isgeneratorfunction(function) else called  # type: ignore[return-value]
