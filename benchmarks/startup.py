"""Time the commands that need no model: help, version, errors about a file.

    python benchmarks/startup.py [--times 9]

Each command runs several times, in turn with `python -c pass`. The table has the medians, in seconds, and
their ratios to that of `python -c pass`. None of the commands imports torch. Each call is a line of
benchmarks/results/startup.jsonl.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from records import Record, complete

RESULTS = Path(__file__).parent / "results" / "startup.jsonl"
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "gmvae --version": ["--version"],
    "gmvae --help": ["--help"],
    "gmvae train data --help": ["train", "data", "--help"],
    "gmvae train data --path none.csv": ["train", "data", "--path", "none.csv"],
    "gmvae train data --path texts.csv": ["train", "data", "--path", "texts.csv"],
}
"""The commands, run in a folder with a text table that must be refused."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=9)
    given = parser.parse_args()
    wanted = [{"command": command, "time": time} for time in range(given.times) for command in COMMANDS]
    results = complete(RESULTS, wanted, make)
    medians = {c: float(np.median([r["seconds"] for r in results if r["command"] == c])) for c in COMMANDS}
    print("| command | seconds | times python |")
    print("| --- | --- | --- |")
    for command, seconds in medians.items():
        print(f"| `{command}` | {seconds:.2f} | {seconds / medians['python -c pass']:.0f} |")


def make(command: str, time: int) -> Record:  # noqa: ARG001
    """One call."""
    arguments = COMMANDS[command]
    if command.startswith("gmvae"):
        arguments = [sys.executable, "-m", "gmvae", *arguments]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "texts.csv").write_text("name,size\n" + "".join(f"n{i},{i}\n" for i in range(50)))
        began = clock()
        subprocess.run(arguments, cwd=folder, capture_output=True, check=False)
        return {"seconds": clock() - began}


clock = time.perf_counter

if __name__ == "__main__":
    main()
