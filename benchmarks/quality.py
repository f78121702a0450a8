"""Compare clusters with known classes: the estimator with its defaults, and other methods.

    python benchmarks/quality.py [--data mnist+image ...] [--methods GMVAE ...] [--seeds 1 2 ...]
    python benchmarks/quality.py --table

Every method is given the true number of clusters K (or the one after the colon in data like "spiral:8") and
nothing else. Data called "+image" have ``augment="image"``. No choice uses labels. MNIST and Fashion-MNIST
are measured on the 10,000 test images. Tables and small sets of images (USPS, UMIST) are measured on the
fitted rows, and so are methods that only cluster the rows they were fitted to.

The other methods: KMeans and GaussianMixture have scikit-learn's defaults, except for ten starts. HDBSCAN has
the minimum cluster size, of five, that comes nearest to K. UMAP+GMM is UMAP with 20 neighbours, minimum
distance 0 and 10 dimensions, and a mixture on it. VaDE, DEC and IDEC are ClustPy's, if it is installed. All
except KMeans and GaussianMixture see at most 10,000 images. Columns of tables are standardised, except those
of digits.

Each fit is a line of benchmarks/results/quality.jsonl. The script can be interrupted at any time; the next
call continues. It prints the table in docs/quality.md; --table prints all recorded fits, and makes no new
ones.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from records import complete, recorded
from sklearn import datasets
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, pairwise_distances
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from gmvae import GMVAE
from gmvae.data.sets import images
from gmvae.data.sets.spiral import spiral
from gmvae.partition import metrics
from gmvae.store.files import versions

RESULTS = Path(__file__).parent / "results" / "quality.jsonl"
SAMPLE = 10_000
"""Maximum number of observations for methods that do not scale."""
TABLES = ("digits", "wine", "breast_cancer", "iris", "spiral")
IMAGES = {"mnist": images.mnist, "fashion_mnist": images.fashion_mnist}
FOLDER = Path(os.environ.get("GMVAE_DATA_DIR") or Path(__file__).parents[2] / "shared" / "data")
SMALL = {"usps": (16, 16), "umist": (32, 32)}
"""Small sets of images, as .npz files in ``FOLDER``, and the shape of their images."""
DATA = (
    *("mnist+image", "mnist", "fashion_mnist+image", "fashion_mnist", "usps+image", "umist", "digits+image"),
    *TABLES,
    "spiral:8",
)
METHODS = ["GMVAE", "KMeans", "GaussianMixture", "HDBSCAN", "UMAP+GMM"]
CLUSTPY = ["DEC", "IDEC", "VaDE"]
MEASURES = ("acc", "nmi", "ari")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", nargs="+", default=DATA)
    parser.add_argument("--methods", nargs="+", default=METHODS + CLUSTPY * bool(find_spec("clustpy")))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    wanted = [
        {"data": data, "method": method, "seed": seed}
        for data in given.data
        for method in given.methods
        for seed in given.seeds
        if method == "GMVAE" or "+" not in data
    ]
    results = recorded(RESULTS) if given.table else complete(RESULTS, wanted, make)
    print("| data | method | seeds | acc | minimum | NMI | ARI | calibration error | minutes |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for data in given.data:
        for method in METHODS + CLUSTPY if given.table else given.methods:
            rows = [r for r in results if (r["data"], r["method"]) == (data, method)]
            if rows:
                print(f"| {data} | {method} | {len(rows)} | {line(rows)} |")


def line(rows: list[dict[str, Any]]) -> str:
    """The cells of a method on one data set, in per cent except for the minutes."""

    def spread(measure: str) -> str:
        values = [100 * row[measure] for row in rows]
        return f"{np.mean(values):.1f} ± {np.std(values):.1f}"

    acc, nmi, ari = map(spread, MEASURES)
    minimum = f"{min(100 * row['acc'] for row in rows):.1f}"
    error = spread("calibration_error") if "calibration_error" in rows[0] else ""
    minutes = np.median([row["seconds"] for row in rows]) / 60
    return f"{acc} | {minimum} | {nmi} | {ari} | {error} | {minutes:.1f}"


def make(data: str, method: str, seed: int) -> dict[str, Any]:
    """Make one fit, and measure it against labels that it did not see."""
    name, _, augment = data.partition("+")
    name, _, asked = name.partition(":")
    train, labels, test, test_labels, shape = observations(name)
    clusters = int(asked or len(np.unique(labels)))
    began = time.perf_counter()
    if method == "GMVAE":
        options: dict[str, Any] = {"augment": augment} if augment else {}
        if shape and (augment or name != "digits"):
            options["image_shape"] = shape
        model = GMVAE(clusters, random_state=seed, threads=1, verbose=1, **options).fit(train)
        seconds = time.perf_counter() - began
        probabilities = model.predict_proba(test)
        found = measures(test_labels, probabilities.argmax(1)) | {
            "calibration_error": metrics.calibration_error(test_labels, probabilities),
            "train_acc": metrics.hungarian_accuracy(labels, model.labels_),
            "bound": model.score(test[:1000]),
            "agreement": model.diagnostics_.agreement,
            "samples": faithful(model),
            "start": model.start_,
            "findings": [finding.name for finding in model.findings_],
        }
    else:
        if shape is None:
            train = test = StandardScaler().fit_transform(train)
        predicted, truth = PEERS[method](clusters, seed, train, labels, test, test_labels)
        seconds = time.perf_counter() - began
        found = measures(truth, predicted)
    return found | {"seconds": seconds, "versions": versions()}


def faithful(model: GMVAE, count: int = 2000) -> float:
    """The share of samples that q(z | y) assigns to the cluster that they were drawn from."""
    samples, clusters = model.sample(count)
    return float((model.predict(samples) == clusters).mean())


def observations(name: str) -> tuple[Any, Any, Any, Any, tuple[int, int] | None]:
    """Training and test data with their labels, the same for tables, and the shape of images."""
    if name in IMAGES:
        found = IMAGES[name](os.environ.get("GMVAE_DATA_DIR"))
        assert found.test is not None
        parts = [(part.y.reshape(len(part), -1), part.labels) for part in (found, found.test)]
        return (*parts[0], *parts[1], (28, 28))
    if name in SMALL:
        with np.load(FOLDER / f"{name}.npz") as found:
            return found["X"], found["y"], found["X"], found["y"], SMALL[name]
    if name == "spiral":
        points = spiral()
        return points.y, points.labels, points.y, points.labels, None
    y, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    y = (y / 16).astype(np.float32) if name == "digits" else y
    return y, labels, y, labels, (8, 8) if name == "digits" else None


def measures(labels: Any, clusters: Any) -> dict[str, float]:
    """Agreement with the labels; HDBSCAN's noise counts as a cluster."""
    return {
        "acc": metrics.hungarian_accuracy(labels, clusters),
        "nmi": float(normalized_mutual_info_score(labels, clusters)),
        "ari": float(adjusted_rand_score(labels, clusters)),
    }


