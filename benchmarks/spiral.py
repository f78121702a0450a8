"""Run the spiral with many seeds: how many clusters are in use, and how well do they agree with the arcs?

    python benchmarks/spiral.py --paper-file spiral.npy [--seeds 10] [--settings original ...]

Writes benchmarks/results/spiral.jsonl, a line for each run, and prints the table in docs/spiral.md. It can be
interrupted; the next call continues.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from records import complete
from sklearn.cluster import DBSCAN

from gmvae import Config, Run, experiment
from gmvae.store.files import versions

RESULTS = Path(__file__).parent / "results" / "spiral.jsonl"
DENSITY_RADIUS = 0.08
"""Two points of the paper's file belong to one arc if steps of at most this length connect them."""
KEPT = ("epochs", "clusters_used", "nmi", "ari", "acc", "elbo", "consistency_violation", "seconds")


def settings() -> dict[str, Config]:
    """The settings: the default; the default with K = 5, also from k-means; the paper's own (alpha = 2 from
    the first step on, a rate of 1e-4, 500 epochs) with Adam (paper) or with the original code's steps of
    rate * sign(gradient) (original); and version 2 of the paper, with those steps."""
    default = experiment("spiral")
    paper = replace(
        default,
        objective=replace(default.objective, cv_weight=2.0, warm_up=0, cv_warm_up=0),
        training=replace(default.training, learning_rate=1e-4, epochs=500),
    )
    original = replace(paper, training=replace(paper.training, optimiser="sign"))
    five = replace(default, model=replace(default.model, clusters=5))
    led = replace(five, training=replace(five.training, init="kmeans"))
    return {
        "default": default,
        "K = 5": five,
        "K = 5, --init kmeans": led,
        "paper": paper,
        "original": original,
        "version 2": experiment("spiral_version2"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--paper-file",
        type=Path,
        help="the paper's spiral.npy; without it, its rows of the table are left out",
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--settings", nargs="+", default=list(settings()), choices=settings())
    given = parser.parse_args()
    sources = ["generated"] + (["paper's file"] if given.paper_file else [])

    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder) / "labels.npy"
        if given.paper_file:
            np.save(labels, arcs(np.load(given.paper_file)))

        def make(setting: str, data: str, seed: int) -> dict[str, Any]:
            config = settings()[setting]
            if data != "generated":
                paths = {"path": str(given.paper_file), "labels_path": str(labels)}
                config = replace(config, data=replace(config.data, **paths))
            where = Path(folder) / f"{setting}-{data}-{seed}"
            config = replace(
                config,
                training=replace(config.training, seed=seed),
                run=replace(config.run, run_dir=str(where), plot_every=0),
            )
            run = Run.new("spiral", config)
            for _ in run.train():
                pass
            summary = run.summary()
            return {
                **{key: summary[key] for key in KEPT},
                "device": summary["device"],
                "versions": versions(),
            }

        seeds = range(1, given.seeds + 1)
        wanted = [
            {"setting": setting, "data": data, "seed": seed}
            for setting in given.settings
            for data in sources
            for seed in seeds
        ]
        results = complete(RESULTS, wanted, make)

    print("| setting | data | seeds | clusters in use | NMI: mean | minimum | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for setting in given.settings:
        for data in sources:
            rows = [r for r in results if (r["setting"], r["data"]) == (setting, data)]
            nmi, used = [r["nmi"] for r in rows], [str(r["clusters_used"]) for r in rows]
            seconds = np.mean([r["seconds"] for r in rows])
            print(
                f"| {setting} | {data} | {len(rows)} | {' '.join(used)} | {np.mean(nmi):.4f} "
                f"| {min(nmi):.4f} | {seconds:.0f} |"
            )


def arcs(y: np.ndarray) -> np.ndarray:
    """Labels for the paper's points, which have none: their arcs, found by density."""
    return DBSCAN(eps=DENSITY_RADIUS, min_samples=1).fit_predict(y)


if __name__ == "__main__":
    main()
