"""Run SVHN end to end: one epoch of `train`, with its time and memory.

    python benchmarks/svhn.py [--folder FOLDER] [--data-dir MNIST] [--extra]

If FOLDER holds no SVHN, files of its exact format and size are made there from MNIST's digits, in random
colours on random colours, each with parts of its neighbours at its sides. They have the form of house numbers
only. So this measures whether everything runs, how fast, and in how much memory. It writes a line to
benchmarks/results/svhn.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.io

from gmvae.data.sets.images import mnist
from gmvae.store.files import versions

RESULTS = Path(__file__).parent / "results" / "svhn.jsonl"
SIZES = {"train": 73_257, "test": 26_032, "extra": 531_131}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "svhn")
    parser.add_argument("--data-dir", help="where MNIST is")
    parser.add_argument("--extra", action="store_true", help="with the extra set, for an epoch of 50,000")
    given = parser.parse_args()
    parts = list(SIZES) if given.extra else ["train", "test"]
    for seed, part in enumerate(parts):
        path = given.folder / f"{part}_32x32.mat"
        if not path.exists():
            write(path, SIZES[part], given.data_dir, seed)

    with tempfile.TemporaryDirectory() as folder:
        size = ["--extra"] if given.extra else ["--no-extra", "--epoch-size", "0"]
        command = [
            *(sys.executable, "-m", "gmvae", "train", "svhn", "--epochs", "1", *size),
            *("--data-dir", str(given.folder), "--run-dir", f"{folder}/run"),
        ]
        began = time.perf_counter()
        subprocess.run(command, check=True)
        wall = time.perf_counter() - began
        summary = json.loads(Path(folder, "run", "summary.json").read_text())
    record = {
        "parts": parts,
        "command_seconds": wall,
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
        "cores": os.cpu_count(),
        **summary,
        "versions": versions(),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    with open(RESULTS, "a") as file:
        file.write(json.dumps(record) + "\n")
    print(f"peak memory {record['peak_bytes'] / 2**30:.2f} GiB, {wall:.0f} s in all")


def write(path: Path, count: int, data_dir: str | None, seed: int) -> None:
    """One file of SVHN's format: X (32, 32, 3, N) and y (N, 1), uint8, with the digit 0 as 10."""
    digits = mnist(data_dir)
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(digits), size=count)
    X = np.empty((32, 32, 3, count), dtype=np.uint8, order="F")
    for start in range(0, count, 5000):
        chunk = chosen[start : start + 5000]
        ink = np.zeros((len(chunk), 32, 32), dtype=np.float32)
        ink[:, 2:30, 2:30] = digits.y[chunk, 0] / np.float32(255)
        back, fore = rng.integers(256, size=(2, len(chunk), 3, 1, 1))
        image = back + ink[:, None] * (fore - back)
        X[..., start : start + len(chunk)] = image.astype(np.uint8).transpose(2, 3, 1, 0)
    assert digits.labels is not None
    labels = digits.labels[chosen]
    y = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"X": X, "y": y}, do_compression=True)


if __name__ == "__main__":
    main()
