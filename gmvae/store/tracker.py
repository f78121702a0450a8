"""The observer that writes records for TensorBoard."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

from gmvae.assess.moment import Moment
from gmvae.config import Config
from gmvae.fit.observer import Observer
from gmvae.fit.result import Result
from gmvae.fit.state import Record
from gmvae.start.begin import Start
from gmvae.store.run_folder import RunFolder

GROUPS = ("test_", "validation_")
"""Prefixes of keys that TensorBoard shows as separate curves."""
LEFT_OUT = {"epoch", "restart"}


def check_tracker(config: Config) -> None:
    """Check that the tracker that a configuration asks for is installed.

    Raises:
        ValueError: if it is not.
    """
    if config.run.tracker == "tensorboard" and find_spec("tensorboard") is None:
        raise ValueError("tracker is tensorboard, which is not installed: pip install tensorboard")


class TensorBoard(Observer):
    """Writes the numbers of each record, the configuration and the doctor's findings into ``tensorboard/`` of
    a run folder, with a subfolder for each restart after the first. A resumed run removes the epochs after
    its checkpoint.

    Arguments:
        folder: The run's folder.
        config: The configuration.
    """

    def __init__(self, folder: RunFolder, config: Config) -> None:
        self.folder, self.config = folder, config
        self._restart = 0

    def epoch(self, record: Record, moment: Moment) -> None:  # noqa: ARG002
        self._open(record)
        for name, value in record.items():
            if name not in LEFT_OUT and isinstance(value, int | float):
                self._writer.add_scalar(tag(name), value, record["epoch"])
        self._writer.flush()

    def arrived(self, restart: int, start: Start | None, records: list[Record], moment: Moment) -> None:  # noqa: ARG002
        for record in records:
            self.epoch(record, moment)

    def finished(self, result: Result) -> None:
        if self._restart:
            said = "\n\n".join(str(finding) for finding in result.findings) or "nothing is wrong"
            self._writer.add_text("doctor", said, result.history[-1]["epoch"])
            self._writer.close()

    def _open(self, record: Record) -> None:
        """Open the writer for the restart of a record."""
        if self._restart == record["restart"]:
            return
        from torch.utils.tensorboard import SummaryWriter  # takes a second to import, so only when needed

        if self._restart:
            self._writer.close()
        self._restart = record["restart"]
        place = self.folder.path / "tensorboard"
        if self._restart > 1:
            place /= f"restart-{self._restart}"
        self._writer: Any = SummaryWriter(str(place), purge_step=record["epoch"])
        if record["epoch"] == 1:
            self._writer.add_text("config", f"    {json.dumps(self.config.to_json(), indent=2)}")


def tag(name: str) -> str:
    """The name of a number in TensorBoard, so that held-out data are shown next to training data."""
    for group in GROUPS:
        if name.startswith(group):
            return f"{name.removeprefix(group)}/{group[:-1]}"
    return f"{name}/training"
