"""The images of the paper: MNIST, Fashion-MNIST, which has the same form, and SVHN."""

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
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
)
FASHION_MNIST = Source(
    "fashion_mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ("fashion-mnist", "fashion_mnist", "FashionMNIST/raw", "FashionMNIST"),
    {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    },
)
SVHN = Source(
    "svhn",
    "http://ufldl.stanford.edu/housenumbers/",
    ("svhn", "SVHN"),
    {
        "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
        "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
        "extra_32x32.mat": "a93ce644f1a588dc4d68dda5feec44a7",
    },
)
SVHN_IMAGE = (32, 32, 3)
BLOCK = 2000
"""Images that are read together: what reading needs beside the data."""


def mnist(data_dir: str | Path | None = None) -> Dataset:
    """Handwritten digits: 60,000 for training, 10,000 as ``test``.

    Arguments:
        data_dir: A folder to look in first; see :func:`gmvae.data.sets.locate.locate`.

    Returns:
        y of shape (N, 1, 28, 28), uint8, and the digit of each image as its label.

    Raises:
        ValueError: where files are missing and cannot be fetched, or do not hold what they should.
        OSError: where a file cannot be read.
    """
    return _idx(MNIST, data_dir)


def fashion_mnist(data_dir: str | Path | None = None) -> Dataset:
    """Pictures of clothes in ten classes, in number, form and errors as :func:`mnist`."""
    return _idx(FASHION_MNIST, data_dir)


def svhn(data_dir: str | Path | None = None, *, extra: bool = False) -> Dataset:
    """House numbers: 73,257 digits for training, 26,032 as ``test``; errors as those of :func:`mnist`.

    Arguments:
        data_dir: A folder to look in first; see :func:`gmvae.data.sets.locate.locate`.
        extra: Whether 531,131 easier ones follow those for training; together they are 1.9 GB.

    Returns:
        y of shape (N, 3, 32, 32), uint8, and the digit of each image as its label (0, where the
        files have 10).
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
                f"{path} has {array.ndim} dimensions: images have 3, labels have 1; are they interchanged?"
            )
    if len(y) != len(classes):
        raise ValueError(
            f"{images} holds {len(y)} images and {labels} {len(classes)} labels: fetch both anew, so that "
            "they belong together"
        )
    return y[:, None], classes.astype(np.int64)


def _svhn(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images and labels of several files, in one array that is filled piece by piece."""
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
        raise ValueError(f"{_told(images)}: it must be uint8 of shape (32, 32, 3, images)")
    if len(labels.shape) != 2 or 1 not in labels.shape:
        raise ValueError(f"{_told(labels)}: it must have shape (images, 1)")
    numbers = labels.read().reshape(-1)
    classes = numbers.astype(np.int64)
    if not np.array_equal(classes, numbers):
        raise ValueError(f"{file.path} has a y with numbers that are not whole: labels must be whole numbers")
    if len(classes) != images.shape[3]:
        raise ValueError(
            f"{file.path} holds {images.shape[3]} images in X and {len(classes)} labels in y: "
            "there must be one label for each image"
        )
    return np.where(classes == 10, 0, classes)


def _told(variable: Variable) -> str:
    return f"{variable.path} has a {variable.name} of class {variable.kind} and shape {variable.shape}"
