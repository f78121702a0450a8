"""Shared by both scripts: follow the newest run in the repository's runs/, or the run that is named."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def follow(script: str) -> int:
    """Call the package if this Python has it, otherwise run.sh, which installs it first."""
    installed = find_spec("gmvae") is not None
    command = [sys.executable, "-m", "gmvae.cli.original"] if installed else [str(ROOT / "run.sh")]
    named = [str(Path(a).resolve()) if Path(a).exists() else a for a in sys.argv[1:]]
    try:
        return subprocess.call([*command, script, *named], cwd=ROOT)  # noqa: S603
    except KeyboardInterrupt:
        return 130
