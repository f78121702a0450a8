"""Show what the doctor finds in healthy and in sick fits: the table in docs/doctor.md.

    python benchmarks/doctor.py

Every fit is a line of benchmarks/results/doctor.jsonl. It can be interrupted; the next call continues.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from records import complete
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_blobs

from gmvae import GMVAE, Run, experiment
from gmvae.store.files import versions

RESULTS = Path(__file__).parent / "results" / "doctor.jsonl"
SMALL = {"hidden_size": 32, "x_size": 2, "w_size": 2, "epochs": 60, "batch_size": 64, "learning_rate": 3e-3}
COLD = {"init": "random", "warm_up": 0, "cv_warm_up": 0}


def blobs() -> np.ndarray:
    """Three round groups, far apart."""
    return make_blobs(600, 3, centers=3, cluster_std=0.6, random_state=1)[0]


def noise() -> np.ndarray:
    """A single round group."""
    return np.random.default_rng(0).normal(size=(600, 3))


def outliers() -> np.ndarray:
    """One group, and thirty rows far from it."""
    rng = np.random.default_rng(0)
    return np.r_[rng.normal(size=(570, 3)), 0.3 * rng.normal(size=(30, 3)) + 9]


def coins() -> np.ndarray:
    """Thirty independent columns of 0 and 1."""
    return (np.random.default_rng(0).random((600, 30)) < 0.5).astype(float)


TABLES = {"iris": load_iris, "wine": load_wine, "breast_cancer": load_breast_cancer, "digits": load_digits}
DATA = {"blobs": blobs, "noise": noise, "outliers": outliers, "coins": coins}
FITS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "iris, defaults": ("iris", 3, {}),
    "wine, defaults": ("wine", 3, {}),
    "breast_cancer, defaults": ("breast_cancer", 2, {}),
    "digits, defaults": ("digits", 10, {}),
    "three blobs": ("blobs", 3, SMALL),
    "three blobs, cv_weight 5, random start, no warm-ups, K = 20": (
        "blobs", 20, {**SMALL, **COLD, "cv_weight": 5.0},
    ),
    "three blobs, cv_weight 0, K = 6": ("blobs", 6, {**SMALL, "cv_weight": 0.0}),
    "three blobs, z_prior_weight 50": ("blobs", 3, {**SMALL, "z_prior_weight": 50.0}),
    "one group, cv_weight 0": ("noise", 4, {**SMALL, "cv_weight": 0.0}),
    "one group, cv_weight 5, random start, no warm-ups": ("noise", 4, {**SMALL, **COLD, "cv_weight": 5.0}),
    "a group and outliers": ("outliers", 2, SMALL),
    "coins, random start, no warm-ups": ("coins", 4, {**SMALL, **COLD}),
}  # fmt: skip
RUNS = {"spiral, defaults": {}, "spiral, cv_weight 0": {"cv_weight": 0.0}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.parse_args()
    results = complete(RESULTS, [{"fit": name} for name in (*RUNS, *FITS)], make)
    print("| fit | K | largest share | information | entropy | active x, w | agreement | findings |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for r in results:
        s = r["diagnostics"]
        found = ", ".join(f["name"] + " (note)" * (f["severity"] == "note") for f in r["findings"])
        cells = [r["fit"], len(s["occupancy"]), f"{max(s['occupancy']):.0%}", f"{s['z_information']:.2f}"]
        cells += [
            f"{s['z_entropy']:.2f}",
            f"{s['active_x']}, {s['active_w']}",
            f"{s['agreement']:.2f}",
            found,
        ]
        print("| " + " | ".join(map(str, cells)) + " |")


def make(fit: str) -> dict[str, Any]:
    """A fit, its diagnostics and findings."""
    with tempfile.TemporaryDirectory() as folder:
        if fit in RUNS:
            config = experiment("spiral")
            config = replace(
                config,
                objective=replace(config.objective, **RUNS[fit]),
                run=replace(config.run, run_dir=f"{folder}/run", plot_every=0),
            )
            run = Run.new("spiral", config)
            for _ in run.train():
                pass
            summary = run.summary()
            return {
                "diagnostics": summary["diagnostics"],
                "findings": summary["findings"],
                "versions": versions(),
            }
    table, clusters, options = FITS[fit]
    y = TABLES[table](return_X_y=True)[0] if table in TABLES else DATA[table]()
    model = GMVAE(clusters, random_state=0, threads=1, **options).fit(y)
    findings = [finding.to_json() for finding in model.findings_]
    return {"diagnostics": model.diagnostics_.to_json(), "findings": findings, "versions": versions()}


if __name__ == "__main__":
    main()
