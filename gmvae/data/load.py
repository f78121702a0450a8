"""From the name of a data set, or the path of a file, to a :class:`Dataset`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmvae.data.arrays import read_array
from gmvae.data.dataset import Dataset
from gmvae.data.images import fashion_mnist, mnist, svhn
from gmvae.data.spiral import spiral


def load(
    dataset: str = "spiral",
    *,
    data_path: str | None = None,
    labels_path: str | None = None,
    data_dir: str | None = None,
    extra: bool = False,
    points: int = 5000,
    arms: int = 5,
    data_seed: int = 0,
) -> Dataset:
    """The data set that the fields of :class:`gmvae.config.DataConfig` describe.

    A file of bytes with three or four axes holds images, (N, height, width) or (N, channels, height,
    width); all other numbers become float32.

    Raises:
        ValueError: where a file does not hold what it should, or cannot be found or fetched.
        OSError: where a file cannot be read.
    """
    if data_path is not None:
        labels = None if labels_path is None else _read_labels(labels_path)
        return Dataset(Path(data_path).name, _read_observations(data_path), labels)
    match dataset:
        case "spiral":
            return spiral(points, arms, data_seed)
        case "mnist":
            return mnist(data_dir)
        case "fashion_mnist":
            return fashion_mnist(data_dir)
        case "svhn":
            return svhn(data_dir, extra=extra)
    raise ValueError(f"dataset is {dataset!r}: it must be spiral, mnist, fashion_mnist or svhn")


def _read_observations(path: str) -> NDArray[np.float32] | NDArray[np.uint8]:
    array = read_array(path)
    if array.dtype != np.uint8 or array.ndim not in (3, 4):
        return array.astype(np.float32, copy=False)
    images = array.astype(np.uint8, copy=False)
    if images.ndim == 3:
        return images[:, None]
    if images.shape[-1] in (1, 3, 4) and images.shape[1] not in (1, 3, 4):
        raise ValueError(
            f"{path} has shape {images.shape}: images must have shape (N, channels, height, width), "
            "so move the last axis to the second place"
        )
    return images


def _read_labels(path: str) -> NDArray[np.int64]:
    labels = read_array(path)
    whole = labels.astype(np.int64)
    if not np.array_equal(whole, labels):
        raise ValueError(f"{path} holds numbers that are not whole: labels must be whole numbers")
    return whole
