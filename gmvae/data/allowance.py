"""How much of the machine this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

ROOT = Path("/")


def memory(root: Path = ROOT) -> int:
    """The bytes of memory that this process may use: its share of the machine's memory or, if that is less,
    of a container's limit, and no more than ``ulimit -v``.

    With ``torchrun``, the processes on this machine share its memory (``LOCAL_WORLD_SIZE``).

    Arguments:
        root: The folder with ``proc`` and ``sys``.
    """
    shared = min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *_cgroup_limits(root)])
    share = shared // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    own = resource.getrlimit(resource.RLIMIT_AS)[0] if resource else -1
    return min(share, own) if own >= 0 else share  # RLIM_INFINITY is below 0


def _cgroup_limits(root: Path) -> Iterator[int]:
    """The limits of memory, in bytes, of the control groups that this process is in, and of those above them
    (version 1 or 2; Linux)."""
    mounted = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, group = line.split(":", 2)
        if number == "0" and not controllers:
            top, name = mounted, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = mounted / "memory", "memory.limit_in_bytes"
        else:
            continue
        # a container sees its own group at the top, and sometimes a path that exists outside only
        inner = PurePosixPath(*(part for part in PurePosixPath(group).parts if part not in ("/", "..")))
        for folder in (inner, *inner.parents):
            limit = _text(top / folder / name).strip()
            if limit.isdecimal():  # or "max"
                yield int(limit)


def _text(path: Path) -> str:
    """The content of a file; empty if it cannot be read."""
    try:
        return path.read_text()
    except OSError:
        return ""
