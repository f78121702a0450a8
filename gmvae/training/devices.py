"""Devices and CPU threads: which ones a fit computes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local

import torch

SMALL_LAYER = 5_000_000


class _Here(local):
    """How many blocks of :func:`cpu_threads` this thread of Python is in."""

    depth = 0


_here, _lock, _users = _Here(), Lock(), [0, 0]
"""The last: how many threads are in such a block, and the number of torch's threads before the first was."""


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Within the ``with`` block torch computes with so many CPU threads; 0 leaves it as it is.

    Blocks may overlap in several threads of Python: each thread is left with the number that was there before
    the first of them, and an inner block with that of the outer one.
    """
    if not count:
        yield
        return
    now = torch.get_num_threads()
    with _lock:
        if not _users[0]:
            _users[1] = now
        _users[0] += 1
        before = now if _here.depth else _users[1]
    _here.depth += 1
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        _here.depth -= 1
        with _lock:
            _users[0] -= 1


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
