"""A request to draw pictures of a run, with all that they show, so that later epochs do not change it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO


@dataclass(frozen=True)
class Request:
    """Pictures of a run after one of its epochs.

    Arguments:
        plots: The folder to draw into.
        names: Which pictures.
        suffixes: What follows a picture's name in the names of its files: nothing in the one that the next
            epochs replace, and the epoch in one that is kept.
        snapshot: The bytes of a file with a :class:`gmvae.assess.shown.Snapshot`; none if no picture shows
            it.
        columns: Names of the columns of the data, if they have names.
        choice: The choice of the number of clusters (:class:`gmvae.partition.stability.Choice` as JSON).
        metrics: The file of records.
        size: Its size after this epoch, in bytes. It only grows.
        restart: The restart whose records are shown.
    """

    plots: str
    names: Sequence[str]
    suffixes: Sequence[str]
    snapshot: bytes
    columns: Sequence[str]
    choice: Mapping[str, Any] | None
    metrics: str
    size: int
    restart: int | None

    def before(self, later: Request) -> Request | None:
        """What still has to be drawn if a later request follows: not what that replaces; ``None`` if nothing
        is left."""
        if [*self.suffixes] != [""]:
            return self
        names = tuple(name for name in self.names if name not in later.names)
        return replace(self, names=names) if names else None

    def write(self, stream: BinaryIO) -> None:
        """Write to a stream: a line of JSON, then the snapshot."""
        head = {**asdict(self), "snapshot": len(self.snapshot)}
        stream.write(json.dumps(head).encode() + b"\n")
        stream.write(self.snapshot)
        stream.flush()

    @classmethod
    def read(cls, stream: BinaryIO) -> Request | None:
        """Read what :meth:`write` wrote; ``None`` if the stream has ended."""
        line = stream.readline()
        if not line.endswith(b"\n"):
            return None
        head = json.loads(line)
        snapshot = stream.read(head["snapshot"])
        return cls(**{**head, "snapshot": snapshot}) if len(snapshot) == head["snapshot"] else None
