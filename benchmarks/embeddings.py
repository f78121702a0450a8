"""Compare scales of the columns, and k-means, on embeddings with known groups.

    python benchmarks/embeddings.py [--data texts cells genes] [--seeds 1 2 ...]

Texts are the docstrings of functions in seven subpackages of SciPy, with 50 numbers each (TF-IDF and a
singular value decomposition). Cells are the 50 principal components of pbmc68k_reduced.h5ad (in
$GMVAE_DATA_DIR, or in ../shared/data), and genes its 765 genes. Each fit, with the true number of groups,
is a line of benchmarks/results/embeddings.jsonl.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from records import Record, complete
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import adjusted_rand_score

from gmvae import GMVAE
from gmvae.partition.metrics import hungarian_accuracy

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "embeddings.jsonl"
PARTS = ("signal", "stats", "optimize", "special", "ndimage", "sparse", "interpolate")
WAYS = {
    "texts": ("k-means", "standard", "unit"),
    "cells": ("k-means", "standard", "auto"),
    "genes": ("k-means", "auto"),
}
"""The scales of each kind of data; for texts, k-means uses rows of length 1."""
Array = np.ndarray[Any, Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    given = parser.parse_args()
    wanted = [
        {"data": data, "way": way, "seed": seed}
        for data in given.data
        for way in WAYS[data]
        for seed in given.seeds
    ]
    results = complete(RESULTS, wanted, make)
    print("| data | scale | ARI, mean (smallest to greatest) | accuracy |")
    print("| --- | --- | --- | --- |")
    for data in given.data:
        for way in WAYS[data]:
            found = [r for r in results if (r["data"], r["way"]) == (data, way)]
            ari, acc = ([r[name] for r in found] for name in ("ari", "acc"))
            print(f"| {data} | {way} | {shown(ari)} | {shown(acc)} |")


def shown(values: list[float]) -> str:
    """The mean, and the range."""
    return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def make(data: str, way: str, seed: int) -> Record:
    """One fit."""
    y, groups = texts() if data == "texts" else cells(data)
    count = len(set(groups))
    if way == "k-means":
        rows = y / np.linalg.norm(y, axis=1, keepdims=True) if data == "texts" else y
        found = KMeans(count, n_init=10, random_state=seed).fit_predict(rows)
    else:
        found = GMVAE(count, scale=way, random_state=seed, threads=1).fit(y).labels_
    labels = np.unique(groups, return_inverse=True)[1]
    ari, acc = adjusted_rand_score(labels, found), hungarian_accuracy(labels, found)
    return {"rows": len(y), "ari": float(ari), "acc": float(acc)}


def texts() -> tuple[Array, list[str]]:
    """Embedded docstrings, and the subpackage of SciPy that each is from."""
    described, groups = [], []
    for part in PARTS:
        module = importlib.import_module(f"scipy.{part}")
        for name in sorted(set(module.__all__)):
            text = inspect.getdoc(getattr(module, name)) or ""
            if callable(getattr(module, name)) and len(text) > 300:
                described.append(text)
                groups.append(part)
    words = TfidfVectorizer(stop_words="english", min_df=3, sublinear_tf=True).fit_transform(described)
    return TruncatedSVD(50, random_state=0).fit_transform(words), groups


def cells(data: str) -> tuple[Array, list[str]]:
    """Principal components of cells, or their genes, and the types of the cells."""
    import anndata

    folder = Path(os.environ.get("GMVAE_DATA_DIR") or HERE.parent.parent / "shared" / "data")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the file has anndata's oldest format
        table = anndata.read_h5ad(folder / "pbmc68k_reduced.h5ad")
    y = table.X if data == "genes" else table.obsm["X_pca"]
    return np.asarray(y, dtype=np.float64), list(table.obs["bulk_labels"])


if __name__ == "__main__":
    main()
