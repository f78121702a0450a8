"""Recover if a loss, or a weight after an update, is not finite: training goes back to the last good state
and continues with a smaller step, a limited number of times."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

ROLLBACKS, SMALLER = 4, 0.25
"""Maximum number of rollbacks in a fit, and the factor of the learning rate for each."""
HUGE = 1e4
"""If a weight is greater than this, the terms of a batch are checked for values that are not finite."""


class Snapshot:
    """A copy of a state (:data:`gmvae.fit.state.State`). Its memory is reused for the next copy."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.about: dict[str, Any] = {}

    def take(self, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        """Copy a state."""
        self.about = dict(about)
        if self.tensors.keys() == tensors.keys():
            with torch.no_grad():
                torch._foreach_copy_(list(self.tensors.values()), [tensors[name] for name in self.tensors])
        else:
            self.tensors = {name: tensor.detach().clone() for name, tensor in tensors.items()}

    def copy(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """A copy of the state in new memory."""
        return {name: tensor.clone() for name, tensor in self.tensors.items()}, dict(self.about)


def numbers(module: nn.Module) -> list[Tensor]:
    """All weights and running statistics of a module."""
    return [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point() and b.numel())]


@torch.no_grad()
def greatest(values: list[Tensor]) -> float:
    r"""The greatest :math:`|\theta|` of these tensors; nan or inf if one of their numbers is."""
    return float(torch.stack(torch._foreach_norm(values, float("inf"))).max())


def first_odd(loss: Tensor, terms: Any) -> str | None:
    """The name of the first term, or else ``loss``, that is not finite for an observation of a batch."""
    for name, values in zip((*terms._fields, "loss"), (*terms, loss), strict=True):
        if not bool(values.isfinite().all()):
            return name
    return None
