"""From the memory of the CPU to the device, without waiting for the device."""

from __future__ import annotations

from typing import Any

from torch import Tensor, device


def onto(values: Tensor, place: device) -> Tensor:
    """The values on a device.

    From the CPU to a GPU of CUDA they go through pinned memory. Then the call returns at once, and the copy
    is made when the GPU has done what was asked of it before; otherwise the CPU would wait for it.
    """
    if place.type == "cuda" and values.device.type == "cpu":
        return pinned(values, place).to(place, non_blocking=True)
    return values.to(place)


def pinned(values: Tensor, place: device) -> Tensor:
    """Values of the CPU, in pinned memory if the device is a GPU of CUDA."""
    return values.pin_memory() if place.type == "cuda" else values


def rows_at(y: Any, positions: Tensor) -> Tensor:
    """``y[positions]`` of a tensor or of observations, with positions on the CPU."""
    return y[onto(positions, y.device) if isinstance(y, Tensor) else positions]
