"""Measure fits that stream Parquet rows, sorted by class, from disk: rate, peak memory and clusters.

    python benchmarks/stream.py [--rows 100000 1000000 10000000] [--columns 50] [--batch-size 1024] [--memory]

The rows are ten Gaussian clusters, one after the other in the file. Each fit is a new process. Its peak
memory is the peak beyond that after the imports (VmHWM, with a malloc that returns freed memory at once).
With --memory, the same rows are also fitted in memory. *Waiting* is the share of the seconds of training in
which a step waits for its rows: for the window on disk, for their order, and for the copy into a batch.
*Gathering* is the rate at which the thread reads windows and puts their rows in order, beside the steps. Each
fit is a line of benchmarks/results/stream.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

RESULTS = Path(__file__).parent / "results" / "stream.jsonl"
CLUSTERS = 10
COLUMNS = ["rows", "batch", "read", "seed", "rows/s", "waiting, %", "gathering, MB/s", "wall, s", "peak, MiB"]
COLUMNS += ["acc", "nmi", "bound"]
CHILD = """
import json, sys, time, runpy
from gmvae.training import loop
waited, one_pass = 0.0, loop.one_pass
def timed(batches):
    global waited
    while True:
        began = time.perf_counter()
        found = next(batches, None)
        waited += time.perf_counter() - began
        if found is None:
            return
        yield found
def measured(*given):
    batches, *counts = one_pass(*given)
    return timed(batches), *counts
loop.one_pass = measured
from gmvae.data.streamed import Streamed
gather, ready = Streamed.gather, []
def followed(self, positions):
    began = time.perf_counter()
    coming = gather(self, positions)
    coming.add_done_callback(lambda one: ready.append((one.result().nbytes, time.perf_counter() - began)))
    return coming
Streamed.gather = followed
def memory(name):
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(name))
import gmvae.run, umap, pyarrow.parquet
imported = memory("VmRSS")
began = time.perf_counter()
sys.argv = ["gmvae", *sys.argv[1:]]
try:
    runpy.run_module("gmvae", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
found = {"wall_seconds": time.perf_counter() - began, "peak_mib": memory("VmHWM") - imported}
found |= {"waited_seconds": waited, "gathered_bytes": sum(size for size, _ in ready)}
print(json.dumps(found | {"gather_seconds": sum(seconds for _, seconds in ready)}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--batch-size", type=int, default=1024, help="the command's is 128")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--memory", action="store_true", help="also fit the same rows in memory")
    parser.add_argument("--folder", type=Path, help="folder for the rows, which take about 4 bytes a number")
    given = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |\n" + "| --- " * len(COLUMNS) + "|")
    for rows in given.rows:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            path = Path(folder) / "rows.parquet"
            write(path, rows, given.columns)
            for seed in given.seeds:
                for how in ["disk", "memory"][: 1 + given.memory]:
                    flags = ["--batch-size", str(given.batch_size), "--epochs", str(given.epochs)]
                    flags += ["--seed", str(seed), *(["--stream"] * (how == "disk"))]
                    found = {"rows": rows, "columns": given.columns, "read": how, "seed": seed}
                    found |= {"batch_size": given.batch_size, "epochs": given.epochs}
                    report(found | fit(path, Path(folder) / f"{how}-{seed}", flags))


def write(path: Path, rows: int, columns: int) -> None:
    """Clusters one after the other, in row groups of 100,000."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CLUSTERS, columns))
    names = [f"f{d}" for d in range(columns)]
    kinds = pa.schema([*((name, pa.float32()) for name in names), ("label", pa.int32())])
    with parquet.ParquetWriter(path, kinds, compression="none", use_dictionary=False) as writer:
        for k, count in enumerate(len(part) for part in np.array_split(np.arange(rows), CLUSTERS)):
            for start in range(0, count, 100_000):
                y = centres[k] + rng.normal(size=(min(100_000, count - start), columns))
                arrays = [pa.array(column) for column in y.astype(np.float32).T]
                arrays.append(pa.array(np.full(len(y), k, np.int32)))
                writer.write_table(pa.Table.from_arrays(arrays, schema=kinds))


def fit(path: Path, run: Path, flags: list[str]) -> dict[str, Any]:
    """One fit in a process of its own."""
    flags = ["--path", str(path), "--label-column", "label", "--clusters", str(CLUSTERS), *flags]
    flags += ["--plot-every", "0", "--threads", "1", "--run-dir", str(run)]
    command = [sys.executable, "-c", CHILD, "train", "data", *flags]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
    said = subprocess.run(command, capture_output=True, text=True, env=environment)
    if said.returncode:
        raise RuntimeError(said.stderr)
    summary = json.loads((run / "summary.json").read_text())
    kept = {name: summary[name] for name in ("acc", "nmi", "elbo", "seconds", "samples_per_second")}
    kept |= json.loads(said.stdout.splitlines()[-1])
    return kept | {"waiting": kept["waited_seconds"] / kept["seconds"]}


def report(found: dict[str, Any]) -> None:
    """A line of the table, and of the results."""
    with open(RESULTS, "a") as file:
        file.write(json.dumps(found) + "\n")
    gathering = found["gathered_bytes"] / 1e6 / found["gather_seconds"] if found["gather_seconds"] else 0
    print(
        f"| {found['rows']:,} | {found['batch_size']} | {found['read']} | {found['seed']} | "
        f"{found['samples_per_second']:,.0f} | {100 * found['waiting']:.1f} | {gathering:,.0f} | "
        f"{found['wall_seconds']:.0f} | {found['peak_mib']:,.0f} | {found['acc']:.3f} | "
        f"{found['nmi']:.3f} | {found['elbo']:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
