"""Test the detection of outliers: how many clean rows are taken for outliers, and how many outliers are
found.

    python benchmarks/outliers.py [--kinds blobs ...] [--seeds 1 2 ...]

Clean rows are drawn from clusters of known kinds. A fit sees 1,000 of them, alone or with 50 planted rows
that are uniform over a box three times as wide as the data. The false rate is the share of 10,000 new clean
rows that GMVAE.is_outlier takes for outliers; "found" is the share of the 50 planted rows that it finds. Each
fit is a line of benchmarks/results/outliers.jsonl.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from records import Record, complete
from sklearn.datasets import make_moons

from gmvae import GMVAE

RESULTS = Path(__file__).parent / "results" / "outliers.jsonl"
KINDS = {"blobs": (2, 4), "blobs of 10 columns": (10, 5), "blobs of 30 columns": (30, 3), "moons": (2, 2),
         "Student's t, 8 degrees": (5, 3)}  # fmt: skip
"""Columns and clusters."""
SEEN, STRANGE, FRESH = 1000, 50, 10_000
Array = np.ndarray[Any, Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    given = parser.parse_args()
    wanted = [
        {"kind": kind, "planted": planted, "seed": seed}
        for kind in given.kinds
        for planted in (0, STRANGE)
        for seed in given.seeds
    ]
    results = complete(RESULTS, wanted, make)
    print("| data | false rate, none planted (greatest) | with 50 planted (greatest) | found |")
    print("| --- | --- | --- | --- |")
    for kind in given.kinds:
        cells = []
        for planted in (0, STRANGE):
            rows = [r for r in results if (r["kind"], r["planted"]) == (kind, planted)]
            false = [100 * r["false"] for r in rows]
            cells.append(f"{np.mean(false):.1f} % ({max(false):.1f})")
        found = np.mean([r["found"] for r in rows])
        print(f"| {kind} | {' | '.join(cells)} | {found:.0%} |")


def make(kind: str, planted: int, seed: int) -> Record:
    """One fit."""
    rng = np.random.default_rng(seed)
    y = clean(kind, SEEN + FRESH, rng)
    seen, fresh = y[:SEEN], y[SEEN:]
    low, high = seen.min(0), seen.max(0)
    strange = rng.uniform(2 * low - high, 2 * high - low, size=(planted, y.shape[1]))
    model = GMVAE(KINDS[kind][1], random_state=seed, threads=1).fit(np.vstack([seen, strange]))
    found = float(model.is_outlier(strange).mean()) if planted else None
    return {"false": float(model.is_outlier(fresh).mean()), "found": found}


def clean(kind: str, count: int, rng: np.random.Generator) -> Array:
    """Rows that all belong to clusters."""
    size, clusters = KINDS[kind]
    if kind == "moons":
        return make_moons(count, noise=0.06, random_state=int(rng.integers(2**31)))[0]
    centres = rng.normal(size=(clusters, size)) * 18 / np.sqrt(size)
    which = rng.integers(clusters, size=count)
    if kind.startswith("Student"):
        return centres[which] + rng.standard_t(8, size=(count, size))
    return centres[which] + rng.normal(size=(count, size)) * rng.uniform(0.5, 1.5, size=(clusters, 1))[which]


if __name__ == "__main__":
    main()
