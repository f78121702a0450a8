"""Random numbers for a fit alone: torch's global generators are neither used nor changed."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


class RandomStream:
    """Two generators with the same seed, the source of all randomness of a fit.

    They are not affected by a fit in another thread, or by random numbers that the caller draws between two
    epochs.

    Arguments:
        seed: Seed of both.
        device: The device of the second generator.

    Attributes:
        cpu: For numbers drawn on the CPU: initial weights, and the order of observations.
        local: For numbers drawn on the device; on the CPU it is ``cpu`` itself.
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
