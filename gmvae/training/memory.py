"""Keep freed memory for the next step, instead of giving it back to the operating system."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""The names of ``mallopt``'s parameters."""
LARGEST = 32 * 2**20
"""Bytes of the largest block that glibc can keep. It sets this by itself once it has freed such a block."""
KEPT = 2**30
"""Maximum number of free bytes at the end of the heap that are kept during a fit."""

_lock, _users = Lock(), [0]


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep freed memory within the ``with`` block, up to a gigabyte, and give it back after it.

    A step of a convolutional network allocates feature maps of megabytes, and frees them. glibc gives the
    memory of many of them back, and then gets it anew, page by page, which can take as long as computing
    them. Other allocators (macOS, Windows, musl) are left as they are. If blocks in several Python threads
    overlap, the last one gives the memory back.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    with _lock:
        _users[0] += 1
        libc.mallopt(MMAP_THRESHOLD, LARGEST)
        libc.mallopt(TRIM_THRESHOLD, KEPT)
    try:
        yield
    finally:
        with _lock:
            _users[0] -= 1
            if not _users[0]:
                libc.mallopt(TRIM_THRESHOLD, 2 * LARGEST)  # as glibc sets it by itself
                libc.malloc_trim(0)


def _glibc() -> Any:
    """The C library, if it is glibc."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") else None
