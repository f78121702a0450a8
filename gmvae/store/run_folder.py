"""The run folder: where each file of a run is, and how it is read and written."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from gmvae.assess.holdout import Holdout
from gmvae.config import Config
from gmvae.fit.state import State
from gmvae.model.objective import Terms
from gmvae.partition.stability import Choice
from gmvae.store.files import (
    checksum,
    parse_json,
    read_bounded,
    read_json,
    read_json_list,
    read_sealed,
    read_tensors,
    remove_parts,
    text_of,
    write_json,
    write_sealed,
    write_tensors,
    write_whole,
)  # fmt: skip

SECTIONS = tuple(field.name for field in fields(Config))
"""The sections of the configuration."""
MEASURED = ("epoch", "seconds", "loss", "elbo", *Terms._fields)
"""The keys that every record of an epoch has."""


class RunFolder:
    """A run on disk; docs/runs.md lists its files.

    Arguments:
        path: A folder that holds a run.

    Raises:
        ValueError: if it holds none.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not (self.path / "config.json").is_file():
            raise ValueError(f"{path} holds no run: it must be a folder that gmvae train made")

    @classmethod
    def create(cls, path: str | Path, about: Mapping[str, Any]) -> RunFolder:
        """Start a run in ``path``, which is created if it does not exist; ``about`` becomes its config.json.

        Raises:
            ValueError: if the folder is not empty, since a run overwrites nothing.
            OSError: if it cannot be written.
        """
        path = Path(path)
        if path.is_file():
            raise ValueError(f"{path} is a file: name a folder, or one that does not exist yet")
        if (path / "config.json").exists():
            raise ValueError(
                f"{path} already holds a run: name another folder, or continue with gmvae resume {path}"
            )
        if path.is_dir() and any(path.iterdir()):
            raise ValueError(f"{path} is not empty: name another folder")
        path.mkdir(parents=True, exist_ok=True)
        write_sealed(path / "config.json", about)
        return cls(path)

    @property
    def model(self) -> Path:
        return self.path / "model.safetensors"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def start(self) -> Path:
        return self.path / "start.json"

    @property
    def ended(self) -> bool:
        """Whether the run has written summary.json, and no epoch since: it can be trained for longer."""
        try:
            written = (self.path / "summary.json").stat().st_mtime_ns
            return written >= self.metrics.stat().st_mtime_ns
        except OSError:  # one of them is not there
            return False

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint" / "state.safetensors"

    @property
    def plots(self) -> Path:
        return self.path / "plots"

    @property
    def snapshot(self) -> Path:
        """The file that the pictures of the latent space and of the reconstructions are drawn from."""
        return self.plots / "snapshot.npz"

    @property
    def overview(self) -> Path:
        """The file that the page of ``gmvae watch`` draws a run's map and cards from."""
        return self.plots / "overview.npz"

    def about(self, *, whole: bool = False) -> dict[str, Any]:
        """Read config.json. The path of kept rows is updated, in case the folder was moved. To resume a run,
        read it as a ``whole``: with its checksum.

        Raises:
            ValueError: if it was damaged.
        """
        about = read_sealed(self.path / "config.json", whole=whole)
        if "rows" in about.get("python", {}):
            about["config"]["data"]["path"] = str(self.path / about["python"]["rows"])
        return about

    def began(self, *, whole: bool = False) -> dict[str, Any]:
        """:meth:`about`, after checking that it was written by training.

        Raises:
            ValueError: if it lacks values that every run has.
        """
        about = self.about(whole=whole)
        config, data, python = (about.get(name, {}) for name in ("config", "data", "python"))
        sound = isinstance(config, dict) and all(isinstance(config.get(name), dict) for name in SECTIONS)
        sound &= isinstance(data, dict) and {"folder", "likelihood_reason", "sha256"} <= data.keys()
        if not (sound and isinstance(python, dict) and isinstance(about.get("name"), str)):
            raise ValueError(f"{self.path} holds no run: its config.json is not one that gmvae train wrote")
        return about

    def write_about(self, about: Mapping[str, Any]) -> None:
        """Replace config.json."""
        write_sealed(self.path / "config.json", about)

    def touch(self) -> None:
        """Make this the newest run (:func:`newest_run`)."""
        (self.path / "config.json").touch()

    def history(self) -> list[dict[str, Any]]:
        """Read metrics.jsonl: a record for each epoch so far. An incomplete last line is ignored.

        Raises:
            ValueError: if another line is not a record.
        """
        records = self._records()
        for number, record in enumerate(records, start=1):
            if not all(isinstance(record.get(name), (int, float)) for name in MEASURED):
                raise ValueError(f"{self.metrics} is damaged: line {number} is not the record of an epoch")
        return records

    def _records(self, count: int | None = None) -> list[dict[str, Any]]:
        """The objects of metrics.jsonl, at most the first ``count``, without any check of their content."""
        if not self.metrics.exists():
            return []
        lines = read_bounded(self.metrics).split(b"\n")[:-1]
        records = [parse_json(self.metrics, line) for line in lines[:count]]
        if not all(isinstance(record, dict) for record in records):
            raise ValueError(f"{self.metrics} is damaged: a line of it is not a JSON object")
        return records

    def append(self, record: Mapping[str, Any]) -> None:
        """Add an epoch's record to metrics.jsonl, in one write."""
        with open(self.metrics, "ab", buffering=0) as file:
            file.write(json.dumps(record).encode() + b"\n")

    def write_checkpoint(self, state: State) -> None:
        """Write the state that a resumed run needs, with its checksum and that of the records so far."""
        tensors, about = state
        about = {**about, "metrics": self._measured()}
        write_tensors(self.checkpoint, tensors, {**about, "sha256": checksum(tensors, about)})

    def read_checkpoint(self, *, whole: bool = True) -> State:
        """Read the state that :meth:`write_checkpoint` wrote. To resume from it, read it as a ``whole``: with
        its checksum, and with metrics.jsonl starting with the same records as then.

        Raises:
            ValueError: if the checkpoint or the records do not match their checksums.
        """
        tensors, about = read_tensors(self.checkpoint)
        known = about.pop("sha256", None)
        sound = known == checksum(tensors, about) and "metrics" in about
        if not sound and (whole or known is not None):
            raise ValueError(
                f"{self.checkpoint} was damaged, or is not a checkpoint of this version: put back the file "
                "that belongs here, or start a new run"
            )
        records = about.pop("metrics", None)
        if whole and records != self._measured(records["bytes"]):
            raise ValueError(
                f"{self.metrics} does not have the records of the checkpoint: put back the file that belongs "
                "to it, or start a new run"
            )
        return tensors, about

    def _measured(self, size: int | None = None) -> dict[str, Any]:
        """The number of bytes in metrics.jsonl, at most ``size``, and their SHA-256."""
        text = self.metrics.read_bytes()[:size] if self.metrics.exists() else b""
        return {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the run within the block, so that no other process trains it. The lock is released however the
        process ends.

        Raises:
            ValueError: if another process trains it.
        """
        try:
            import fcntl
        except ImportError:  # not on Windows
            yield
            return
        folder = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ValueError(
                    f"{self.path} is being trained by another process: wait until it ends"
                ) from None
            remove_parts(self.path)
            yield
        finally:
            os.close(folder)

    def rewind(self, restarts: Sequence[int]) -> list[dict[str, Any]]:
        """Drop everything from metrics.jsonl that comes after the given number of epochs of each restart, and
        return the remaining records.

        Raises:
            ValueError: if one of the remaining epochs has no record. Nothing is written then.
        """
        wanted = [(number, epoch) for number, last in enumerate(restarts, 1) for epoch in range(1, last + 1)]
        kept = self._records(len(wanted))
        if [_place(record) for record in kept] != wanted:
            found = sum(_place(record) in wanted for record in kept)
            raise ValueError(
                f"{self.metrics} has {found} records of the {len(wanted)} epochs in the checkpoint: "
                "put back the file that belongs to it, or start a new run"
            )
        text = "".join(json.dumps(record) + "\n" for record in kept)
        if not self.metrics.exists() or self.metrics.read_bytes() != text.encode():
            write_whole(self.metrics, lambda part: part.write_text(text))
        return kept

    def write_starts(self, starts: Sequence[Mapping[str, Any]]) -> None:
        """Write start.json: the start of each restart so far, each with a checksum."""
        write_json(self.start, [{**start, "sha256": checksum({}, start)} for start in starts])

    def read_starts(self) -> list[dict[str, Any]]:
        """Read start.json: the start of each restart that has one.

        Raises:
            ValueError: if it is not what :meth:`write_starts` wrote.
        """
        starts = read_json_list(self.start) if self.start.exists() else []
        as_written = not starts or self.start.read_text() == text_of(starts)
        for start in starts:
            known = start.pop("sha256", None) if isinstance(start, dict) else None
            if not as_written or known is None or known != checksum({}, start):
                raise ValueError(
                    f"{self.start} was damaged or changed after it was written: put it back, or delete it; "
                    "gmvae resume writes it again"
                )
        return starts

    def read_summary(self) -> dict[str, Any] | None:
        """Read summary.json; ``None`` if the run has none yet."""
        path = self.path / "summary.json"
        return read_json(path) if path.exists() else None

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json."""
        write_json(self.path / "summary.json", summary)


def newest_run(runs: str | Path = "runs") -> RunFolder:
    """The run in a folder that was started or resumed last.

    Raises:
        ValueError: if the folder has no run.
    """
    found = list(Path(runs).glob("*/config.json"))
    if not found:
        raise ValueError(
            f"{runs} holds no run: name a run's folder, or train one with gmvae train, such as spiral"
        )
    return RunFolder(max(found, key=lambda path: path.stat().st_mtime_ns).parent)


def _place(record: Mapping[str, Any]) -> tuple[Any, Any]:
    return record.get("restart"), record.get("epoch")


def fresh_folder(name: str) -> Path:
    """A folder that does not exist yet, for a new run of this name."""
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    names = (Path("runs", stem if i == 1 else f"{stem}-{i}") for i in range(1, 1000))
    return next(path for path in names if not path.exists())


def asked(folder: RunFolder, about: Mapping[str, Any]) -> tuple[Config, Choice | None, Holdout | None]:
    """The fit that config.json describes: its configuration, and how clusters and epochs were chosen.

    Raises:
        ValueError: if it is not one that training wrote.
    """
    choice, holdout = about.get("choice"), about.get("holdout")
    try:
        return (
            Config.from_json(about["config"]),
            None if choice is None else Choice.from_json(choice),
            None if holdout is None else Holdout.from_json(holdout),
        )
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder.path} holds no run: its config.json is not one that gmvae train wrote"
        ) from error
