"""The workers of a distributed run other than the first, which write nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from gmvae.config import Config
from gmvae.fit.engine import Engine
from gmvae.inputs import absolute, gather
from gmvae.run import Run
from gmvae.store.run_folder import RunFolder
from gmvae.training.devices import pick_device
from gmvae.training.workers import Workers


def follow(config: Config, workers: Workers) -> None:
    """Train together with the process that has the run, without writing anything."""
    run_dir = config.run.run_dir
    if workers.restarted and run_dir is not None and RunFolder(run_dir).checkpoint.exists():
        follow_resumed(run_dir, workers)
        return
    config = replace(config, data=absolute(config.data))
    config, _, prepared = gather(config, pick_device(config.training.device), workers)
    Engine(config, prepared, workers=workers).fit()


def follow_resumed(path: str | Path, workers: Workers, **changes: Any) -> None:
    """The same for a run that is resumed."""
    Run._restored(path, None, workers, **changes).engine.fit()
