"""Compare fits of few rows with many columns: for the length that held-out rows choose, and for longer.

    python benchmarks/few_rows.py PBMC68K_REDUCED.h5ad [--seeds 1 2 ...]

The file ships with scanpy: 700 blood cells x 765 genes, with ten classes in ``obs["bulk_labels"]``, which are
only used for measuring. Every method is given K = 10. "560 cells" are fits to four fifths of the cells, with
the bound on the others, in nats per cell. KMeans has ten starts, on standardised columns.

Each fit is a line of benchmarks/results/few_rows.jsonl. It can be interrupted; the next call continues.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from records import complete
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from gmvae import GMVAE
from gmvae.data.load import load
from gmvae.partition import metrics
from gmvae.store.files import versions

RESULTS = Path(__file__).parent / "results" / "few_rows.jsonl"
METHODS: dict[str, dict[str, Any]] = {"epochs auto": {}, "epochs 300": {"epochs": 300}}
CELLS = (700, 560)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    given = parser.parse_args()
    asked = [(cells, method) for cells in CELLS for method in (*METHODS, "KMeans")]
    wanted = [{"cells": c, "method": m, "seed": seed} for c, m in asked for seed in given.seeds]
    results = complete(RESULTS, wanted, partial(make, given.path))
    print("| cells | method | acc of each seed | mean | bound | bound on others | epochs |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for cells, method in asked:
        rows = [r for r in results if (r["cells"], r["method"]) == (cells, method)]
        each = " ".join(f"{row['acc']:.3f}" for row in rows)
        found = [
            " ".join(f"{row[key]:.0f}" for row in rows if key in row) for key in ("bound", "other", "epochs")
        ]
        print(
            f"| {cells} | {method} | {each} | {np.mean([r['acc'] for r in rows]):.3f} | {' | '.join(found)} |"
        )


def make(path: Path, cells: int, method: str, seed: int) -> dict[str, Any]:
    """One fit, and its accuracy on the cells that it was fitted to."""
    data = load(path=str(path), label_column="bulk_labels")
    assert data.labels is not None
    chosen = np.random.default_rng(0).permutation(len(data)) < cells
    y, labels = data.y[chosen].astype(np.float64), data.labels[chosen]
    began = time.perf_counter()
    if method == "KMeans":
        clusters = KMeans(10, n_init=10, random_state=seed).fit_predict(StandardScaler().fit_transform(y))
        return {"acc": metrics.hungarian_accuracy(labels, clusters), "seconds": time.perf_counter() - began}
    model = GMVAE(10, random_state=seed, threads=1, **METHODS[method]).fit(y)
    found = {
        "acc": metrics.hungarian_accuracy(labels, model.labels_),
        "seconds": time.perf_counter() - began,
        "bound": model.score(y),
        "epochs": model.n_iter_,
        "findings": [str(finding) for finding in model.findings_],
        "versions": versions(),
    }
    return found if chosen.all() else found | {"other": model.score(data.y[~chosen].astype(np.float64))}


if __name__ == "__main__":
    main()
