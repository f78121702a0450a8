"""Load a :class:`Dataset` by the name of a data set or the path of a file."""

from __future__ import annotations

from typing import Any

from gmvae.data.dataset import Dataset
from gmvae.data.files.read import read_file
from gmvae.data.schema import ReadOptions
from gmvae.data.sets.images import fashion_mnist, mnist, svhn
from gmvae.data.sets.spiral import spiral


def load(
    dataset: str = "spiral",
    *,
    path: str | None = None,
    labels_path: str | None = None,
    data_dir: str | None = None,
    extra: bool = False,
    points: int = 5000,
    arms: int = 5,
    data_seed: int = 0,
    **options: Any,
) -> Dataset:
    """The data set that the fields of :class:`gmvae.config.DataConfig` describe.

    Arguments:
        dataset: Its name.
        path: A file or folder to read instead; see :func:`gmvae.data.files.read.read_file`.
        labels_path: A file with the labels of its rows.
        data_dir: A folder to look in first for published data.
        extra: Whether SVHN has its extra images.
        points: Number of generated points.
        arms: Number of generated arms.
        data_seed: Seed of the generated points.
        options: The fields of :class:`gmvae.data.schema.ReadOptions`.

    Raises:
        ValueError: if a file does not hold what it should, or cannot be found or fetched.
        OSError: if a file cannot be read.
    """
    if path is not None:
        return read_file(path, ReadOptions(**options), labels_path)
    match dataset:
        case "spiral":
            return spiral(points, arms, data_seed)
        case "mnist":
            return mnist(data_dir)
        case "fashion_mnist":
            return fashion_mnist(data_dir)
        case "svhn":
            return svhn(data_dir, extra=extra)
        case "file":
            raise ValueError("path is not given: it must be a file or a folder of data")
    raise ValueError(f"dataset is {dataset!r}: it must be spiral, mnist, fashion_mnist, svhn or file")
