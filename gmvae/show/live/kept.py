"""What a run's folder says besides its epochs: where the fit started, how it ended, and how people have
named, merged and split its clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gmvae.assess.remedies import as_flags
from gmvae.partition.relabelling import Relabelling
from gmvae.store.model_file import ModelFile
from gmvae.store.run_folder import RunFolder

SAID = ("severity", "message", "advice")
"""The keys of each of the doctor's findings."""


class Kept:
    """start.json, summary.json and the model file of a run, which are read again once they have changed.

    Arguments:
        folder: The run's folder.

    Attributes:
        read: How often they have been read.
        edits: Names, merges and splits of the clusters of a run that has ended.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.read = 0
        self.edits = Relabelling()
        self._stamps: tuple[Any, ...] = ()
        self._starts: dict[int, dict[str, Any]] = {}
        self._unread: dict[str, Any] = {}
        self._ended: dict[str, Any] = {}

    def look(self) -> None:
        """Read the files that have changed."""
        paths = (self.folder.start, self.folder.path / "summary.json", self.folder.model)
        stamps = (*map(_stamp, paths), self.folder.ended)
        if stamps == self._stamps:
            return
        self._stamps, self.read = stamps, self.read + 1
        self._starts, self._unread = self._read_starts()
        self._ended = self._read_summary()
        self.edits = self._read_edits()

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
        return {"findings": self._addressed(findings), "restarts": restarts if _records(restarts) else []}

    def _addressed(self, findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Findings with flags, or with parameters if the run was started in Python."""
        try:
            python = "python" in self.folder.about()
        except (OSError, ValueError):  # deleted meanwhile
            python = True
        return findings if python else [one | {"advice": as_flags(one["advice"])} for one in findings]

    def _read_edits(self) -> Relabelling:
        if not self.folder.ended or not self.folder.model.exists():
            return Relabelling()
        try:
            file = ModelFile.load(self.folder.model)
            c = file.model.config
            return Relabelling.of(file.about.get("relabelled", {}), c.clusters, c.x_size)
        except (OSError, ValueError):  # the page shows what the model learned
            return Relabelling()


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
