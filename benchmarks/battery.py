"""Compare the estimator with its defaults, and other methods, on public tables with known classes.

    python benchmarks/battery.py FOLDER [--starts-only] [--seeds 1 2 ...] [--results FILE]
    python benchmarks/battery.py FOLDER --table

FOLDER has files NAME.data.gz and NAME.labels0.gz, NAME.labels1.gz, ... of clustering-data-v1 (Gagolewski,
SoftwareX 20, 2022). Columns are standardised. Every method is given the true number of clusters K and nothing
else. Rows with label 0 are noise: they are fitted, but not measured. If a table has several labellings, the
best adjusted Rand index (ARI) counts.

Rules and constants of the package were chosen on the tables of half T only; half R was only used afterwards.
Each fit is a line of the results file. The script can be interrupted at any time; the next call continues.
--table --than OTHER_FILE compares the times of two versions of the package, each with its own results file.
PYTHONPATH=CHECKOUT, --methods GMVAE and --results OTHER_FILE measure an older version.
"""

from __future__ import annotations

import argparse
import importlib
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from records import Record, complete, recorded
from sklearn.cluster import HDBSCAN, KMeans, SpectralClustering
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from gmvae import GMVAE

T = (
    "uci/ecoli", "uci/statlog", "fcps/lsun", "fcps/engytime", "fcps/chainlink", "sipu/aggregation",
    "sipu/r15", "sipu/s2", "graves/ring", "graves/zigzag", "wut/smile",
)  # fmt: skip
R = (
    "uci/ionosphere", "uci/yeast", "fcps/target", "fcps/tetra", "sipu/jain", "sipu/a2", "sipu/unbalance",
    "graves/parabolic", "wut/x2", "wut/z2", "other/square",
)  # fmt: skip
RESULTS = Path(__file__).parent / "results" / "battery.jsonl"
Array = np.ndarray[Any, Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--starts-only", action="store_true", help="measure only the partitions that fits start from"
    )
    parser.add_argument("--tables", nargs="+", default=[*T, *R])
    parser.add_argument("--methods", nargs="+", default=[*PEERS, "GMVAE"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print the recorded fits, and make no new ones")
    parser.add_argument("--than", type=Path, help="results of another version, to compare times with")
    given = parser.parse_args()
    methods = ["start"] if given.starts_only else given.methods
    wanted = [
        {"table": table, "method": method, "seed": seed}
        for table in given.tables
        for method in methods
        for seed in given.seeds
    ]

    def make(table: str, method: str, seed: int) -> Record:
        y, labellings, clusters = load(given.folder, table)
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, about = {**PEERS, "GMVAE": ours, "start": start}[method](y, clusters, seed)
        seconds = time.perf_counter() - began
        if (q := about.pop("probabilities", None)) is not None:
            error = calibration_error()
            errors = [error(labels[labels > 0], q[labels > 0]) for labels in labellings]
            about["calibration_error"] = min(errors)
        return {"ari": ari(found, labellings), "seconds": seconds, **about}

    if not given.table and "GMVAE" in methods:
        warm_up()
    results = recorded(given.results) if given.table else complete(given.results, wanted, make)
    show(results, recorded(given.than) if given.than else [])


def load(folder: Path, name: str) -> tuple[Array, list[Array], int]:
    """A table with standardised columns, its labellings, and K."""
    y = np.loadtxt(folder / f"{name}.data.gz", ndmin=2)
    files = sorted(folder.glob(f"{name}.labels*.gz"))
    labellings = [np.loadtxt(file, dtype=int) for file in files]
    y = y[:, y.std(0) > 0]
    return (y - y.mean(0)) / y.std(0), labellings, len(set(labellings[0]) - {0})


def ari(clusters: Array, labellings: list[Array]) -> float:
    """The best agreement with any of the labellings, without the rows of noise."""
    return max(float(adjusted_rand_score(labels[labels > 0], clusters[labels > 0])) for labels in labellings)


def calibration_error() -> Callable[[Array, Array], float]:
    """The function of that name, which was elsewhere before version 0.2."""
    try:
        module = importlib.import_module("gmvae.partition.metrics")
    except ModuleNotFoundError:
        module = importlib.import_module("gmvae.metrics")
    return module.calibration_error


def warm_up() -> None:
    """Make a fit that is not measured, so that no measured fit includes imports and compilation."""
    y = np.random.default_rng(0).normal(size=(1000, 2))
    GMVAE(3, random_state=0).fit(y)


def ours(y: Array, clusters: int, seed: int) -> tuple[Array, Record]:
    model = GMVAE(clusters, random_state=seed, threads=1).fit(y)
    findings = [finding.name for finding in model.findings_]
    about = {"start": model.start_, "epochs": model.n_iter_, "findings": findings}
    return model.labels_, {**about, "probabilities": model.predict_proba(y)}


def start(y: Array, clusters: int, seed: int) -> tuple[Array, Record]:
    """The partition that the fit with this seed starts from. If it is made of a sample of the rows, each
    other
    row is in the cluster of the nearest sampled row."""
    from gmvae.data.prepare import prepare
    from gmvae.fit.engine import Engine
    from gmvae.fit.parameters import configuration
    from gmvae.fit.restart import Restart
    from gmvae.start.candidates.density import filled

    config = configuration(GMVAE(clusters).get_params(), seed)
    engine = Engine(config, prepare(y, device=torch.device("cpu")))
    restart = Restart(engine.config, engine.data, engine.rows, None, engine.seeds[0])
    chosen = restart.look().chosen
    assert chosen is not None
    found = np.full(len(y), -1)
    found[restart.subset.order[: len(chosen.clusters)]] = chosen.clusters
    return filled(y, found), {"chosen": chosen.name}


def k_means(y: Array, clusters: int, seed: int) -> tuple[Array, Record]:
    return KMeans(clusters, n_init=10, random_state=seed).fit_predict(y), {}


def mixture(y: Array, clusters: int, seed: int) -> tuple[Array, Record]:
    model = GaussianMixture(clusters, n_init=10, reg_covar=1e-4, random_state=seed)
    return model.fit_predict(y), {}


def spectral(y: Array, clusters: int, seed: int) -> tuple[Array, Record]:
    options = {"affinity": "nearest_neighbors", "n_neighbors": 10, "random_state": seed}
    return SpectralClustering(clusters, **options).fit_predict(y), {}


def hdbscan(y: Array, clusters: int, seed: int) -> tuple[Array, Record]:  # noqa: ARG001
    """HDBSCAN with the minimum cluster size that gives K clusters, or the nearest number; noise is a
    cluster."""
    tried = [HDBSCAN(min_cluster_size=size, copy=True).fit_predict(y) for size in (5, 10, 20, 50, 100)]
    return min(tried, key=lambda found: abs(found.max() + 1 - clusters)), {}


def umap_mixture(y: Array, clusters: int, seed: int) -> tuple[Array, Record]:
    from umap import UMAP

    size = min(10, y.shape[1])
    flat = UMAP(n_neighbors=20, min_dist=0.0, n_components=size, random_state=seed, n_jobs=1).fit_transform(y)
    return GaussianMixture(clusters, n_init=5, reg_covar=1e-3, random_state=seed).fit_predict(flat), {}


PEERS: dict[str, Callable[[Array, int, int], tuple[Array, Record]]] = {
    "KMeans": k_means,
    "GaussianMixture": mixture,
    "Spectral": spectral,
    "HDBSCAN": hdbscan,
    "UMAP+GMM": umap_mixture,
}


def show(results: list[Record], others: list[Record]) -> None:
    """The mean over seeds of each method on each table, and over the tables of each half."""
    methods = [m for m in ("GMVAE", "start", *PEERS) if any(r["method"] == m for r in results)]
    print(f"| table | {' | '.join(methods)} | calibration error | seconds |")
    print("| --- " * (len(methods) + 3) + "|")
    means: dict[tuple[str, str], float] = {}
    for table in (*T, *R):
        rows = [r for r in results if r["table"] == table]
        cells = []
        for method in methods:
            values = [r["ari"] for r in rows if r["method"] == method]
            means[table, method] = float(np.mean(values)) if values else float("nan")
            spread = f" ± {np.std(values):.2f}" if method == "GMVAE" else ""
            cells.append(f"{means[table, method]:.2f}{spread}")
        seconds = [r["seconds"] for r in rows if r["method"] == methods[0]]
        errors = [r["calibration_error"] for r in rows if "calibration_error" in r]
        cells += [f"{np.mean(errors):.2f}" if errors else "", f"{np.median(seconds or [float('nan')]):.1f}"]
        print(f"| {table} | {' | '.join(cells)} |")
    for name, half in (("T", T), ("R", R)):
        cells = [f"{np.mean([means[table, method] for table in half]):.3f}" for method in methods]
        print(f"| mean of {name} | {' | '.join(cells)} | | |")
        peers = [m for m in methods if m in PEERS]
        if peers and methods[0] not in PEERS:
            gaps = [max(means[table, m] for m in peers) - means[table, methods[0]] for table in half]
            print(f"half {name}: the best of the peers is ahead by {np.mean(gaps):.3f} on average")
    starts = {(r["table"], r["seed"]): r["ari"] for r in results if r["method"] == "start"}
    gains = {
        key: r["ari"] - starts[key]
        for r in results
        if r["method"] == "GMVAE" and (key := (r["table"], r["seed"])) in starts
    }
    if gains:
        worst, below = min(gains, key=lambda key: gains[key]), sum(gain < -0.03 for gain in gains.values())
        print(
            f"{below} of {len(gains)} fits end more than 0.03 below their start; the worst is {worst[0]}, "
            f"seed {worst[1]}, by {-gains[worst]:.3f}; the mean gain is {np.mean(list(gains.values())):+.3f}"
        )
    if others:
        pairs = [
            (r["seconds"], o["seconds"])
            for r in results
            for o in others
            if r["method"] == "GMVAE" and all(r[key] == o[key] for key in ("table", "method", "seed"))
        ]
        now, before = np.median(pairs, axis=0)
        print(
            f"median seconds of {len(pairs)} fits: {now:.2f} against {before:.2f}, {now / before:.2f} times"
        )


if __name__ == "__main__":
    main()
