"""Folders for what a process keeps on disk while it runs, such as the shuffled rows of a stream.

Each holds a locked file, ``lock``, for as long as its process lives. So the next process on the same machine
can remove what a killed one has left, and nothing else.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import socket
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows nothing is locked, and so nothing that others left is removed
    fcntl = None  # type: ignore[assignment]

_locks: dict[Path, int] = {}


def take(place: Path) -> None:
    """Make a folder that is removed when this process ends, also after a signal (:func:`remove_all`). First
    remove the folders beside it, with the same beginning of the name, whose processes are dead."""
    beginning = place.name.partition("-rows-")[0] + "-rows-"
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in place.parent.glob(f"{beginning}*"):
        if left != place and _is_left(left):
            shutil.rmtree(left, ignore_errors=True)
    place.mkdir(parents=True)
    if not _locks:
        atexit.register(remove_all)
    _locks[place] = -1
    if fcntl is not None:
        waiting = place / "waiting"
        waiting.write_text(socket.gethostname())
        _locks[place] = os.open(waiting, os.O_RDWR)
        with contextlib.suppress(OSError):  # on a disk without locks others never remove it
            fcntl.flock(_locks[place], fcntl.LOCK_EX | fcntl.LOCK_NB)
            waiting.rename(place / "lock")


def remove(place: Path) -> None:
    """Remove a folder that was taken."""
    lock = _locks.pop(place, -1)
    if lock >= 0:
        os.close(lock)
    shutil.rmtree(place, ignore_errors=True)


def remove_all() -> None:
    """Remove all folders that this process has taken."""
    for place in list(_locks):
        remove(place)


def _is_left(place: Path) -> bool:
    """Whether a process on this machine has made a folder and is dead."""
    lock = place / "lock"
    try:
        if fcntl is None or lock.read_text() != socket.gethostname():
            return False
        file = os.open(lock, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True
