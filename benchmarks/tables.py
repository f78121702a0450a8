"""Fit four small tables of scikit-learn with ten seeds, from k-means and from a random start.

    python benchmarks/tables.py [--seeds 10]

Every method is given the true number of clusters. KMeans and GaussianMixture have scikit-learn's defaults, on
standardised data; GMVAE standardises by itself. Each fit is a line of benchmarks/results/tables.jsonl. The
script can be interrupted at any time; the next call continues. It prints the tables in docs/estimator.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from records import complete
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from gmvae import GMVAE
from gmvae.partition.communities import modularity
from gmvae.partition.metrics import agreements, hungarian_accuracy
from gmvae.partition.neighbours import neighbours
from gmvae.store.files import versions

RESULTS = Path(__file__).parent / "results" / "tables.jsonl"
TABLES = {"digits": load_digits, "wine": load_wine, "breast_cancer": load_breast_cancer, "iris": load_iris}
METHODS = ("GMVAE, init='kmeans'", "GMVAE, init='random'", "KMeans", "GaussianMixture")
MEASURES = ("acc", "nmi", "ari")
RESTARTS = 5
"""Number of restarts that a rule chooses from, in the second table."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(1, parser.parse_args().seeds + 1)
    wanted = [{"table": t, "method": m, "seed": s} for t in TABLES for m in METHODS for s in seeds]
    results = complete(RESULTS, wanted, make)

    print("| table | rows x columns, K | method | acc | NMI | ARI | median seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for table, load in TABLES.items():
        y, labels = load(return_X_y=True)
        for method in METHODS:
            rows = [r for r in results if (r["table"], r["method"]) == (table, method)]
            about = f"{y.shape[0]} x {y.shape[1]}, {len(set(labels))}"
            seconds = np.median([r["seconds"] for r in rows])
            spreads = (spread(rows, measure) for measure in MEASURES)
            print(f"| {table} | {about} | {method} | " + " | ".join(spreads) + f" | {seconds:.1f} |")

    print(
        "\n| table | method | mean acc | best | by agreement | by modularity | by loss "
        "| rho, agreement | rho, modularity | rho, loss |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for table, load in TABLES.items():
        graph = neighbours(StandardScaler().fit_transform(load().data).astype(np.float32))[0]
        for method in (method for method in METHODS if method.startswith("GMVAE")):
            rows = [r for r in results if (r["table"], r["method"]) == (table, method)]
            acc, loss = (np.array([r[key] for r in rows]) for key in ("acc", "loss"))
            partitions = [np.array([int(digit) for digit in r["clusters"]]) for r in rows]
            same, modular = agreements(partitions), np.array([modularity(c, graph) for c in partitions])
            rules = {
                "agreement": (lambda five, same=same: same[np.ix_(five, five)].sum(1), same.sum(1)),
                "modularity": (lambda five, modular=modular: modular[five], modular),
                "loss": (lambda five, loss=loss: -loss[five], -loss),
            }
            kept = [f"{choices(acc, rule):.3f}" for rule, _ in rules.values()]
            rhos = [f"{spearmanr(value, acc).statistic:.2f}" for _, value in rules.values()]
            cells = [f"{acc.mean():.3f}", f"{acc.max():.3f}", *kept, *rhos]
            print(f"| {table} | {method} | " + " | ".join(cells) + " |")


def choices(acc: NDArray[Any], rule: Callable[[list[int]], NDArray[Any]]) -> float:
    """Mean accuracy of the restart that a rule keeps, over all sets of ``RESTARTS`` of the runs."""
    sets = (list(five) for five in combinations(range(len(acc)), RESTARTS))
    return float(np.mean([acc[five[int(rule(five).argmax())]] for five in sets]))


def make(table: str, method: str, seed: int) -> dict[str, Any]:
    """Make one fit, and measure it against labels that it did not see."""
    y, labels = TABLES[table](return_X_y=True)
    clusters = len(np.unique(labels))
    began = time.perf_counter()
    found: dict[str, Any] = {}
    if method.startswith("GMVAE"):
        init = "random" if "random" in method else "kmeans"
        model = GMVAE(clusters, init=init, random_state=seed, threads=1).fit(y)
        predicted = model.labels_
        found = {"loss": model.restarts_[0]["loss"], "elbo": model.elbo_, "epochs": model.n_iter_}
        found["clusters_used"] = model.n_clusters_used_
        found["clusters"] = "".join(map(str, predicted))
    else:
        kind = KMeans if method == "KMeans" else GaussianMixture
        predicted = kind(clusters, random_state=seed).fit_predict(StandardScaler().fit_transform(y))
    found["seconds"] = time.perf_counter() - began
    found["acc"] = hungarian_accuracy(labels, predicted)
    found["nmi"] = float(normalized_mutual_info_score(labels, predicted))
    found["ari"] = float(adjusted_rand_score(labels, predicted))
    return {**found, "versions": versions()}


def spread(rows: list[dict[str, Any]], measure: str) -> str:
    """Mean and standard deviation over seeds."""
    values = [row[measure] for row in rows]
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


if __name__ == "__main__":
    main()
