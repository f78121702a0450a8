"""Record a dozen small fits, and check whether a change of the code changes any of them by a single bit.

    python benchmarks/golden.py record before.json      # then change the code
    python benchmarks/golden.py compare before.json

A record has the cluster of each row and a SHA-256 of the network's weights. It is valid for one machine and
one set of versions, because other processors round differently. This takes a few minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from sklearn.datasets import load_iris, make_blobs, make_moons

import gmvae
from gmvae import GMVAE

SMALL: dict[str, Any] = {
    "x_size": 2,
    "w_size": 2,
    "hidden_size": 32,
    "batch_size": 64,
    "random_state": 3,
    "threads": 1,
}
"""Settings of the estimator that make fits fast."""


def blobs(rows: int = 300) -> NDArray[np.float64]:
    """Four groups in five columns."""
    return np.asarray(make_blobs(rows, 5, centers=4, random_state=1)[0])


def moons() -> NDArray[np.float64]:
    """Two half moons, with enough rows for a manifold."""
    return np.asarray(make_moons(1_200, noise=0.05, random_state=1)[0])


def images() -> NDArray[np.float64]:
    """Noisy bars in three places, 8 x 8 pixels, with enough rows for a manifold."""
    rng = np.random.default_rng(1)
    bars = np.zeros((1_200, 8, 8))
    bars[np.arange(1_200), :, 2 + 2 * rng.integers(3, size=1_200)] = 1.0
    return np.clip(bars + 0.1 * rng.random(bars.shape), 0, 1).reshape(1_200, 64)


def weights() -> NDArray[np.float64]:
    """Weights of the blobs."""
    return np.random.default_rng(2).integers(1, 4, size=300).astype(float)


FITS: dict[str, Callable[[], GMVAE]] = {
    "k-means": lambda: GMVAE(4, init="kmeans", epochs=10, **SMALL).fit(blobs()),
    "random": lambda: GMVAE(4, init="random", epochs=10, **SMALL).fit(blobs()),
    "auto": lambda: GMVAE(3, random_state=3, threads=1).fit(load_iris().data),
    "manifold": lambda: GMVAE(2, init="manifold", epochs=4, **SMALL).fit(moons()),
    "augmented table": lambda: GMVAE(4, init="kmeans", augment="table", epochs=10, **SMALL).fit(blobs()),
    "augmented images": lambda: GMVAE(
        3, image_shape=(8, 8), augment="image", rounds=2, epochs=3, filters=4, **SMALL
    ).fit(images()),
    "images": lambda: GMVAE(
        3, image_shape=(8, 8), network="fc", init="kmeans", epochs=3, **SMALL
    ).fit(images()),
    "posterior": lambda: GMVAE(4, assignment="posterior", epochs=10, **SMALL).fit(blobs()),
    "weights": lambda: GMVAE(4, epochs=10, **SMALL).fit(blobs(), sample_weight=weights()),
    "early stopping": lambda: GMVAE(
        4, early_stopping=True, n_iter_no_change=3, epochs=30, **SMALL
    ).fit(blobs()),
    "number of clusters": lambda: GMVAE("auto", max_clusters=6, epochs=5, **SMALL).fit(blobs()),
    "three restarts": lambda: GMVAE(4, n_init=3, epochs=10, **SMALL).fit(blobs()),
    "warm start": lambda: GMVAE(4, warm_start=True, epochs=5, **SMALL).fit(blobs()).fit(blobs()),
}  # fmt: skip
RUNS = {
    "spiral": ["--points", "1000", "--epochs", "8"],
    "spiral, k-means": ["--points", "1000", "--epochs", "8", "--init", "kmeans"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    found = {name: of_estimator(fit()) for name, fit in FITS.items()}
    found |= {f"run.sh {name}": of_run(name.split(",")[0], flags) for name, flags in RUNS.items()}
    if given.action == "record":
        given.file.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{len(found)} records: {given.file}")
        return
    before = json.loads(given.file.read_text())
    differ = [name for name in before.keys() | found.keys() if before.get(name) != found.get(name)]
    for name in sorted(differ):
        print(f"{name}: {difference(before.get(name), found.get(name))}")
    print(f"{len(found) - len(differ)} of {len(found)} fits are the same")
    sys.exit(bool(differ))


def of_estimator(model: GMVAE) -> dict[str, Any]:
    """Clusters and weights of a fitted estimator."""
    tensors = {name: value.cpu().numpy() for name, value in model.model_.state_dict().items()}
    return {"labels": model.labels_.tolist(), "weights": digest(tensors)}


def of_run(experiment: str, flags: list[str]) -> dict[str, Any]:
    """Clusters and weights of a run of the command line."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [
            sys.executable,
            "-m",
            "gmvae",
            "train",
            experiment,
            *flags,
            "--seed",
            "3",
            "--threads",
            "1",
        ]
        subprocess.run([*command, "--plots", "--run-dir", str(run)], check=True, stdout=subprocess.DEVNULL)
        tensors = load_file(run / "model.safetensors")
        labels = gmvae.load(run).predict(spiral())
    network = {name: values for name, values in tensors.items() if name.startswith("model.")}
    return {"labels": labels.tolist(), "weights": digest(network)}


def spiral() -> NDArray[np.float64]:
    """Points of the plane at which a model of the spiral is evaluated."""
    return np.random.default_rng(4).uniform(-1, 1, (500, 2))


def digest(tensors: dict[str, Any]) -> str:
    """SHA-256 of named arrays, independent of their order."""
    whole = hashlib.sha256()
    for name in sorted(tensors):
        whole.update(np.ascontiguousarray(tensors[name]).tobytes())
    return whole.hexdigest()


def difference(before: dict[str, Any] | None, now: dict[str, Any] | None) -> str:
    """What has become of a record."""
    if before is None or now is None:
        return "new" if before is None else "gone"
    moved = np.mean(np.array(before["labels"]) != np.array(now["labels"]))
    return f"{moved:.1%} of the labels differ" if moved else "the weights differ"


if __name__ == "__main__":
    main()
