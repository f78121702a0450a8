"""Compare fits that stream rows sorted by class with fits of the same rows, shuffled, in memory.

    python benchmarks/sorted_rows.py FOLDER [--data clusters usps ...] [--seeds 1 2] [--table]

FOLDER has usps.npz, and in battery/ the tables of benchmarks/battery.py. Each data set is written twice as
Parquet: sorted by class, and shuffled. Both files are fitted by the command, with the same seed, the number
of classes as K, and defaults; the sorted file with --stream. The adjusted Rand index (ARI) is that of all
rows. Each pair of fits is a line of benchmarks/results/sorted_rows.jsonl. The script can be interrupted at
any time; the next call continues.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from records import complete, recorded
from sklearn.metrics import adjusted_rand_score

import gmvae

RESULTS = Path(__file__).parent / "results" / "sorted_rows.jsonl"
DATA = ["clusters", "overlapping", "usps", "uci/statlog", "sipu/s2", "fcps/engytime"]
Array = np.ndarray[Any, Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", nargs="+", default=DATA)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--table", action="store_true", help="print the recorded fits, and make no new ones")
    given = parser.parse_args()
    wanted = [{"data": data, "seed": seed} for data in given.data for seed in given.seeds]
    results = recorded(RESULTS) if given.table else complete(RESULTS, wanted, partial(make, given.folder))
    print("| data | rows | columns | seeds | start | streamed | in memory | difference | greatest |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for data in given.data:
        pairs = [pair for pair in results if pair["data"] == data]
        if pairs:
            print(line(data, pairs))


def line(data: str, pairs: list[dict[str, Any]]) -> str:
    """The means of a data set over its seeds, and the greatest difference of a seed."""
    streamed, memory = (np.array([pair[how]["ari"] for pair in pairs]) for how in ("streamed", "in_memory"))
    starts = sorted({pair[how]["start"] for pair in pairs for how in ("streamed", "in_memory")})
    apart = streamed - memory
    return (
        f"| {data} | {pairs[0]['rows']:,} | {pairs[0]['columns']} | {len(pairs)} | {', '.join(starts)} | "
        f"{streamed.mean():.3f} | {memory.mean():.3f} | {apart.mean():+.3f} | "
        f"{apart[np.abs(apart).argmax()]:+.3f} |"
    )


def make(folder: Path, data: str, seed: int) -> dict[str, Any]:
    """Fit the rows twice: sorted and streamed; shuffled and in memory."""
    y, labels = rows(folder, data)
    orders = {
        "streamed": np.argsort(labels, kind="stable"),
        "in_memory": np.random.default_rng(seed).permutation(len(y)),
    }
    found: dict[str, Any] = {"rows": len(y), "columns": y.shape[1], "version": gmvae.__version__}
    with tempfile.TemporaryDirectory() as place:
        for how, order in orders.items():
            path, run = Path(place) / f"{how}.parquet", Path(place) / how
            write(path, y[order], labels[order])
            began = time.perf_counter()
            flags = ["--stream"] if how == "streamed" else []
            fit(path, run, [*flags, "--clusters", str(len(np.unique(labels))), "--seed", str(seed)])
            seconds = time.perf_counter() - began
            summary = json.loads((run / "summary.json").read_text())
            predicted = gmvae.load(run / "model.safetensors").predict(y)
            found[how] = {
                "ari": float(adjusted_rand_score(labels, predicted)),
                "start": summary["start"]["chosen"],
                "bound": summary["elbo"],
                "epochs": summary["epochs"],
                "seconds": seconds,
            }
    return found | {"difference": found["streamed"]["ari"] - found["in_memory"]["ari"]}


def rows(folder: Path, data: str) -> tuple[Array, Array]:
    """The rows of a data set, and their classes."""
    labels: Array
    if data == "clusters":  # those of benchmarks/stream.py
        rng = np.random.default_rng(0)
        centres, labels = rng.normal(size=(10, 50)), np.arange(100_000) // 10_000
        return (centres[labels] + rng.normal(size=(100_000, 50))).astype(np.float32), labels
    if data == "overlapping":  # 70 MB as float32, three windows of a stream
        rng = np.random.default_rng(0)
        centres, labels = 0.5 * rng.normal(size=(10, 50)), np.arange(350_000) // 35_000
        return (centres[labels] + rng.normal(size=(350_000, 50))).astype(np.float32), labels
    if data == "usps":
        with np.load(folder / "usps.npz") as file:
            return file["X"], file["y"]
    table, labels = (np.loadtxt(folder / "battery" / f"{data}.{part}.gz") for part in ("data", "labels0"))
    return table, labels.astype(int)


def write(path: Path, y: Array, labels: Array) -> None:
    """A Parquet file with a column for each column of y, and the label."""
    columns = {f"f{number}": column for number, column in enumerate(y.T)}
    parquet.write_table(pa.table(columns | {"label": labels}), path, row_group_size=10_000)


def fit(path: Path, run: Path, flags: list[str]) -> None:
    """One fit in a process of its own."""
    command = [sys.executable, "-m", "gmvae", "train", "data", "--path", str(path), "--label-column", "label"]
    command += ["--plot-every", "0", "--threads", "1", "--run-dir", str(run), *flags]
    said = subprocess.run(command, capture_output=True, text=True)
    if said.returncode:
        raise RuntimeError(said.stderr)


if __name__ == "__main__":
    main()
