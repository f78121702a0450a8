"""Time a training step against the number of clusters K, of samples M, the batch and the width, and a fit
against the number of rows; draw the pictures of docs/performance.md.

    python benchmarks/cost.py [--of clusters samples batch width rows] [--threads 1]
    python benchmarks/cost.py --table

Steps are those of a table of 20 columns (benchmarks/speed.py): K = 10, M = 1, batches of 64 rows and 128
units a layer, except for the one that varies. *floor* consists of the step's matrix products and the
optimiser alone. Rows are drawn around ten centres in 20 columns. They are fitted in a new process with the
defaults and the true K, from memory up to 10^6 rows, and from a Parquet file in a stream above that. Measured
are the seconds of the fit, after imports and compilation, and those of its training steps.

Each point is a line of benchmarks/results/cost.jsonl. It can be interrupted; the next call continues. The
pictures are docs/images/cost-steps.png and docs/images/cost-rows.png.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator
from records import Record, complete, recorded
from speed import cases, measure

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "cost.jsonl"
IMAGES = HERE.parent / "docs" / "images"
VALUES = {
    "clusters": (10, 30, 100, 300, 1000),
    "samples": (1, 3, 10, 30, 100),
    "batch": (16, 64, 256, 1024, 4096),
    "width": (32, 64, 128, 256, 512, 1024, 2048),
    "rows": (1000, 10_000, 100_000, 1_000_000, 10_000_000),
}
NAMES = {
    "clusters": "clusters, K",
    "samples": "samples, M",
    "batch": "rows in a batch, B",
    "width": "units of a hidden layer, H",
}
IN_MEMORY = 1_000_000
"""Maximum number of rows that are fitted from memory."""
CHUNK = 500_000
FIT = """
import json, sys, time
import numpy as np
from gmvae import GMVAE
path = sys.argv[1]


class Batches:
    def __iter__(self):
        import pyarrow.parquet as pq
        for batch in pq.ParquetFile(path).iter_batches(65_536):
            yield np.stack([column.to_numpy() for column in batch.columns], 1)


X = Batches() if path.endswith(".parquet") else np.load(path)
few = next(iter(X))[:500] if isinstance(X, Batches) else X[:500]
GMVAE(10, random_state=1, epochs=1).fit(few)  # what is compiled on first use
wall, cpu = time.perf_counter(), time.process_time()
model = GMVAE(10, random_state=1)
model.fit(X)
found = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
history = model.history_
found |= {"epochs": len(history), "training": sum(one["seconds"] for one in history)}
print("found", json.dumps(found))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--of", nargs="+", choices=list(VALUES), default=list(VALUES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--table", action="store_true", help="print the recorded points, and make no new ones"
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    wanted = [{"of": of, "value": value} for of in given.of for value in VALUES[of]]
    points = recorded(RESULTS) if given.table else complete(RESULTS, wanted, make)
    print_tables(points)
    known = recorded(RESULTS)
    if not given.table and set(given.of) - {"rows"}:
        steps([one for one in known if one["of"] != "rows"]).savefig(IMAGES / "cost-steps.png", dpi=110)
    if not given.table and "rows" in given.of:
        rows([one for one in known if one["of"] == "rows"]).savefig(IMAGES / "cost-rows.png", dpi=110)


def make(of: str, value: int) -> Record:
    """One point."""
    return fit(value) if of == "rows" else step(of, value)


def step(of: str, value: int) -> Record:
    """The median times of a step, and its peak memory."""
    config, shape, batch, anchored = cases()["table of 20 columns"]
    samples = 1
    if of == "clusters":
        config = replace(config, clusters=value)
    elif of == "samples":
        samples = value
    elif of == "batch":
        batch = value
    else:
        config = replace(config, hidden_size=value)
    timed = partial(measure, config, shape, batch, anchored=anchored, device="cpu")
    return timed(count=200, samples=samples)


