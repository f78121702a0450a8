"""How processes that train together find each other, also after some of them have died."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import timedelta

from torch.distributed import Store

WAIT = 0.01
"""Seconds between two looks for processes that are still missing."""


@dataclass(frozen=True)
class Meeting:
    """What the processes have agreed on.

    Arguments:
        name: A name that these processes share, and no earlier ones had.
        restarted: Whether the launcher of any of them has restarted its processes.
    """

    name: str = ""
    restarted: bool = False


def meet(store: Store, rank: int, size: int, restarts: int, timeout: timedelta) -> Meeting:
    """Wait until all processes are there, and agree on a name.

    The launcher's store outlives the processes, so it can hold what dead ones wrote. And the launcher of
    each machine counts only the restarts that its own processes caused, so the count is no common name.
    Here each process writes a random word under a key of its own. The first process answers to this word
    with the common name, and waits for an answer under that.

    Arguments:
        store: The store of the launcher.
        rank: The number of this process.
        size: The number of processes.
        restarts: How many restarts the launcher of this process counts.
        timeout: How long to wait for the others.

    Raises:
        TimeoutError: if some processes do not come.
        torch.distributed.DistStoreError: if the first does not.
    """
    word = uuid.uuid4().hex
    if rank:
        store.set(f"gmvae/word/{rank}", word)
        name = _read(store, f"gmvae/name/{word}", timeout)
        store.set(f"gmvae/{name}/{rank}", str(restarts))
    else:
        name, others = word, range(1, size)
        _wait_for(store, name, others, timeout)
        counts = [restarts, *(int(store.get(f"gmvae/{name}/{other}")) for other in others)]
        store.set(f"gmvae/{name}/restarted", str(max(counts)))
    return Meeting(name, int(_read(store, f"gmvae/{name}/restarted", timeout)) > 0)


def _read(store: Store, key: str, timeout: timedelta) -> str:
    store.wait([key], timeout)
    return bytes(store.get(key)).decode()


def _wait_for(store: Store, name: str, others: range, timeout: timedelta) -> None:
    """Send the name to each process until it has answered under that name. A word that a dead process left
    gets no answer, and the process that takes its place replaces it."""
    missing, sent, end = set(others), set[str](), time.monotonic() + timeout.total_seconds()
    while missing:
        for other in sorted(missing):
            if store.check([f"gmvae/{name}/{other}"]):
                missing.discard(other)
            elif store.check([f"gmvae/word/{other}"]):
                word = bytes(store.get(f"gmvae/word/{other}")).decode()
                if word not in sent:
                    store.set(f"gmvae/name/{word}", name)
                    sent.add(word)
        if time.monotonic() > end:
            raise TimeoutError(f"of {len(others) + 1} processes, number {min(missing)} did not come")
        if missing:
            time.sleep(WAIT)
