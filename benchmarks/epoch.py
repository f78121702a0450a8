"""Measure the time and peak memory of one epoch of MNIST in the shell, and of 10^6 x 20 rows in Python.

    python benchmarks/epoch.py [--runs 3] [--threads 1] [--against CHECKOUT]

Each run uses two new processes, one for the time and one for the memory. In the second, malloc returns freed
memory at once (glibc's MALLOC_MMAP_THRESHOLD_), because its free lists make the peak vary from run to run.
With --against, the two checkouts of this repository take turns, and the ratio of each pair is printed,
because machines are noisy. Each run is a line of benchmarks/results/epoch.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "epoch.jsonl"
MNIST = """
import runpy
import gmvae.run  # imported before the clock starts, so that only the run is timed
flags = ["--epochs", "1", "--no-measure", "--plot-every", "0", "--seed", "1", "--threads", threads]
sys.argv = ["gmvae", "train", "mnist_fc", *flags, "--run-dir", folder + "/run"]
began = time.perf_counter()
try:
    runpy.run_module("gmvae", run_name="__main__")
except SystemExit as end:
    assert not end.code
"""
ROWS = """
import numpy as np
from gmvae import GMVAE
rng = np.random.default_rng(0)
X = rng.normal(size=(1_000_000, 20)).astype(np.float32)
X += 4 * rng.normal(size=(10, 20)).astype(np.float32)[rng.integers(10, size=len(X))]
began = time.perf_counter()
GMVAE(10, init="random", epochs=1, random_state=0, threads=int(threads)).fit(X)
"""
CHILD = """
import json, sys, tempfile, time
threads = sys.argv[1]
with tempfile.TemporaryDirectory() as folder:
{work}
    seconds = time.perf_counter() - began
peak = next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({{"seconds": seconds, "peak_mib": peak}}))
"""
WORK = {"mnist_fc": MNIST, "10^6 x 20": ROWS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    given = parser.parse_args()
    places = {"here": ROOT} | ({"there": given.against.resolve()} if given.against else {})
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for work in WORK:
        for _ in range(given.runs):
            for where, place in places.items():
                result = run(place, work, given.threads)
                found.setdefault((work, where), []).append(result)
                record = {"work": work, "commit": commit(place), "threads": given.threads, **result}
                with open(RESULTS, "a") as file:
                    file.write(json.dumps(record) + "\n")
    print(
        "| work | seconds | peak memory, MiB |" + (" seconds / there | peak / there |" * bool(given.against))
    )
    print("| --- | --- | --- |" + " --- | --- |" * bool(given.against))
    for work in WORK:
        here = found[work, "here"]
        cells = [work, *(f"{median(r[key] for r in here):.1f}" for key in ("seconds", "peak_mib"))]
        if given.against:
            pairs = list(zip(here, found[work, "there"], strict=True))
            cells += [f"{median(a[key] / b[key] for a, b in pairs):.3f}" for key in ("seconds", "peak_mib")]
        print("| " + " | ".join(cells) + " |")


def run(place: Path, work: str, threads: int) -> dict[str, Any]:
    """Time and memory of one epoch, in new processes, with the package of one checkout."""
    code = CHILD.format(work="\n".join(f"    {line}" for line in WORK[work].strip().splitlines()))
    environment = {**os.environ, "PYTHONPATH": str(place), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", code, str(threads)]
    found: dict[str, Any] = {}
    for key, malloc in (("seconds", {}), ("peak_mib", {"MALLOC_MMAP_THRESHOLD_": str(2**20)})):
        said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment | malloc)
        found[key] = json.loads(said.stdout.splitlines()[-1])[key]
    return found


def commit(place: Path) -> str:
    """The commit that a checkout is at."""
    command = ["git", "-C", str(place), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