def fit(count: int) -> Record:
    """The times of a fit of ``count`` rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/rows.parquet" if count > IN_MEMORY else f"{folder}/rows.npy"
        write(path, count)
        env = os.environ | {"PYTHONPATH": str(HERE.parent)}
        command = [sys.executable, "-c", FIT, path]
        said = subprocess.run(command, env=env, cwd=folder, check=True, capture_output=True, text=True).stdout
    line = next(line for line in said.splitlines() if line.startswith("found "))
    return dict(json.loads(line.removeprefix("found ")))


def write(path: str, count: int) -> None:
    """Rows around ten centres, in random order, as an .npy or a Parquet file."""
    rng = np.random.default_rng(0)
    centres = 4 * rng.normal(size=(10, 20))
    parts = (
        (centres[rng.integers(10, size=size)] + rng.normal(size=(size, 20))).astype(np.float32)
        for size in (min(CHUNK, count - begin) for begin in range(0, count, CHUNK))
    )
    if path.endswith(".npy"):
        np.save(path, np.concatenate(list(parts)))
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [f"c{j}" for j in range(20)]
    with pq.ParquetWriter(path, pa.schema([(name, pa.float32()) for name in names])) as file:
        for part in parts:
            file.write_table(pa.table(dict(zip(names, part.T, strict=True))))


def print_tables(points: list[Record]) -> None:
    """Print the points as tables."""
    print("| of | value | ours, ms | floor, ms | ours / floor |")
    print("| --- | --- | --- | --- | --- |")
    for one in points:
        if one["of"] != "rows":
            ours, floor = 1e3 * one["ours"], 1e3 * one["floor"]
            print(f"| {one['of']} | {one['value']:,} | {ours:.2f} | {floor:.2f} | {ours / floor:.2f} |")
    print("\n| rows | epochs | seconds of the fit | of its steps | CPU seconds |")
    print("| --- | --- | --- | --- | --- |")
    for one in points:
        if one["of"] == "rows":
            times = f"{one['seconds']:.1f} | {one['training']:.1f} | {one['cpu']:.1f}"
            print(f"| {one['value']:,} | {one['epochs']} | {times} |")


def steps(points: list[Record]) -> Figure:
    """The time of a step against each of the four, beside its floor and a line in proportion."""
    figure = Figure(figsize=(8.6, 6.6), layout="constrained")
    for axes, (of, name) in zip(figure.subplots(2, 2).flat, NAMES.items(), strict=True):
        found = sorted((one for one in points if one["of"] == of), key=lambda one: one["value"])
        x = np.array([one["value"] for one in found], float)
        for kind, colour in (("ours", "#0072B2"), ("floor", "#E69F00")):
            axes.plot(x, [1e3 * one[kind] for one in found], "o-", color=colour, label=kind)
        last = 1e3 * found[-1]["ours"]
        axes.plot(x, last * x / x[-1], ":", color="0.5", label="in proportion")
        axes.set_ylim(bottom=0.5 * 1e3 * min(one["floor"] for one in found))
        logarithmic(axes, x, name, "milliseconds a step")
        axes.legend(frameon=False)
    return figure


def rows(points: list[Record]) -> Figure:
    """The time of a fit against the number of rows."""
    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    axes = figure.subplots()
    found = sorted(points, key=lambda one: one["value"])
    x = np.array([one["value"] for one in found], float)
    axes.plot(x, [one["seconds"] for one in found], "o-", color="#0072B2", label="fit")
    axes.plot(x, [one["training"] for one in found], "s--", color="#D55E00", label="its training steps")
    axes.plot(x, found[-1]["seconds"] * x / x[-1], ":", color="0.5", label="in proportion")
    axes.set_ylim(bottom=0.5 * min(one["training"] for one in found))
    logarithmic(axes, x, "rows", "seconds")
    axes.legend(frameon=False)
    return figure


def logarithmic(axes: Any, x: Any, name: str, unit: str) -> None:
    """Logarithmic axes, with a tick at each point."""
    axes.set(xscale="log", yscale="log", xlabel=name, ylabel=unit)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(x, [f"{int(value):,}" for value in x])
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)


if __name__ == "__main__":
    main()
