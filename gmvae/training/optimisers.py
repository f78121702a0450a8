"""Optimisers by name: torch's own, and the one that the original code amounts to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

FUSED = {"adagrad", "adam", "adamw", "sgd"}


def optimiser(name: str, parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """The optimiser called ``name`` ("adam", "sgd", ..., "sign") over ``parameters``.

    Raises:
        ValueError: where torch has no optimiser of that name.
    """
    if name == "sign":
        return Sign(parameters, lr=learning_rate)
    kinds = {kind.lower(): getattr(torch.optim, kind) for kind in torch.optim.__all__}
    if name not in kinds:
        raise ValueError(f"optimiser is {name!r}: it must be sign or one of torch.optim's")
    options: dict[str, Any] = {"fused": True} if name in FUSED else {}
    return kinds[name](parameters, lr=learning_rate, **options)


class Sign(torch.optim.Optimizer):
    r"""Steps of one size, :math:`\theta \leftarrow \theta - \eta\,\mathrm{sign}(\nabla_\theta)`.

    Differs: the original code asks for Adam, but hands it a fresh state at every step. The moments
    of a fresh Adam, corrected for bias, are the gradient and its square, so that each step is this
    one, but where a gradient is not large against :math:`\epsilon`: with Torch7's
    :math:`\epsilon = 10^{-8}`, which it adds before the correction, and :math:`g` of the loss summed over a
    batch, the step is :math:`\eta g / (|g| + 10^{-8} / \sqrt{0.001})`. That is half of this one at
    :math:`|g| = 3.2 \cdot 10^{-7}`, which is that over the size of the batch on the gradient of the mean.

    Arguments:
        parameters: What to optimise.
        lr: The step size :math:`\eta`.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float = 1e-4) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; ``closure``, where given, is called first and its value returned."""
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
