"""Measure how many clusters n_clusters="auto" finds in data with a known number of classes.

    python benchmarks/clusters.py [--data wine ...] [--seeds 1 2 3] [--plot FOLDER] [--results FILE]
    python benchmarks/clusters.py --battery FOLDER [--seeds 1]

Data called "+image" have ``augment="image"``; MNIST is 10,000 of the training images. "noise" is a single
Gaussian, which has no clusters to find. --battery takes the 22 tables of battery.py instead, from the same
FOLDER; of several labellings, that counts whose number of classes is nearest. The number is chosen before the
model is fitted, so each fit is stopped early.

Each choice is a line of benchmarks/results/clusters.jsonl. The script can be interrupted at any time; the
next call continues. A choice is the one that the package made then: if its rule changes, delete its lines.
The script prints the tables in docs/choosing.md and docs/battery.md; --plot draws the curve of the first seed
for each data set.
"""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from battery import R, T, load
from records import Record, complete
from sklearn import datasets

from gmvae import GMVAE
from gmvae.data.sets import images
from gmvae.data.sets.spiral import spiral
from gmvae.show.stability import of_numbers

RESULTS = Path(__file__).parent / "results" / "clusters.jsonl"
DATA = ("iris", "wine", "breast_cancer", "spiral", "digits", "digits+image", "mnist", "mnist+image", "noise")
IMAGES = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", nargs="+")
    parser.add_argument("--battery", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    rows: list[Record] = []
    print("| data | classes | found, for each seed | stability | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for data in given.data or ([*T, *R] if given.battery else DATA):
        wanted = [{"data": data, "seed": seed} for seed in given.seeds]
        rows += (found := complete(given.results, wanted, partial(make, folder=given.battery)))
        print(line(data, found), flush=True)
        if given.plot:
            given.plot.mkdir(parents=True, exist_ok=True)
            name = data.replace("+", "-").replace("/", "-")
            of_numbers(found[0]).savefig(given.plot / f"stability-{name}.png", dpi=100)
    near = [off(row) <= 1 for row in rows]
    wrong = [f"{row['data']} ({row['clusters']})" for row in rows if row["sure"] and off(row) > 1]
    print(f"\n{sum(near)} of {len(near)} are within 1 of the number of classes")
    print(f"{len(wrong)} are sure and off by more than 1: {', '.join(wrong) or 'none'}")


def line(data: str, rows: list[Record]) -> str:
    """A line of the table. If 1 is chosen, the greatest stability is shown."""
    found = ", ".join(f"{r['clusters']}{'' if r['sure'] else ' (not sure)'}" for r in rows)
    curves = [{int(k): value for k, value in r["curve"]} for r in rows]
    stability = (
        c.get(r["clusters"], max(c.values(), default=0.0)) for r, c in zip(rows, curves, strict=True)
    )
    seconds = np.median([r["seconds"] for r in rows])
    classes = " or ".join(map(str, numbers(rows[0])))
    return f"| {data} | {classes} | {found} | {', '.join(f'{s:.2f}' for s in stability)} | {seconds:.0f} |"


def off(row: Record) -> int:
    """By how many the number of clusters differs from the nearest number of classes."""
    return min(abs(row["clusters"] - number) for number in numbers(row))


def numbers(row: Record) -> list[int]:
    """The numbers of classes: one, or one for each labelling of a table of the battery."""
    classes = row["classes"]
    return classes if isinstance(classes, list) else [classes]


def make(data: str, seed: int, folder: Path | None) -> Record:
    """One choice."""
    options: dict[str, Any] = {}
    classes: int | list[int]
    if folder is not None:
        y, labellings, _ = load(folder, data)
        classes = sorted({len(set(labels) - {0}) for labels in labellings})
    else:
        name, _, augment = data.partition("+")
        y, classes, shape = observations(name, seed)
        options |= {"image_shape": shape} if name == "mnist" or augment else {}
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
