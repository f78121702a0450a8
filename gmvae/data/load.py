"""From the name of a data set, or the path of a file, to a :class:`Dataset`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmvae.data.arrays import read_array
from gmvae.data.dataset import Dataset
from gmvae.data.spiral import spiral

GENERATED = {"spiral": spiral}


def load(
    dataset: str = "spiral",
    *,
    data_path: str | None = None,
    labels_path: str | None = None,
    points: int = 5000,
    arms: int = 5,
    data_seed: int = 0,
) -> Dataset:
    """The data set that the fields of :class:`gmvae.config.DataConfig` describe.

    Raises:
        ValueError: where a file does not hold what it should.
        OSError: where a file cannot be read.
    """
    if data_path is None:
        return GENERATED[dataset](points, arms, data_seed)
    y = read_array(data_path).astype(np.float32)
    labels = None if labels_path is None else _read_labels(labels_path)
    return Dataset(Path(data_path).name, y, labels)


def _read_labels(path: str) -> NDArray[np.int64]:
    labels = read_array(path)
    whole = labels.astype(np.int64)
    if not np.array_equal(whole, labels):
        raise ValueError(f"{path} holds numbers that are not whole: labels must be whole numbers")
    return whole
