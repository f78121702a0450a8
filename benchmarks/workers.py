"""Time the steps of several processes that train one model together (torchrun, gloo), beside a model of them.

    python benchmarks/workers.py [--processes 1 2 4] [--hidden-size 1000] [--batch-size 1024] [--rounds 5]

Each process has one thread. The terms of the model of docs/scale.md are measured too: the step of a process
on its share B / W of a batch, with autograd, as several processes have it, while W - 1 others do the same
and wait for nobody; a short message of W processes, which multiply matrices between two messages for as long
as a step does, and wait for the last one; and the sum of the gradients.
The measurements are interleaved, since other programs disturb them. Each is a line of
benchmarks/results/workers.jsonl. The table has the median over all rounds, also those of earlier calls.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "workers.jsonl"
MESSAGES = 5
"""Messages of a step of the network fc: its gradients, and two layers of batch norm, forward and backward."""
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
AUTOGRAD = """
import runpy, sys
from gmvae.training import loop
loop.by_hand = lambda *_: False
sys.argv[0] = "gmvae"
runpy.run_module("gmvae", run_name="__main__")
"""
REDUCE = """
import json, sys, time, torch, torch.distributed as dist
torch.set_num_threads(1)
dist.init_process_group("gloo")
size, between = int(sys.argv[1]), float(sys.argv[2])
left, right, message = torch.randn(512, 1000), torch.randn(1000, 1000), torch.ones(256)

def seconds(count, *parts):
    dist.barrier()
    began = time.perf_counter()
    for _ in range(count):
        for part in parts:
            part()
    found = torch.tensor((time.perf_counter() - began) / count)
    dist.all_reduce(found)
    return found.item() / dist.get_world_size()

product = lambda: left @ right
products = max(1, round(between / min(seconds(50, product) for _ in range(3))))
work = lambda: [product() for _ in range(products)]
send = lambda: dist.all_reduce(message)
alone = seconds(100, work)
found = {"message": seconds(100, work, send) - alone}
values = torch.ones(size)
found["gradients"] = min(seconds(20, lambda: dist.all_reduce(values)) for _ in range(3))
if dist.get_rank() == 0:
    print(json.dumps(found), flush=True)
dist.barrier()
dist.destroy_process_group()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--hidden-size", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument(
        "--steps", type=int, default=10, help="steps of an epoch; the fastest of three counts"
    )
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    about = {name: getattr(given, name) for name in ("hidden_size", "batch_size", "columns")}
    about["cores"] = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        rows = np.random.default_rng(0).normal(size=(given.steps * given.batch_size, given.columns))
        np.save(Path(folder) / "rows.npy", rows.astype(np.float32))
        for _ in range(given.rounds):
            for found in measured(Path(folder), given):
                with open(RESULTS, "a") as file:
                    file.write(json.dumps(about | found | {"load": os.getloadavg()[0]}) + "\n")
    results = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    show([r for r in results if r.items() >= about.items()], given.processes, given.batch_size)


def measured(folder: Path, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One round of measurements, in seconds."""
    for count in given.processes:
        whole = [*TORCHRUN, str(count), "-m", "gmvae"] if count > 1 else [sys.executable, "-m", "gmvae"]
        yield {"what": "step", "processes": count, "seconds": step(folder, given, given.batch_size, [whole])}
        alone = [[sys.executable, "-c", AUTOGRAD]] * count
        share = step(folder, given, given.batch_size // count, alone)
        yield {"what": "share", "processes": count, "seconds": share}
        if count > 1:
            script = folder / "reduce.py"
            script.write_text(REDUCE)
            size = parameters(given.columns, given.hidden_size)
            said = run([*TORCHRUN, str(count), str(script), str(size), str(share / MESSAGES)])
            for what, seconds in json.loads(said.splitlines()[-1]).items():
                yield {"what": what, "processes": count, "seconds": seconds}


def step(folder: Path, given: argparse.Namespace, batch: int, commands: list[list[str]]) -> float:
    """Seconds of a step on batches of this size, by commands that run at the same time."""
    flags = ["--path", str(folder / "rows.npy"), "--clusters", "10", "--init", "random", "--epochs", "3"]
    flags += ["--hidden-size", str(given.hidden_size), "--batch-size", str(batch), "--threads", "1"]
    flags += ["--plot-every", "0", "--no-save-model", "--run-dir"]
    with tempfile.TemporaryDirectory(dir=folder) as place, ThreadPoolExecutor(len(commands)) as pool:
        runs = [Path(place) / str(number) for number in range(len(commands))]
        list(pool.map(lambda c, p: run([*c, "train", "data", *flags, str(p)]), commands, runs))
        texts = [(path / "metrics.jsonl").read_text() for path in runs]
    fastest = [min(json.loads(line)["seconds"] for line in text.splitlines()) for text in texts]
    return float(median(fastest) * batch / (given.steps * given.batch_size))


def run(command: list[str]) -> str:
    said = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if said.returncode:
        raise RuntimeError(said.stderr)
    return said.stdout


def show(results: list[dict[str, Any]], processes: list[int], batch: int) -> None:
    """The median of each measurement, and the step that the model gives, in milliseconds."""

    def middle(what: str, count: int) -> float:
        found = [r["seconds"] for r in results if (r["what"], r["processes"]) == (what, count)]
        return 1000 * median(found) if found else 0.0

    print("| processes | a share | a message | gradients | calculated step | measured step | rows/s |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for count in processes:
        share, message, gradients, whole = (
            middle(what, count) for what in ("share", "message", "gradients", "step")
        )
        calculated = share + (MESSAGES - 1) * message + gradients
        print(
            f"| {count} | {share:.0f} | {message:.2f} | {gradients:.1f} | {calculated:.0f} | {whole:.0f} | "
            f"{1000 * batch / whole:,.0f} |"
        )


def parameters(columns: int, hidden: int) -> int:
    """Number of weights of the network fc with K = 10 and x and w of size 10."""
    recogniser = columns * hidden + hidden * hidden + 4 * hidden + 2 * hidden + hidden * (20 + 20 + 10)
    decoder = 10 * hidden + hidden * hidden + hidden * 2 * columns
    return recogniser + decoder + 10 * hidden + hidden * 2 * 10 * 10


if __name__ == "__main__":
    main()
