"""Compare rules that choose one of many runs without labels with the best run.

    python benchmarks/settings.py [--data wine ...] [--runs 24]

Each run has its own settings, drawn at random (the number of the run is the seed). It is fitted to four
fifths of the rows, and clusters all of them. The rules see the runs and no labels: the agreement of a run
with the others (mean adjusted Rand index), the modularity of its clusters in the graph of nearest neighbours,
the bound on the held-out rows, the agreement of q(z | y) and p(z | x, w), and that of gmvae.select, which
uses modularity from 1,000 rows on and agreement below. The table has the accuracy of the run that each rule
keeps.

Each run is a line of benchmarks/results/settings.jsonl. The script can be interrupted at any time; the next
call continues. It prints the table in docs/choosing.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from quality import observations
from records import complete
from scipy.stats import spearmanr

from gmvae import GMVAE
from gmvae.data.observations import Observations
from gmvae.fit.scores import modularity, restart_scores
from gmvae.partition import metrics
from gmvae.start.rounds import MANIFOLD_FROM

RESULTS = Path(__file__).parent / "results" / "settings.jsonl"
DATA = ("wine", "breast_cancer", "iris", "digits", "spiral")
SETTINGS: dict[str, tuple[Any, ...]] = {
    "init": ("kmeans", "random", "manifold"),
    "x_size": (2, 5, 10),
    "w_size": (2, 10),
    "hidden_size": (32, 128),
    "cv_weight": (0.3, 1.0, 3.0),
    "z_prior_weight": (0.3, 1.0),
    "learning_rate": (3e-4, 1e-3, 3e-3),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", nargs="+", default=DATA)
    parser.add_argument("--runs", type=int, default=24)
    given = parser.parse_args()
    print(
        "| data | rows | runs | best | mean | minimum | kept by agreement | by modularity | by bound "
        "| by posteriors | by gmvae.select |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    correlations = []
    for data in given.data:
        runs = complete(RESULTS, [{"data": data, "run": run} for run in range(given.runs)], make)
        accuracy = np.array([run["acc"] for run in runs])
        y = observations(data)[0]
        kept = rules(runs, y)
        cells = " | ".join(f"{100 * accuracy[values.argmax()]:.1f}" for values in kept.values())
        spread = f"{100 * accuracy.max():.1f} | {100 * accuracy.mean():.1f} | {100 * accuracy.min():.1f}"
        print(f"| {data} | {len(y)} | {len(runs)} | {spread} | {cells} |")
        rho = [f"{name} {spearmanr(values, accuracy).statistic:.2f}" for name, values in kept.items()]
        correlations.append(f"{data}: " + ", ".join(rho))
    print("\nSpearman's correlation with the accuracy: " + "; ".join(correlations) + ".")


def rules(runs: list[dict[str, Any]], y: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """The scores of the runs by each rule; a rule keeps the run with the greatest."""
    rows = Observations.of(y)
    partitions = [np.array(run["clusters"])[rows.order] for run in runs]
    scores = restart_scores(partitions, rows)
    return {
        "agreement": scores["agreement"],
        "modularity": modularity(partitions, rows),
        "bound": np.array([run["bound"] for run in runs]),
        "posteriors": np.array([run["posteriors"] for run in runs]),
        "gmvae.select": list(scores.values())[-1],
    }


def make(data: str, run: int) -> dict[str, Any]:
    """One run with its settings."""
    y, labels = observations(data)[:2]
    rng, choices = np.random.default_rng(run), dict(SETTINGS)
    if len(y) < MANIFOLD_FROM:
        choices["init"] = ("kmeans", "random")
    settings = {name: values[rng.integers(len(values))] for name, values in choices.items()}
    order = np.random.default_rng(0).permutation(len(y))
    held_out = order[: len(y) // 5]
    model = GMVAE(len(np.unique(labels)), random_state=run, threads=1, **settings)
    model.fit(y[order[len(held_out) :]])
    clusters = model.predict(y)
    return {
        "settings": settings,
        "acc": metrics.hungarian_accuracy(labels, clusters),
        "clusters": clusters.tolist(),
        "bound": float(model.score(y[held_out])),
        "posteriors": model.diagnostics_.agreement,
    }


if __name__ == "__main__":
    main()
