"""Measure the speed and memory of `gmvae predict` on a Parquet file of 20 columns.

    python benchmarks/predict.py [--rows 10000 400000 10000000] [--threads 1]

The file has a single row group, the hardest case for memory. The model has the estimator's default sizes and
K = 10. Each run is a new process; its memory is the peak beyond that after the imports. Each run is a line of
benchmarks/results/predict.jsonl. The script can be interrupted at any time; the next call does what is
missing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from records import complete

from gmvae import GMVAE
from gmvae.store.files import versions

RESULTS = Path(__file__).parent / "results" / "predict.jsonl"
COLUMNS, CLUSTERS = 20, 10
CHILD = """
import sys, time
import torch
from gmvae import apply, card, cli, estimator, export, output, progress
from gmvae.data import formats
torch.set_num_threads(int(sys.argv[1]))
status_file = lambda: dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = lambda: int(status_file()["VmHWM"].split()[0]) / 1024
before, began = peak(), time.perf_counter()
status = cli.main(sys.argv[2:])
print(status, time.perf_counter() - began, before, peak())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 400_000, 10_000_000])
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    wanted = [
        {"rows": rows, "scores": scores, "threads": given.threads}
        for rows in given.rows
        for scores in (False, True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        results = complete(RESULTS, wanted, lambda **key: make(Path(folder), **key))
    print("| rows | outlier score | rows per second | peak memory above import, MiB |")
    print("| --- | --- | --- | --- |")
    for r in results:
        rate, above = r["rows"] / r["seconds"], r["peak"] - r["imported"]
        print(f"| {r['rows']:,} | {'yes' if r['scores'] else 'no'} | {rate:,.0f} | {above:,.0f} |")


def make(folder: Path, rows: int, scores: bool, threads: int) -> dict[str, Any]:
    """One prediction in a process of its own."""
    model, data = folder / "model.safetensors", folder / f"{rows}.parquet"
    if not model.exists():
        names = [f"x{i}" for i in range(COLUMNS)]
        table = pa.Table.from_arrays(list(observations(20_000).T), names=names)
        GMVAE(CLUSTERS, epochs=5, random_state=0).fit(table.to_pandas()).save(model)
    if not data.exists():
        write(data, rows)
    out = folder / "out.parquet"
    command = ["predict", str(model), str(data), "-o", str(out), "--id-column", "row"]
    command += [] if scores else ["--no-scores"]
    said = subprocess.run(
        [sys.executable, "-c", CHILD, str(threads), *command], capture_output=True, text=True, check=True
    )
    status, seconds, imported, peak = map(float, said.stdout.splitlines()[-1].split())
    assert status == 0, said.stderr
    assert pq.read_metadata(out).num_rows == rows
    return {"seconds": seconds, "imported": imported, "peak": peak, "versions": versions()}


def observations(count: int, seed: int = 0) -> np.ndarray:
    """Rows around ten centres."""
    centres = 4 * np.random.default_rng(0).normal(size=(CLUSTERS, COLUMNS))
    rng = np.random.default_rng(seed + 1)
    return centres[rng.integers(CLUSTERS, size=count)] + rng.normal(size=(count, COLUMNS))


def write(path: Path, rows: int) -> None:
    """Write a Parquet file with a single row group."""
    y = observations(rows)
    columns = {"row": np.arange(rows)} | {f"x{i}": np.ascontiguousarray(y[:, i]) for i in range(COLUMNS)}
    pq.write_table(pa.table(columns), path, row_group_size=rows)


if __name__ == "__main__":
    main()
