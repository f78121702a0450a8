"""Test whether GMVAE.confidence is calibrated: is it the share of fits in which rows keep their cluster?

    python benchmarks/confidence.py FOLDER [--tables NAME ...] [--seeds 1 2 ...]

FOLDER is that of battery.py. For each table, the fit measures the stability of the rows with 20 starts from
other samples. The confidence is calibrated on half of the rows and compared with the stability of the other
half. The error is the difference between the stated probability and the stability found, averaged over ten
bins; it is also computed for q(z | y) as it is. Each fit is a line of benchmarks/results/confidence.jsonl.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from battery import Array, R, T, load
from records import Record, complete

from gmvae import GMVAE
from gmvae.assess.confidence import Confidence

RESULTS = Path(__file__).parent / "results" / "confidence.jsonl"
STARTS, BINS = 20, 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", nargs="+", default=[*T, *R])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    given = parser.parse_args()
    wanted = [{"table": table, "seed": seed} for table in given.tables for seed in given.seeds]
    results = complete(RESULTS, wanted, lambda table, seed: make(given.folder, table, seed))
    print("| table | stability | confidence, off by (greatest) | q(z \\| y), off by | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for table in given.tables:
        rows = [r for r in results if r["table"] == table]
        stable, ours, raw, seconds = (
            [r[key] for r in rows] for key in ("stability", "confidence", "raw", "seconds")
        )
        print(
            f"| {table} | {np.mean(stable):.2f} | {np.mean(ours):.3f} ({max(ours):.3f}) "
            f"| {np.mean(raw):.3f} | {np.median(seconds):.0f} |"
        )


def make(folder: Path, table: str, seed: int) -> Record:
    """One fit."""
    y, _, clusters = load(folder, table)
    began = time.perf_counter()
    model = GMVAE(clusters, random_state=seed, threads=1, resamples=STARTS).fit(y)
    seconds = time.perf_counter() - began
    order = np.random.default_rng(seed).permutation(len(y))
    used, others = np.array_split(order, 2)
    q, stable = model.predict_proba(y), model.stability_
    stated = Confidence.of(q[used], stable[used])(q[others])
    return {
        "stability": float(stable.mean()),
        "confidence": error(stated, stable[others]),
        "raw": error(q[others].max(1), stable[others]),
        "start": model.start_["chosen"],
        "seconds": seconds,
    }


def error(stated: Array, found: Array) -> float:
    """The difference between the mean stated and the mean found value of a bin, averaged over rows."""
    bins = np.minimum((stated * BINS).astype(int), BINS - 1)
    apart = [
        abs(stated[bins == b].mean() - found[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)
    ]
    return float(sum(apart))


if __name__ == "__main__":
    main()
