r"""Rows of a table as the model takes them, read by batch from wherever they lie.

Nothing here holds a second copy of the table: an array, a :class:`numpy.memmap` or a sparse matrix is read
a chunk or a batch at a time.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import _check_sample_weight

from gmvae.data.scaling import Floats, Moments, Scaling, choose

CHUNK = 1 << 20
"""Numbers that are looked at together: what a survey needs beside the table."""
AT_ONCE = 1000
"""Rows that are made a tensor at once."""
SAMPLE = 1 << 25
"""Numbers of a sample of rows, at most, since it is held in memory: 256 MiB."""


@dataclass(frozen=True)
class Survey:
    """What one reading of a table finds in the rows whose weight is not 0."""

    moments: Moments
    """Their weighted means, variances and ranges."""
    order: NDArray[np.int64]
    """One row number for each distinct row, in an order that only the rows' values decide."""
    weights: Floats
    """The sum of the weights of each distinct row, in the same order."""
    fingerprint: str
    """SHA-256 of the distinct rows and their weights, 64 hexadecimal digits, whatever their order."""

    @classmethod
    def of(cls, source: Any, weights: Floats) -> Survey:
        """Read a table of shape (N, D), dense or sparse, a chunk at a time; weights of shape (N,)."""
        moments, prints = Moments(source.shape[1]), []
        for start, values in chunks(source):
            w = weights[start : start + len(values)]
            values, w = values[w > 0], w[w > 0]
            moments.add(values, w)
            prints += [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in values + 0.0]
        hashes = np.frombuffer(b"".join(prints), dtype=np.uint64)
        distinct, first, which = np.unique(hashes, return_index=True, return_inverse=True)
        used = np.flatnonzero(weights)
        sums = np.bincount(which, weights[used]).astype(np.float64)
        fingerprint = hashlib.sha256(distinct.tobytes() + sums.tobytes()).hexdigest()
        return cls(moments, used[first], sums, fingerprint)


def weighed(source: Any, weights: Any) -> Floats:
    """Weights of the rows of a table as an array of shape (N,); ones for ``None``.

    Raises:
        ValueError: where they are not one finite number of at least 0 for each row, or all of them 0.
    """
    found = _check_sample_weight(weights, source, dtype=np.float64)
    if (found < 0).any():
        raise ValueError(f"sample_weight has {(found < 0).sum()} negative numbers: it must be at least 0")
    if not found.any():
        raise ValueError("sample_weight is zero for every row: at least one weight must be above 0")
    return found


class Rows:
    r"""Weighted rows of a table, to draw batches from.

    A pass has as many draws as the weights add up to, or as the rows are worth
    (:math:`(\sum_i w_i)^2 / \sum_i w_i^2`, Kish), whichever are more. Position j of a pass is row i where
    :math:`(j + u) \sum w / \mathrm{draws}` with :math:`u \sim U(0, 1)` falls into the i-th interval of the
    weights laid end to end. So a row is drawn in proportion to its weight, and exactly k times in a
    pass where all weights are whole and its own is k.

    Arguments:
        source: The table, shape (N, D): an array, a memmap or a sparse matrix in CSR form.
        scaling: What is done to the values.
        y_shape: Shape of one observation, once scaled.
        device: Where batches are wanted.
        order: The rows to use, by number; all of them unless given.
        weights: Their weights, above 0; equal unless given.
    """

    def __init__(
        self,
        source: Any,
        scaling: Scaling,
        y_shape: tuple[int, ...],
        device: torch.device,
        order: NDArray[np.int64] | None = None,
        weights: Floats | None = None,
    ) -> None:
        self.source, self.scaling, self.y_shape, self.device = source, scaling, y_shape, device
        self.order = np.arange(source.shape[0]) if order is None else order
        self.weights = np.ones(len(self.order)) if weights is None else weights
        total = self.weights.sum()
        self.generator: torch.Generator | None = None
        self._draws = max(1, round(total), round(total**2 / np.square(self.weights).sum()))
        self._ends = None if (self.weights == 1).all() else np.cumsum(self.weights) * (self._draws / total)

    @classmethod
    def of(cls, source: Any, image_shape: tuple[int, ...] | None = None) -> Rows:
        """The distinct rows of a table, or images, scaled as a fit would that is told nothing else; on the
        CPU."""
        survey = Survey.of(source, np.ones(source.shape[0]))
        _, _, scaling, y_shape = choose(survey.moments, source.dtype, "auto", image_shape)
        return cls(source, scaling, y_shape, torch.device("cpu"), survey.order)

    def __len__(self) -> int:
        return self._draws

    def __getitem__(self, positions: torch.Tensor) -> torch.Tensor:
        """The observations at positions of a pass, float32, shape (B, *y_shape)."""
        spots = positions.cpu().numpy()
        if self._ends is not None:
            spots = spots + torch.rand(len(spots), generator=self.generator, dtype=torch.float64).numpy()
            spots = np.searchsorted(self._ends, spots, side="right").clip(max=len(self.order) - 1)
        return self._tensor(self.source[self.order[spots]], torch.float32)

    def drawing(self, generator: torch.Generator) -> Rows:
        """The same rows, whose u comes from this generator of the CPU, instead of torch's global one."""
        rows = copy.copy(self)
        rows.generator = generator
        return rows

    def part(self, chosen: NDArray[np.int64]) -> Rows:
        """The distinct rows at these places of the order."""
        return Rows(
            self.source, self.scaling, self.y_shape, self.device, self.order[chosen], self.weights[chosen]
        )

    def split(self, share: float, rng: np.random.RandomState) -> tuple[Rows, Rows]:
        """Most of the distinct rows, and a random share of them, at least one."""
        if len(self.order) < 2:
            raise ValueError("X has one distinct row: there must be another to hold out for early_stopping")
        count = min(max(1, round(share * len(self.order))), len(self.order) - 1)
        chosen = rng.permutation(len(self.order))
        return self.part(np.sort(chosen[count:])), self.part(np.sort(chosen[:count]))

    def most(self, count: int) -> Rows:
        """The first distinct rows: in an order that hashes decide, a random sample of them. They are at most
        so many, and fewer where they are wide (``SAMPLE``)."""
        count = min(count, max(1, SAMPLE // math.prod(self.y_shape)))
        return self.part(np.arange(min(len(self.order), count)))

    def tensor(self) -> torch.Tensor:
        """Each row once, in order, float32, (n, *y_shape)."""
        return torch.cat([batch.float() for batch in self.batches(AT_ONCE)])

    def batches(self, size: int) -> Iterator[torch.Tensor]:
        """Each row once, in order, without its weight, in 64 bits where the device has them."""
        dtype = torch.float32 if self.device.type == "mps" else torch.float64
        for start in range(0, len(self.order), size):
            yield self._tensor(self.source[self.order[start : start + size]], dtype)

    def _tensor(self, values: Any, dtype: torch.dtype) -> torch.Tensor:
        scaled = self.scaling.apply(dense(values))
        return torch.from_numpy(scaled).to(self.device, dtype).reshape(-1, *self.y_shape)


def chunks(source: Any) -> Iterator[tuple[int, Floats]]:
    """A table of shape (N, D) in pieces of whole rows: the number of the first row, and the values."""
    rows = max(1, CHUNK // math.prod(source.shape[1:]))
    return ((start, dense(source[start : start + rows])) for start in range(0, source.shape[0], rows))


def dense(values: Any) -> Floats:
    """Rows of an array or of a sparse matrix as 64-bit floats."""
    return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float64)