def scaled(y: Any) -> Any:
    """Bytes as numbers from 0 to 1."""
    return y.astype(np.float32) / 255 if y.dtype == np.uint8 else y


def k_means(k: int, seed: int, train: Any, labels: Any, test: Any, test_labels: Any) -> tuple[Any, Any]:  # noqa: ARG001
    model = KMeans(k, n_init=10, random_state=seed).fit(scaled(train))
    return model.predict(scaled(test)), test_labels


def mixture(k: int, seed: int, train: Any, labels: Any, test: Any, test_labels: Any) -> tuple[Any, Any]:  # noqa: ARG001
    starts, covariance = (10, "full") if train.shape[1] < 100 else (1, "diag")
    model = GaussianMixture(k, covariance_type=covariance, n_init=starts, reg_covar=1e-3, random_state=seed)
    return model.fit(scaled(train)).predict(scaled(test)), test_labels


def sample(seed: int, train: Any, labels: Any) -> tuple[Any, Any]:
    """At most ``SAMPLE`` of the training data."""
    chosen = np.random.default_rng(seed).permutation(len(train))[:SAMPLE]
    return scaled(train[chosen]), labels[chosen]


def hdbscan(k: int, seed: int, train: Any, labels: Any, *_: Any) -> tuple[Any, Any]:
    """HDBSCAN with the minimum cluster size that gives K clusters, or the nearest number."""
    y, truth = sample(seed, train, labels)
    distances = pairwise_distances(y)  # once for all sizes: with many columns, trees do not help
    tried = [
        HDBSCAN(min_cluster_size=size, metric="precomputed", copy=True).fit_predict(distances)
        for size in (5, 10, 20, 50, 100)
    ]
    return min(tried, key=lambda found: abs(found.max() + 1 - k)), truth


def umap_mixture(k: int, seed: int, train: Any, labels: Any, *_: Any) -> tuple[Any, Any]:
    from umap import UMAP

    y, truth = sample(seed, train, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flat = UMAP(n_neighbors=20, min_dist=0.0, n_components=10, random_state=seed, n_jobs=1).fit_transform(
            y
        )
        return GaussianMixture(k, n_init=10, random_state=seed).fit_predict(flat), truth


def clustpy(name: str) -> Callable[..., tuple[Any, Any]]:
    def run(k: int, seed: int, train: Any, labels: Any, *_: Any) -> tuple[Any, Any]:
        import clustpy.deep

        y, truth = sample(seed, train, labels)
        model = getattr(clustpy.deep, name)(n_clusters=k, random_state=seed)
        return model.fit(np.asarray(y, dtype=np.float32)).labels_, truth

    return run


PEERS: dict[str, Callable[..., tuple[Any, Any]]] = {
    "KMeans": k_means,
    "GaussianMixture": mixture,
    "HDBSCAN": hdbscan,
    "UMAP+GMM": umap_mixture,
    **{name: clustpy(name) for name in CLUSTPY},
}


if __name__ == "__main__":
    main()
