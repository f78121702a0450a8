"""Random numbers of a fit's own: torch's global generators are neither read nor moved."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


class RandomStream:
    """Two generators that start at one seed, which all chance of a fit comes from.

    A fit beside it, in another thread, or a caller who draws between two epochs changes nothing in it.

    Arguments:
        seed: Where both start.
        device: The device whose numbers are drawn, beside the CPU's.

    Attributes:
        cpu: For what is drawn on the CPU: first weights, and the order of observations.
        local: For what is drawn on the device; on the CPU the same as ``cpu``.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        self.cpu = Generator("cpu").manual_seed(seed)
        self.local = self.cpu if device.type == "cpu" else Generator(device).manual_seed(seed)

    @property
    def states(self) -> dict[str, Tensor]:
        """The state of each generator, by the type of its device."""
        return {one.device.type: one.get_state() for one in (self.cpu, self.local)}

    @states.setter
    def states(self, states: dict[str, Tensor]) -> None:
        for one in (self.cpu, self.local):
            if one.device.type in states:
                one.set_state(states[one.device.type])
