"""Devices and CPU threads: which ones a fit computes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL_LAYER = 5_000_000


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Within the ``with`` block torch computes with so many CPU threads; 0 changes nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def pick_threads(asked: int, work: int) -> int:
    """The number of CPU threads for a layer of ``work`` multiplications: what is asked for or, for 0, one
    where the layer is small.

    Two threads there save a sixth of the time on an idle machine, but wait for each other where another
    program keeps a core busy, and take twice as long (benchmarks/threads.py). Beside the thread that draws
    the progress bar, epochs of the spiral have then been seen to take 200 times as long.
    """
    return asked or (1 if work < SMALL_LAYER else 0)


def pick_device(name: str) -> torch.device:
    """The device of that name; for ``auto`` a GPU if there is one, else the CPU.

    Raises:
        ValueError: where this machine has no such device.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return torch.device("cpu" if found is None or found.type not in ("cuda", "mps") else found)
    device = torch.device(name)
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.mps.is_available())}
    if (device.index or 0) >= count[device.type]:
        raise ValueError(
            f"device is {name!r}, but there are {count[device.type]} {device.type} devices: "
            "choose another, or auto"
        )
    return device
