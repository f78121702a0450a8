"""The workers of a distributed run other than the first, which write nothing."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from gmvae.config import Config
from gmvae.fit.engine import Engine
from gmvae.inputs import absolute, gather
from gmvae.run import Run
from gmvae.training.devices import pick_device
from gmvae.training.workers import Workers


def holds_run(run_dir: str | None) -> bool:
    """Whether a folder holds a run, which then can be resumed, with or without a checkpoint."""
    return run_dir is not None and Path(run_dir, "config.json").is_file()


def began_run(run_dir: str | None, workers: Workers) -> bool:
    """Whether a folder holds a run that this launch began before it was restarted, not an older one."""
    if not holds_run(run_dir):
        return False
    about = json.loads(Path(str(run_dir), "config.json").read_text())
    return not set(about.get("launch", ())).isdisjoint(workers.launch)


def follow(config: Config, workers: Workers, resumed: str | None = None) -> None:
    """Train together with the process that has the run, without writing anything.

    Arguments:
        config: The configuration of a new run.
        workers: The processes.
        resumed: The folder of the run, if the first process resumes it.
    """
    if resumed is not None:
        if not holds_run(resumed):
            print(f"{resumed} must lie on a disk that all machines share", file=sys.stderr)
        follow_resumed(resumed, workers)
        return
    config = replace(config, data=absolute(config.data))
    config, _, prepared = gather(config, pick_device(config.training.device), workers)
    Engine(config, prepared, workers=workers).fit()


def follow_resumed(path: str | Path, workers: Workers, **changes: Any) -> None:
    """The same for a run that is resumed."""
    Run._restored(path, None, workers, **changes).engine.fit()
