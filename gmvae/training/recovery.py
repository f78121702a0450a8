"""What is done where a loss, or a weight after an update, is no finite number: training goes back to the last
good state, and on with a smaller step, a bounded number of times."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

ROLLBACKS, SMALLER = 4, 0.25
"""How often a fit goes back at most, and what the learning rate is multiplied by each time."""
HUGE = 1e4
"""A weight beyond this is no sign of a sound fit: what the model makes of some observations is looked at."""


class Snapshot:
    """A copy of a state (:data:`gmvae.fit.state.State`), whose memory is used again for the next one."""

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
        """The state, in memory of its own."""
        return {name: tensor.clone() for name, tensor in self.tensors.items()}, dict(self.about)


@torch.no_grad()
def greatest(module: nn.Module) -> float:
    r"""The greatest :math:`|\theta|` of all weights and running statistics; nan or inf where one is that."""
    values = [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point() and b.numel())]
    return float(torch.stack(torch._foreach_norm(values, float("inf"))).max())


def first_odd(loss: Tensor, terms: Any) -> str | None:
    """The name of the first term, or else ``loss``, that is not finite for an observation of a batch."""
    for name, values in zip((*terms._fields, "loss"), (*terms, loss), strict=True):
        if not bool(values.isfinite().all()):
            return name
    return None
