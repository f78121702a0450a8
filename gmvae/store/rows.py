"""Keep the rows of a fit in Python in its run folder, so that it can be resumed from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gmvae.store.files import write_whole

DENSE, SPARSE, WEIGHTS = "rows.npy", "rows.npz", "weights.npy"


def keep(folder: Path, rows: Any, weights: NDArray[np.float64] | None) -> str:
    """Write rows, an array, a memmap or a sparse matrix of shape (N, D), and their weights, (N,). Returns the
    name of the file of rows, which commands can read like any other file of data."""
    if sparse.issparse(rows):
        name = SPARSE
        write_whole(folder / name, lambda part: _write_sparse(part, rows))
    else:
        name = DENSE
        write_whole(folder / name, lambda part: _write(part, rows))
    if weights is not None:
        write_whole(folder / WEIGHTS, lambda part: _write(part, weights))
    return name


def kept(folder: Path, name: str) -> tuple[Any, NDArray[np.float64] | None]:
    """Read the rows, as a memory map or a sparse matrix, and the weights.

    Raises:
        ValueError: if a file is not complete.
        OSError: if it cannot be read.
    """
    weights = folder / WEIGHTS
    try:
        if name == SPARSE:
            rows = sparse.load_npz(folder / name)
        else:
            rows = np.load(folder / name, mmap_mode="r", allow_pickle=False)
        return rows, np.load(weights, allow_pickle=False) if weights.exists() else None
    except (ValueError, KeyError, EOFError) as error:
        raise ValueError(
            f"{folder} does not have all of its rows: continue with GMVAE.resume(path, X)"
        ) from error


def _write(path: Path, array: NDArray[Any]) -> None:
    with open(path, "wb") as file:  # numpy would add .npy to a path
        np.save(file, array, allow_pickle=False)


def _write_sparse(path: Path, rows: Any) -> None:
    with open(path, "wb") as file:
        sparse.save_npz(file, rows)
