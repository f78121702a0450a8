"""Measure how many clusters n_clusters="auto" finds in data with a known number of classes.

    python benchmarks/clusters.py [--data wine ...] [--seeds 1 2 3] [--plot FOLDER]

Data called "+image" have ``augment="image"``; MNIST is 10,000 of the training images. "noise" is a single
Gaussian, which has no clusters to find. The number is chosen before the model is fitted, so each fit is
stopped early.

Each choice is a line of benchmarks/results/clusters.jsonl. The script can be interrupted at any time; the
next call continues. A choice is the one that the package made then: if its rule changes, delete its lines.
The script prints the table in docs/choosing.md; --plot draws the curve of the first seed for
each data set.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from records import complete
from sklearn import datasets

from gmvae import GMVAE
from gmvae.data.sets import images
from gmvae.data.sets.spiral import spiral
from gmvae.partition.stability import Choice
from gmvae.show import figures

RESULTS = Path(__file__).parent / "results" / "clusters.jsonl"
DATA = ("iris", "wine", "breast_cancer", "spiral", "digits", "digits+image", "mnist", "mnist+image", "noise")
IMAGES = 10_000


def second(point: tuple[int, float]) -> float:
    """The stability of a point of the curve. If 1 is chosen, the greatest stability is shown."""
    return point[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", nargs="+", default=DATA)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    print("| data | classes | found, for each seed | stability | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for data in given.data:
        rows = complete(RESULTS, [{"data": data, "seed": seed} for seed in given.seeds], make)
        choices = [Choice.from_json(row) for row in rows]
        found = ", ".join(f"{c.clusters}{'' if c.sure else ' (not sure)'}" for c in choices)
        least = ", ".join(
            f"{dict(c.curve).get(c.clusters, max(c.curve, key=second)[1]):.2f}" for c in choices
        )
        seconds = np.median([r["seconds"] for r in rows])
        print(f"| {data} | {rows[0]['classes']} | {found} | {least} | {seconds:.0f} |")
        if given.plot:
            given.plot.mkdir(parents=True, exist_ok=True)
            figures.stability(choices[0].to_json()).savefig(
                given.plot / f"stability-{data.replace('+', '-')}.png", dpi=100
            )


def make(data: str, seed: int) -> dict[str, Any]:
    """One choice."""
    name, _, augment = data.partition("+")
    y, classes, shape = observations(name, seed)
    options: dict[str, Any] = {"image_shape": shape} if name == "mnist" or augment else {}
    options |= {"augment": augment} if augment else {}
    began = time.perf_counter()
    model = GMVAE("auto", init="random", epochs=1, random_state=seed, threads=1, **options).fit(y)
    return {"classes": classes, **model.choice_, "seconds": time.perf_counter() - began}


def observations(name: str, seed: int) -> tuple[Any, int, tuple[int, int] | None]:
    """Rows, the number of their classes, and the shape of images."""
    rng = np.random.default_rng(seed)
    if name == "noise":
        return rng.normal(size=(2000, 8)), 1, None
    if name == "spiral":
        return spiral().y, 5, None
    if name == "mnist":
        y = images.mnist(os.environ.get("GMVAE_DATA_DIR")).y
        return y.reshape(len(y), -1)[rng.permutation(len(y))[:IMAGES]], 10, (28, 28)
    y, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    y = (y / 16).astype(np.float32) if name == "digits" else y
    return y, len(np.unique(labels)), (8, 8) if name == "digits" else None


if __name__ == "__main__":
    main()
