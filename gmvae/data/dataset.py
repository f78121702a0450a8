"""The type of all data that have been read."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gmvae.data.chunks import CHUNK, chunks
from gmvae.data.schema import Schema


@dataclass(frozen=True)
class Origin:
    """How the rows were read from a file.

    Arguments:
        schema: How the file was read.
        classes: Names of the labels, from label 0 on.
        index: Names of the columns that were left out because they are an index of the rows.
        counting: Names of the features that count the rows, up or down by 1 from each row to the next.
    """

    schema: Schema
    classes: tuple[str, ...] = ()
    index: tuple[str, ...] = ()
    counting: tuple[str, ...] = ()

    def names(self) -> dict[str, Any]:
        """The names of features, of the texts in each column, and of labels, as JSON values."""
        categories = {name: list(texts) for name, texts in self.schema.categories.items()}
        return {
            "features": list(self.schema.features),
            "categories": categories,
            "classes": list(self.classes),
        }


@dataclass(frozen=True)
class Dataset:
    """Observations, and their labels if there are any.

    Arguments:
        name: Its name in messages and files.
        y: The observations, finite numbers, shape (N, *y_shape): an array, a memmap or a sparse matrix in CSR
            form; uint8 of shape (N, channels, height, width) are the levels 0, ..., 255 of images.
        labels: The true classes, whole numbers, shape (N,). They are used for measuring only, and kept as
            int64. Labels below 0 are unknown.
        weights: Weights of the rows, (N,), at least 0; equal by default.
        test: Data held out from training, of the same kind.
        folder: The folder it was read from, for messages.
        origin: How it was read from a file; ``None`` if it was not.
        image_shape: (channels, height, width), if ``y`` has the pixels of each image in one row.
        rows: For a stream, the number of its rows; ``y`` is then a random sample of them.

    Raises:
        ValueError: if there are fewer than two observations, a number is not finite, labels are not
            one whole number for each observation, or the test data are of another kind.
    """

    name: str
    y: Any
    labels: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None
    test: Dataset | None = None
    folder: str | None = None
    origin: Origin | None = None
    image_shape: tuple[int, ...] | None = None
    rows: int | None = None

    def __post_init__(self) -> None:
        if self.y.ndim < 2 or len(self) < 2 or 0 in self.y.shape:
            raise ValueError(
                f"{self.name} has shape {self.y.shape}: it must be (observations, numbers in each), "
                "with at least two observations"
            )
        if self.y.dtype.kind not in "biuf":
            raise ValueError(f"{self.name} has values of type {self.y.dtype}: they must be real numbers")
        self._check_finite()
        self._check_labels()
        if self.test is not None and (self.test.y_shape, self.test.y.dtype) != (self.y_shape, self.y.dtype):
            raise ValueError(
                f"test data of {self.name} have shape {self.test.y.shape} ({self.test.y.dtype}), those for "
                f"training {self.y.shape} ({self.y.dtype}): only the number of rows can differ"
            )

    def _check_finite(self) -> None:
        if self.y.dtype.kind != "f":
            return
        bad = np.concatenate([~np.isfinite(y).reshape(len(y), -1).all(1) for _, y in chunks(self.y)])
        if bad.any():
            raise ValueError(
                f"{self.name} has {bad.sum()} of {len(self)} observations with a missing or infinite "
                f"number (the first is number {bad.argmax()}, counted from 0): remove or fill them"
            )

    def _check_labels(self) -> None:
        if self.labels is None:
            return
        if self.labels.shape != (len(self),):
            raise ValueError(
                f"labels of {self.name} have shape {self.labels.shape}, the observations {self.y.shape}: "
                "there must be one label for each observation"
            )
        if self.labels.dtype.kind not in "biu":
            raise ValueError(
                f"labels of {self.name} are of type {self.labels.dtype}: they must be whole numbers"
            )
        object.__setattr__(self, "labels", self.labels.astype(np.int64, copy=False))

    def __len__(self) -> int:
        return int(self.y.shape[0])

    @property
    def y_shape(self) -> tuple[int, ...]:
        """Shape of one observation."""
        return self.image_shape or tuple(self.y.shape[1:])

    @property
    def table(self) -> Any:
        """The observations as rows of numbers, (N, D)."""
        return self.y if self.y.ndim == 2 else self.y.reshape(len(self), -1)

    def fingerprint(self) -> str:
        """SHA-256 of shape and numbers, as 64 hexadecimal digits.

        It leaves out labels and test data, which training never sees.
        """
        digest = hashlib.sha256(str(self.y.shape).encode())
        if self.y.dtype == np.uint8:
            digest.update(b"uint8")
        rows = max(1, CHUNK // math.prod(self.y_shape))
        for start in range(0, len(self), rows):
            digest.update(np.ascontiguousarray(self.y[start : start + rows]).data)
        return digest.hexdigest()


def scaled(y: torch.Tensor) -> torch.Tensor:
    """Return observations as the model takes them: bytes, the levels of images, become y / 255 in float32;
    anything else is returned unchanged.

        >>> scaled(torch.tensor([0, 51, 255], dtype=torch.uint8))
        tensor([0.0000, 0.2000, 1.0000])
    """
    return y.float().div_(255) if y.dtype == torch.uint8 else y
