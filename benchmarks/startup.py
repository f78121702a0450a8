"""Time the commands that need no model: help, version, errors about a file.

    python benchmarks/startup.py [--times 5]

Each command runs several times, in turn with `python -c pass`. The table has the medians, in seconds, of the
time on the clock and of the processor's time, which depends less on what else runs, and the ratio of each
processor's time to that of `python -c pass`. None of the commands imports torch or anndata, whose
imports take longer than all else. Each call is a line of benchmarks/results/startup.jsonl.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anndata
import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet
from records import Record, complete

RESULTS = Path(__file__).parent / "results" / "startup.jsonl"
FILES = ("none.csv", "texts.csv", "texts.parquet", "gaps.npy", "dates.npy", "gaps.h5ad")
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "gmvae --version": ["--version"],
    "gmvae --help": ["--help"],
    "gmvae train data --help": ["train", "data", "--help"],
    **{f"gmvae train data --path {file}": ["train", "data", "--path", file] for file in FILES},
    "gmvae train data --path gaps.h5ad --layer none": [
        "train",
        "data",
        "--path",
        "gaps.h5ad",
        "--layer",
        "none",
    ],
}
"""The commands, run in a folder with files that must be refused."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    wanted = [{"command": command, "time": time} for time in range(given.times) for command in COMMANDS]
    results = complete(RESULTS, wanted, make)
    clock, cpu = (
        {c: float(np.median([r[name] for r in results if r["command"] == c])) for c in COMMANDS}
        for name in ("seconds", "cpu")
    )
    print("| command | seconds | processor | times python |")
    print("| --- | --- | --- | --- |")
    for c in COMMANDS:
        print(f"| `{c}` | {clock[c]:.2f} | {cpu[c]:.2f} | {cpu[c] / cpu['python -c pass']:.0f} |")


def make(command: str, time: int) -> Record:  # noqa: ARG001
    """One call."""
    arguments = COMMANDS[command]
    if command.startswith("gmvae"):
        arguments = [sys.executable, "-m", "gmvae", *arguments]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        began, before = time_now(), spent()
        subprocess.run(arguments, cwd=folder, capture_output=True, check=False)
        return {"seconds": time_now() - began, "cpu": spent() - before}


def spent() -> float:
    """The processor's time of all commands so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write(folder: Path) -> None:
    """Write the files."""
    table = pa.table({"name": [f"n{i}" for i in range(50)], "size": range(50)})
    csv.write_csv(table, folder / "texts.csv")
    parquet.write_table(table, folder / "texts.parquet")
    gaps = np.ones((50, 3))
    gaps[3, 1] = np.nan
    np.save(folder / "gaps.npy", gaps)
    np.save(folder / "dates.npy", np.full((50, 2), np.datetime64("2020-01-01")))
    anndata.AnnData(gaps).write_h5ad(folder / "gaps.h5ad")


time_now = time.perf_counter

if __name__ == "__main__":
    main()
