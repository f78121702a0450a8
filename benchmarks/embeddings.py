"""Compare scales of the columns, and k-means, on embeddings with known groups.

    python benchmarks/embeddings.py [--data texts cells] [--seeds 1 2 ...]

Texts are the docstrings of functions in seven subpackages of SciPy, with 50 numbers each (TF-IDF and a
singular value decomposition). Cells are the 50 principal components of pbmc68k_reduced.h5ad (in
$GMVAE_DATA_DIR, or in ../shared/data). Each fit, with the true number of groups, is a line of
benchmarks/results/embeddings.jsonl.
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

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "embeddings.jsonl"
PARTS = ("signal", "stats", "optimize", "special", "ndimage", "sparse", "interpolate")
WAYS = {"texts": ("k-means", "standard", "unit"), "cells": ("k-means", "standard", "auto")}
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
    print("| data | scale | ARI, mean (smallest to greatest) |")
    print("| --- | --- | --- |")
    for data in given.data:
        for way in WAYS[data]:
            found = [r["ari"] for r in results if (r["data"], r["way"]) == (data, way)]
            print(f"| {data} | {way} | {np.mean(found):.2f} ({min(found):.2f} to {max(found):.2f}) |")


def make(data: str, way: str, seed: int) -> Record:
    """One fit."""
    y, groups = texts() if data == "texts" else cells()
    count = len(set(groups))
    if way == "k-means":
        rows = y / np.linalg.norm(y, axis=1, keepdims=True) if data == "texts" else y
        found = KMeans(count, n_init=10, random_state=seed).fit_predict(rows)
    else:
        found = GMVAE(count, scale=way, random_state=seed, threads=1).fit(y).labels_
    return {"rows": len(y), "ari": float(adjusted_rand_score(groups, found))}


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


def cells() -> tuple[Array, list[str]]:
    """Principal components of cells, and their types."""
    import anndata

    folder = Path(os.environ.get("GMVAE_DATA_DIR") or HERE.parent.parent / "shared" / "data")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the file has anndata's oldest format
        table = anndata.read_h5ad(folder / "pbmc68k_reduced.h5ad")
    return np.asarray(table.obsm["X_pca"], dtype=np.float64), list(table.obs["bulk_labels"])


if __name__ == "__main__":
    main()
