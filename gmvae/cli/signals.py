"""Signals that ask a process to end. This file is imported first, so it imports nothing heavy."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

STOPPED = (130, 143)
"""Exit statuses after Ctrl-C, and after SIGTERM."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM)."""


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does within the block: a run then prints how to resume it."""

    def stop(*_: object) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def status(stop: KeyboardInterrupt) -> int:
    """The exit status of a process that was asked to end: 143 for SIGTERM, 130 for Ctrl-C."""
    return STOPPED[isinstance(stop, Terminated)]
