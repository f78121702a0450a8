"""The one type that observations have after they are read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray


@dataclass(frozen=True)
class Dataset:
    """Observations, and labels where there are any.

    Arguments:
        name: What to call it in messages and files.
        y: The observations, finite numbers, shape (N, *y_shape), float32.
        labels: The true classes, whole numbers, shape (N,); they only ever measure.

    Raises:
        ValueError: where there are fewer than two observations, a number is not finite, or labels
            are not one whole number for each observation.
    """

    name: str
    y: NDArray[np.float32]
    labels: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.y.ndim < 2 or len(self.y) < 2 or 0 in self.y.shape:
            raise ValueError(
                f"{self.name} has shape {self.y.shape}: it must be (observations, numbers in each), "
                "with at least two observations"
            )
        bad = ~np.isfinite(self.y).reshape(len(self.y), -1).all(1)
        if bad.any():
            raise ValueError(
                f"{self.name} has {bad.sum()} of {len(self.y)} observations with a missing or infinite "
                f"number (the first is number {bad.argmax()}, counted from 0): remove or fill them"
            )
        if self.labels is not None and self.labels.shape != (len(self.y),):
            raise ValueError(
                f"labels of {self.name} have shape {self.labels.shape}, the observations {self.y.shape}: "
                "there must be one label for each observation"
            )

    def __len__(self) -> int:
        return len(self.y)

    @property
    def y_shape(self) -> tuple[int, ...]:
        """Shape of one observation."""
        return tuple(self.y.shape[1:])

    def tensor(self, device: torch.device) -> torch.Tensor:
        """The observations on a device, shape (N, *y_shape), float32."""
        return torch.from_numpy(self.y).to(device)

    def fingerprint(self) -> str:
        """SHA-256 of shape and numbers, as 64 hexadecimal digits: the same data, the same print."""
        digest = hashlib.sha256(str(self.y.shape).encode())
        digest.update(np.ascontiguousarray(self.y).data)
        return digest.hexdigest()
