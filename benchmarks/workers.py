"""Time the steps of several processes that train one model together (torchrun, gloo), and of one process.

    python benchmarks/workers.py [--processes 1 2 4] [--hidden-size 1000] [--batch-size 1024] [--rows 20000]

Each process has one thread. Each number of processes is a line of benchmarks/results/workers.jsonl: the
seconds of a step, the efficiency compared with one process, and the bytes of gradients that each step sums.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results" / "workers.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--hidden-size", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=200)
    given = parser.parse_args()
    print("| processes | hidden | batch | ms a step | rows/s | efficiency | gradients, MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    alone = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, np.random.default_rng(0).normal(size=(given.rows, given.columns)).astype(np.float32))
        for count in given.processes:
            run = Path(folder) / f"run-{count}"
            launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
            launch += ["--nproc-per-node", str(count), "-m", "gmvae"] if count > 1 else []
            command = launch if count > 1 else [sys.executable, "-m", "gmvae"]
            flags = ["--path", str(path), "--clusters", "10", "--init", "random", "--epochs", "3"]
            flags += ["--hidden-size", str(given.hidden_size), "--batch-size", str(given.batch_size)]
            flags += ["--threads", "1", "--plot-every", "0", "--no-save-model", "--run-dir", str(run)]
            subprocess.run([*command, "train", "data", *flags], check=True, capture_output=True)
            records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
            seconds = min(record["seconds"] for record in records) * given.batch_size / given.rows
            alone = alone or seconds
            weights = parameters(given.columns, given.hidden_size)
            found = {
                "processes": count,
                "hidden_size": given.hidden_size,
                "batch_size": given.batch_size,
                "columns": given.columns,
                "step_seconds": seconds,
                "efficiency": alone / seconds / count,
                "gradient_bytes": 4 * weights,
            }
            with open(RESULTS, "a") as file:
                file.write(json.dumps(found) + "\n")
            print(
                f"| {count} | {given.hidden_size} | {given.batch_size} | {1000 * seconds:.1f} | "
                f"{given.batch_size / seconds:,.0f} | {found['efficiency']:.2f} | {4e-6 * weights:.1f} |",
                flush=True,
            )


def parameters(columns: int, hidden: int) -> int:
    """Number of weights of the network fc with K = 10 and x and w of size 10."""
    recogniser = columns * hidden + hidden * hidden + 4 * hidden + 2 * hidden + hidden * (20 + 20 + 10)
    decoder = 10 * hidden + hidden * hidden + hidden * 2 * columns
    return recogniser + decoder + 10 * hidden + hidden * 2 * 10 * 10


if __name__ == "__main__":
    main()
