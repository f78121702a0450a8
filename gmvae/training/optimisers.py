"""Optimisers by name: torch's own, and the one that the original code effectively uses."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from torch import nn

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)
FUSED = {"adagrad", "adam", "adamw", "sgd"}
UNCOMPILED = ("add_param_group", "state_dict", "load_state_dict", "zero_grad")
"""Methods that torch excludes from compilation."""


def optimiser(name: str, parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """The optimiser called ``name`` ("adam", "sgd", ..., "sign") over ``parameters``.

    Raises:
        ValueError: if torch has no optimiser of that name.
    """
    if name == "sign":
        return Sign(parameters, lr=learning_rate)
    kinds = {kind.lower(): getattr(torch.optim, kind) for kind in torch.optim.__all__}
    if name not in kinds:
        raise ValueError(f"optimiser is {name!r}: it must be sign or one of torch.optim's")
    options: dict[str, Any] = {"fused": True} if name in FUSED else {}
    return light(kinds[name])(parameters, lr=learning_rate, **options)


def light(kind: type[Kind]) -> type[Kind]:
    """The same kind of optimiser, without the decorators that import torch's compiler.

    torch excludes some methods from compilation. For that, it imports ``torch._dynamo`` when they are first
    called, which takes a second or more. Nothing is compiled here.
    """
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in UNCOMPILED}
    plain["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), plain)


@light
class Sign(torch.optim.Optimizer):
    r"""Steps of a fixed size, :math:`\theta \leftarrow \theta - \eta\,\mathrm{sign}(\nabla_\theta)`.

    Differs: the original code uses Adam, but gives it a fresh state at every step. The bias-corrected moments
    of a fresh Adam are the gradient and its square, so each step is the one above. Only if a gradient is not
    large compared with :math:`\epsilon` do they differ. Torch7 adds :math:`\epsilon = 10^{-8}` before the
    correction. With the gradient :math:`g` of the loss summed over a batch, its step is
    :math:`\eta g / (|g| + 10^{-8} / \sqrt{0.001})`. That is half of the step here at
    :math:`|g| = 3.2 \cdot 10^{-7}`; for the gradient of the mean, divide that by the batch size.

    Arguments:
        parameters: The parameters to optimise.
        lr: The step size :math:`\eta`.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float = 1e-4) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step. If ``closure`` is given, it is called first and its value is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if moved:
                steps = torch._foreach_sign([p.grad for p in moved])
                torch._foreach_add_(moved, steps, alpha=-group["lr"])
        return loss
