"""Choose the device and the number of CPU threads of a fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local

import torch

from gmvae.config import DEVICE, DEVICES

SMALL_LAYER = 5_000_000


class _Here(local):
    """How many nested blocks of :func:`cpu_threads` this Python thread is in."""

    depth = 0


_here, _lock, _users = _Here(), Lock(), [0, 0]
"""``_users``: how many blocks are open in all threads, and torch's number of threads before the first one."""


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` CPU threads within the ``with`` block; 0 leaves the number as it is.

    Blocks of several Python threads can overlap. After its block, each thread has the number from before the
    first block; after an inner block, that of the outer one.
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
    """The number of CPU threads for a layer of ``work`` multiplications: the number asked for or, for 0, one
    if the layer is small, else 0 (as torch decides).

    For small layers two threads save a sixth of the time on an idle machine. But if another program keeps a
    core busy, they wait for each other and take twice as long (benchmarks/threads.py). With the thread that
    draws the progress bar, epochs of the spiral then sometimes took 200 times as long.
    """
    return asked or (1 if work < SMALL_LAYER else 0)


def pick_precision(asked: str, device: torch.device, network: str) -> str:
    """The number format of a network in training: the one asked for or, for ``auto``, bfloat16 for
    convolutions on a CUDA GPU that computes in it, else float32. Fully connected networks are too small to
    gain.

    Raises:
        ValueError: if the device has no bfloat16.
    """
    able = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    if asked == "auto":
        return "bfloat16" if able and device.type == "cuda" and network != "fc" else "float32"
    if asked == "bfloat16" and not able:
        raise ValueError(f"precision is bfloat16, but {device} does not compute in it: choose float32")
    return asked


def pick_device(name: str) -> torch.device:
    """The device with this name; for ``auto`` a GPU if there is one, else the CPU.

    Raises:
        ValueError: if there is no such device, or this machine has none.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return torch.device("cpu" if found is None or found.type not in ("cuda", "mps") else found)
    if not re.fullmatch(DEVICE, str(name)):
        raise ValueError(f"device is {str(name)!r}: it must be {DEVICES}")
    device = torch.device(name)
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.mps.is_available())}
    if (device.index or 0) >= count[device.type]:
        raise ValueError(
            f"device is {name!r}, but there are {count[device.type]} {device.type} devices: "
            "choose another, or auto"
        )
    return device
