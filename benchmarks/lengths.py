"""Measure how long a fit must be: clusters, and the bound on other rows, for several lengths and rates.

    python benchmarks/lengths.py FOLDER [--seeds 1 2 ...]
    python benchmarks/lengths.py FOLDER --table

FOLDER has the tables of benchmarks/battery.py; those of half T are used, and three of scikit-learn. Each
fit is to four fifths of the rows, with the defaults and the true K. The bound on the other rows is in nats
per row. The adjusted Rand index compares the clusters of the fitted rows with the classes.

Each fit is a line of benchmarks/results/lengths.jsonl. It can be interrupted; the next call continues.
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from battery import T, ari, load
from records import complete, recorded
from sklearn import datasets

from gmvae import GMVAE

RESULTS = Path(__file__).parent / "results" / "lengths.jsonl"
OF_SKLEARN = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
}
STEPS, RATES = (100, 200, 400, 800), (1e-3, 3e-3)
FOLLOWED = (3e-3, 0)
"""Rate and steps of a fit whose length is left open."""
COLUMNS = (*((rate, steps) for rate in RATES for steps in STEPS), FOLLOWED)
BATCH = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--table", action="store_true", help="print the recorded fits, and make no new ones")
    given = parser.parse_args()
    wanted = [
        {"table": table, "rate": rate, "steps": steps, "seed": seed}
        for table in (*OF_SKLEARN, *T)
        for seed in given.seeds
        for rate, steps in COLUMNS
    ]
    found = recorded(RESULTS) if given.table else complete(RESULTS, wanted, partial(make, given.folder))
    heads = " | ".join(f"{steps} x {rate:g}" if steps else "followed" for rate, steps in COLUMNS)
    print(f"| table | {heads} | its steps | ARI |")
    print("| --- " * (len(COLUMNS) + 3) + "|")
    for table in (*OF_SKLEARN, *T):
        fits = [one for one in found if one["table"] == table]
        means = [
            np.mean([one["other"] for one in fits if (one["rate"], one["steps"]) == column])
            for column in COLUMNS
        ]
        agreed = [
            np.mean([one["ari"] for one in fits if (one["rate"], one["steps"]) == column])
            for column in COLUMNS
        ]
        lengths = [
            one["epochs"] * -(-one["rows"] // BATCH)
            for one in fits
            if (one["rate"], one["steps"]) == FOLLOWED
        ]
        bounds = " | ".join(f"{mean:.2f}" for mean in means)
        followed = f"{min(lengths)} to {max(lengths)}"
        print(f"| {table} | {bounds} | {followed} | {min(agreed):.2f} to {max(agreed):.2f} |")


def make(folder: Path, table: str, rate: float, steps: int, seed: int) -> dict[str, Any]:
    """One fit with about this number of steps, or with the length that it finds itself."""
    if table in OF_SKLEARN:
        y, labels = OF_SKLEARN[table](return_X_y=True)
        labellings = [labels + 1]
        clusters = len(set(labels))
    else:
        y, labellings, clusters = load(folder, table)
    chosen = np.random.default_rng(seed).permutation(len(y)) < 0.8 * len(y)
    rows = int(np.count_nonzero(chosen))
    epochs: Any = max(2, round(steps / -(-rows // BATCH))) if steps else "auto"
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GMVAE(
            clusters, epochs=epochs, learning_rate=rate, batch_size=BATCH, random_state=seed, threads=1
        ).fit(y[chosen])
    seconds = time.process_time() - began
    agreed = ari(model.labels_, [labels[chosen] for labels in labellings])
    bounds = {"bound": model.score(y[chosen]), "other": model.score(y[~chosen])}
    return {"epochs": model.n_iter_, "rows": rows, "ari": agreed, **bounds, "seconds": seconds}


if __name__ == "__main__":
    main()
