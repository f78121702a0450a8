"""What a run's folder says besides its epochs: where the fit started, and how it ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gmvae.store.run_folder import RunFolder

SAID = ("severity", "message", "advice")
"""The keys of each of the doctor's findings."""


class Kept:
    """start.json and summary.json of a run, which are read again once they have changed.

    Arguments:
        folder: The run's folder.

    Attributes:
        read: How often they have been read.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.read = 0
        self._stamps: tuple[Any, ...] = ()
        self._starts: dict[int, dict[str, Any]] = {}
        self._unread: dict[str, Any] = {}
        self._ended: dict[str, Any] = {}

    def look(self) -> None:
        """Read the files that have changed."""
        paths = (self.folder.start, self.folder.path / "summary.json")
        stamps = (*map(_stamp, paths), self.folder.ended)
        if stamps == self._stamps:
            return
        self._stamps, self.read = stamps, self.read + 1
        self._starts, self._unread = self._read_starts()
        self._ended = self._read_summary()

    def facts(self, restart: int | None = None) -> dict[str, Any]:
        """The facts of a report (:class:`gmvae.show.content.Content`), as far as they are known: ``start``
        and, once the run has ended, ``findings`` and ``restarts``. ``unread_start`` and ``unread_summary``
        say why a file cannot be read.

        Arguments:
            restart: The restart whose start is wanted; by default the last one.
        """
        start = self._starts.get(max(self._starts, default=1) if restart is None else restart)
        return {"start": start, **self._unread, **self._ended}

    def _read_starts(self) -> tuple[dict[int, dict[str, Any]], dict[str, Any]]:
        """The starts by restart, and why there are none."""
        try:
            starts = self.folder.read_starts()
        except (OSError, ValueError) as error:
            return {}, {"unread_start": str(error)}
        return {start["restart"]: start for start in starts if _is_start(start)}, {}

    def _read_summary(self) -> dict[str, Any]:
        if not self.folder.ended:
            return {}
        try:
            summary = self.folder.read_summary() or {}
        except (OSError, ValueError) as error:
            return {"unread_summary": str(error)}
        findings: Any = summary.get("findings")
        restarts: Any = summary.get("restarts")
        if not (
            _records(findings) and all(isinstance(one.get(key), str) for one in findings for key in SAID)
        ):
            return {"unread_summary": f"{self.folder.path / 'summary.json'} has no findings"}
        return {"findings": findings, "restarts": restarts if _records(restarts) else []}


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:  # not there
        return None
    return found.st_mtime_ns, found.st_size


def _is_start(start: dict[str, Any]) -> bool:
    texts = all(isinstance(start.get(key), str) for key in ("init", "reason"))
    return (
        texts
        and isinstance(start.get("restart"), int)
        and all(_records(start.get(key, [])) for key in ("rounds", "candidates"))
    )


def _records(value: Any) -> bool:
    """Whether a JSON value is a table: a list of objects with the same keys."""
    return isinstance(value, list) and all(
        isinstance(one, dict) and one.keys() == value[0].keys() for one in value
    )
