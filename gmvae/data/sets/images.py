"""Published images: MNIST, SVHN, and Fashion-MNIST, which has the format of MNIST."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmvae.data.dataset import Dataset
from gmvae.data.sets.idx import read_idx
from gmvae.data.sets.locate import Source, locate
from gmvae.data.sets.matlab import MatlabFile, Variable

MNIST = Source(
    "mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ("mnist", "MNIST/raw", "MNIST"),
    {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
)
FASHION_MNIST = Source(
    "fashion_mnist",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ("fashion-mnist", "fashion_mnist", "FashionMNIST/raw", "FashionMNIST"),
    {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
)
SVHN = Source(
    "svhn",
    "https://ufldl.stanford.edu/housenumbers/",
    ("svhn", "SVHN"),
    {
        "train_32x32.mat": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        "test_32x32.mat": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        "extra_32x32.mat": "a133a4beb38a00fcdda90c9489e0c04f900b660ce8a316a5e854838379a71eb3",
    },
)
SVHN_IMAGE = (32, 32, 3)
BLOCK = 2000
"""How many images are read together: the memory that reading needs besides the data."""


def mnist(data_dir: str | Path | None = None) -> Dataset:
    """Handwritten digits: 60,000 for training, 10,000 as ``test``.

    Arguments:
        data_dir: A folder to look in first; see :func:`gmvae.data.sets.locate.locate`.

    Returns:
        y of shape (N, 1, 28, 28), uint8, and the digit of each image as its label.

    Raises:
        ValueError: if files are missing and cannot be fetched, or do not hold what they should.
        OSError: if a file cannot be read.
    """
    return _idx(MNIST, data_dir)


def fashion_mnist(data_dir: str | Path | None = None) -> Dataset:
    """Pictures of clothes in ten classes. Numbers, shapes and errors are those of :func:`mnist`."""
    return _idx(FASHION_MNIST, data_dir)


def svhn(data_dir: str | Path | None = None, *, extra: bool = False) -> Dataset:
    """House numbers: 73,257 digits for training, 26,032 as ``test``. Errors are those of :func:`mnist`.

    Arguments:
        data_dir: A folder to look in first; see :func:`gmvae.data.sets.locate.locate`.
        extra: Whether to add 531,131 easier digits to those for training; together they take 1.9 GB.

    Returns:
        y of shape (N, 3, 32, 32), uint8, and the digit of each image as its label (0 for the 10 of the
        files).
    """
    train, test, more = SVHN.files
    paths = locate(SVHN, [train, test, more] if extra else [train, test], data_dir)
    held_out = Dataset("svhn test", *_svhn(paths[1:2]), folder=str(paths[0].parent))
    return Dataset("svhn", *_svhn(paths[:1] + paths[2:]), test=held_out, folder=str(paths[0].parent))


def _idx(source: Source, data_dir: str | Path | None) -> Dataset:
    paths = locate(source, list(source.files), data_dir)
    folder = str(paths[0].parent)
    test = Dataset(f"{source.name} test", *_idx_pair(*paths[2:]), folder=folder)
    return Dataset(source.name, *_idx_pair(*paths[:2]), test=test, folder=folder)


def _idx_pair(images: Path, labels: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    y, classes = read_idx(images), read_idx(labels)
    for path, array, dimensions in ((images, y, 3), (labels, classes, 1)):
        if array.ndim != dimensions:
            raise ValueError(
                f"{path} has {array.ndim} dimensions: images have 3, labels have 1; are they swapped?"
            )
    if len(y) != len(classes):
        raise ValueError(
            f"{images} holds {len(y)} images and {labels} {len(classes)} labels: fetch both again, so that "
            "they belong together"
        )
    return y[:, None], classes.astype(np.int64)


def _svhn(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The images and labels of several files, each in one array; the images are read piece by piece."""
    files = [MatlabFile(path) for path in paths]
    labels = [_svhn_labels(file) for file in files]
    y = np.empty((sum(map(len, labels)), *SVHN_IMAGE[::-1]), dtype=np.uint8)
    start = 0
    for file in files:
        for block in file["X"].blocks(BLOCK):
            stop = start + block.shape[-1]
            y[start:stop] = block.transpose(3, 2, 0, 1)
            start = stop
    return y, np.concatenate(labels)


def _svhn_labels(file: MatlabFile) -> NDArray[np.int64]:
    images, labels = file["X"], file["y"]
    if images.kind != "uint8" or len(images.shape) != 4 or images.shape[:3] != SVHN_IMAGE:
        raise ValueError(f"{_described(images)}: it must be uint8 of shape (32, 32, 3, images)")
    if len(labels.shape) != 2 or 1 not in labels.shape:
        raise ValueError(f"{_described(labels)}: it must have shape (images, 1)")
    numbers = labels.read().reshape(-1)
    classes = numbers.astype(np.int64)
    if not np.array_equal(classes, numbers):
        raise ValueError(f"{file.path} has numbers in y that are not whole: labels must be whole numbers")
    if len(classes) != images.shape[3]:
        raise ValueError(
            f"{file.path} holds {images.shape[3]} images in X and {len(classes)} labels in y: "
            "there must be one label for each image"
        )
    return np.where(classes == 10, 0, classes)


def _described(variable: Variable) -> str:
    return f"{variable.path} has a {variable.name} of class {variable.kind} and shape {variable.shape}"
