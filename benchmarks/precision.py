"""Compare fits whose networks train in float32 and in bfloat16.

    python benchmarks/precision.py [--data digits digits+image mnist] [--seeds 1 2 3]
    python benchmarks/precision.py --table

Data are images, with the defaults and the true K; "+image" has ``augment="image"``. Of MNIST there are the
first 5,000 images. Accuracy and bound are those of the fitted images. A processor without bfloat16 computes
the same numbers, but slowly, so the seconds say something only about one that has it.

Each fit is a line of benchmarks/results/precision.jsonl. It can be interrupted; the next call continues.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from quality import observations
from records import complete, recorded

from gmvae import GMVAE
from gmvae.partition import metrics

RESULTS = Path(__file__).parent / "results" / "precision.jsonl"
PRECISIONS = ("float32", "bfloat16")
ROWS = 5000
"""Maximum number of images."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["digits", "digits+image", "mnist"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--table", action="store_true", help="print the recorded fits, and make no new ones")
    given = parser.parse_args()
    wanted = [
        {"data": data, "precision": precision, "seed": seed}
        for data in given.data
        for seed in given.seeds
        for precision in PRECISIONS
    ]
    found = recorded(RESULTS) if given.table else complete(RESULTS, wanted, make)
    print("| data | precision | seeds | accuracy | bound |")
    print("| --- | --- | --- | --- | --- |")
    for data in given.data:
        for precision in PRECISIONS:
            fits = [one for one in found if (one["data"], one["precision"]) == (data, precision)]
            acc, bound = ([one[name] for one in fits] for name in ("acc", "bound"))
            shown = f"{100 * np.mean(acc):.1f} ± {100 * np.std(acc):.1f} | {np.mean(bound):.2f}"
            print(f"| {data} | {precision} | {len(fits)} | {shown} |")


def make(data: str, precision: str, seed: int) -> dict[str, Any]:
    """One fit, and its agreement with labels that it did not see."""
    name, _, augment = data.partition("+")
    y, labels, _, _, shape = observations(name)
    y, labels = y[:ROWS], labels[:ROWS]
    began = time.process_time()
    model = GMVAE(
        len(set(labels)), precision=precision, image_shape=shape, augment=augment or "auto", random_state=seed
    ).fit(y)
    found = {"acc": metrics.hungarian_accuracy(labels, model.labels_), "bound": model.elbo_}
    return found | {"epochs": model.n_iter_, "cpu_seconds": time.process_time() - began}


if __name__ == "__main__":
    main()
