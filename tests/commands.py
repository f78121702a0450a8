"""Call commands, in this process or in another, and return their output."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from gmvae.cli import app

TIMES = {"seconds": 0, "wall_seconds": 0}
DIAGNOSTICS = {"z_entropy", "z_information", "active_x", "active_w", "agreement"}


def gmvae(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gmvae", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


class Said(NamedTuple):
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


def here(*arguments: object) -> Said:
    """Call a command in this process, which is faster."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = app.main([str(argument) for argument in arguments])
    return Said(status, out.getvalue(), err.getvalue())


def bad(said: Said) -> str:
    """Check that bad input gave one line and status 2, and return that line."""
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    return said.err


def contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """The content of every file in a folder, and when it was written."""
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
