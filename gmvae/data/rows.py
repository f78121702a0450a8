r"""Rows of a table as the model takes them, read by batch from wherever they lie.

Nothing here holds a second copy of the table: an array, a :class:`numpy.memmap` or a sparse matrix is read
a chunk or a batch at a time.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import _check_sample_weight

from gmvae.data.hashing import hashes
from gmvae.data.scaling import Floats, Moments, Scaling, choose

CHUNK = 1 << 20
"""Numbers that are looked at together: what a survey needs beside the table."""
AT_ONCE = 1000
"""Rows that are made a tensor at once."""
SAMPLE = 1 << 25
"""Numbers of a sample of rows, at most, since it is held in memory: 256 MiB."""
LEAST = 2.0**-32
"""The least relative weight: a row of less would not be drawn in any fit, and cost digits of the others."""
DIGITS = 24
"""Binary digits of a relative weight."""


@dataclass(frozen=True)
class Survey:
    """What one reading of a table finds in the rows whose weight is not 0."""

    moments: Moments
    """Weighted means, deviations and ranges of the distinct rows."""
    order: NDArray[np.int64]
    """One row number for each distinct row, in an order that only the rows' values decide."""
    weights: Floats
    """The relative weight of each distinct row, in the same order: that of all rows like it, over that of the
    distinct row with the most, in (0, 1]."""
    fingerprint: str
    """SHA-256 of the distinct rows and their weights, 64 hexadecimal digits, whatever their order."""

    @classmethod
    def of(cls, source: Any, weights: Floats) -> Survey:
        """Read a table of shape (N, D), dense or sparse, a chunk at a time; weights of shape (N,).

        Everything comes from the distinct rows and their relative weights, so that the order of the rows,
        copies of all of them and the unit of the weights make no difference, to the last bit.
        """
        prints = []
        for start, values in chunks(source):
            values = values[weights[start : start + len(values)] > 0] + 0.0
            prints += [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in values]
        hashes = np.frombuffer(b"".join(prints), dtype=np.uint64)
        distinct, first, which = np.unique(hashes, return_index=True, return_inverse=True)
        used = np.flatnonzero(weights)
        order, shares = used[first], relative(weights[used], which)
        moments = Moments(source.shape[1])
        for start, values in chunks(source, order):
            moments.add(values, shares[start : start + len(values)])
        fingerprint = hashlib.sha256(distinct.tobytes() + shares.tobytes()).hexdigest()
        return cls(moments, order, shares, fingerprint)

    def arranged(self, source: Any, scaling: Scaling) -> Survey:
        """The same with the distinct rows in a random order that hashes of their scaled values decide, so
        that it is the same in any unit."""
        keys = np.concatenate([hashes(scaling.rounded(values)) for _, values in chunks(source, self.order)])
        arrangement = np.argsort(keys, kind="stable")
        return replace(self, order=self.order[arrangement], weights=self.weights[arrangement])


def relative(weights: Floats, groups: NDArray[np.int64]) -> Floats:
    """The sum of the weights of each group, over the greatest of these sums: in (0, 1], at least ``LEAST``.

    It is rounded to ``DIGITS`` binary digits, which hides that weights in another unit are rounded otherwise.

    Arguments:
        weights: Weights of rows, above 0, (N,).
        groups: The group of each row, from 0 without gaps, (N,).
    """
    order = np.lexsort((weights, groups))  # a sum that the order of the rows does not change
    sums = np.bincount(groups[order], weights[order])
    fraction, exponent = np.frexp(np.maximum(sums / sums.max(), LEAST))
    return np.ldexp(np.rint(np.ldexp(fraction, DIGITS)), exponent - DIGITS)


def weighed(source: Any, weights: Any) -> Floats:
    """Weights of the rows of a table as an array of shape (N,), in a unit (a power of two) in which the
    greatest is about 1; all the same for ``None``.

    Raises:
        ValueError: where they are not one finite number of at least 0 for each row, or all of them 0.
    """
    found = _check_sample_weight(weights, source, dtype=np.float64)
    if (found < 0).any():
        raise ValueError(f"sample_weight has {(found < 0).sum()} negative numbers: it must be at least 0")
    if not found.any():
        raise ValueError("sample_weight is zero for every row: at least one weight must be above 0")
    scaled = np.ldexp(found, -np.frexp(found.max())[1])  # their sum may be too large for a number otherwise
    return np.where(found > 0, np.maximum(scaled, np.finfo(np.float64).tiny), 0.0)


class Rows:
    r"""Weighted rows of a table, to draw batches from.

    A pass has as many draws as there are rows, whatever they weigh (two of a single row, since batch norm
    takes two). Position j of a pass is row i where :math:`(j + u) \sum w / \mathrm{draws}` with
    :math:`u \sim U(0, 1)` falls into the i-th interval of the weights laid end to end. So a row is drawn in
    proportion to its weight, and exactly once in a pass where all weights are the same.

    Arguments:
        source: The table, shape (N, D): an array, a memmap or a sparse matrix in CSR form.
        scaling: What is done to the values.
        y_shape: Shape of one observation, once scaled.
        device: Where batches are wanted.
        order: The rows to use, by number; all of them unless given.
        weights: Their weights, above 0; equal unless given.
        resident: Whether all rows are kept on the device as they are: in the model's unit, or as levels of
            uint8 (:func:`gmvae.data.dataset.scaled`). Samples of them are evenly spaced.
    """

    def __init__(
        self,
        source: Any,
        scaling: Scaling,
        y_shape: tuple[int, ...],
        device: torch.device,
        order: NDArray[np.int64] | None = None,
        weights: Floats | None = None,
        *,
        resident: bool = False,
    ) -> None:
        self.source, self.scaling, self.y_shape, self.device = source, scaling, y_shape, device
        self._resident = torch.from_numpy(source).to(device) if resident else None
        self.order = np.arange(source.shape[0]) if order is None else order
        self.weights = np.ones(len(self.order)) if weights is None else weights
        self.generator: torch.Generator | None = None
        self._draws, self._ends = max(2, len(self.order)), None
        if self._draws > len(self.order) or (self.weights != self.weights[0]).any():
            self._ends = np.cumsum(self.weights) * (self._draws / self.weights.sum())

    @classmethod
    def of(cls, source: Any, image_shape: tuple[int, ...] | None = None) -> Rows:
        """The distinct rows of a table, or images, scaled as a fit would that is told nothing else; on the
        CPU."""
        survey = Survey.of(source, np.ones(source.shape[0]))
        _, _, scaling, y_shape = choose(survey.moments, source.dtype, "auto", image_shape)
        order = survey.arranged(source, scaling).order
        return cls(source, scaling, y_shape, torch.device("cpu"), order)

    def __len__(self) -> int:
        return self._draws

    def __getitem__(self, positions: torch.Tensor) -> torch.Tensor:
        """The observations at positions of a pass, float32, shape (B, *y_shape)."""
        if self._resident is not None and self._ends is None and len(self.order) == len(self._resident):
            return self._resident[positions.to(self.device)].reshape(-1, *self.y_shape)
        spots = positions.cpu().numpy()
        if self._ends is not None:
            spots = spots + torch.rand(len(spots), generator=self.generator, dtype=torch.float64).numpy()
            spots = np.searchsorted(self._ends, spots, side="right").clip(max=len(self.order) - 1)
        return self._rows(self.order[spots], torch.float32)

    def drawing(self, generator: torch.Generator) -> Rows:
        """The same rows, whose u comes from this generator of the CPU, instead of torch's global one."""
        rows = copy.copy(self)
        rows.generator = generator
        return rows

    def part(self, chosen: NDArray[np.int64]) -> Rows:
        """The distinct rows at these places of the order."""
        order, weights = self.order[chosen], self.weights[chosen]
        rows = Rows(self.source, self.scaling, self.y_shape, self.device, order, weights)
        rows._resident = self._resident
        return rows

    def split(self, share: float, rng: np.random.RandomState) -> tuple[Rows, Rows]:
        """Most of the distinct rows, and a random share of them, at least one."""
        if len(self.order) < 2:
            raise ValueError("X has one distinct row: there must be another to hold out for early_stopping")
        count = min(max(1, round(share * len(self.order))), len(self.order) - 1)
        chosen = rng.permutation(len(self.order))
        return self.part(np.sort(chosen[count:])), self.part(np.sort(chosen[:count]))

    def sample(self, count: int) -> Rows:
        """The first distinct rows: in an order that hashes decide, a random sample of them. They are at most
        so many, and fewer where they are wide (``SAMPLE``)."""
        count = min(count, max(1, SAMPLE // math.prod(self.y_shape)))
        if self._resident is not None:
            return self.spaced(count)
        return self.part(np.arange(min(len(self.order), count)))

    def spaced(self, count: int | None) -> Rows:
        """At most so many of the rows, evenly spaced; all where ``None``."""
        step = -(-len(self.order) // (count or len(self.order)))
        return self if step == 1 else self.part(np.arange(0, len(self.order), step))

    def tensor(self) -> torch.Tensor:
        """Each row once, in order, float32, (n, *y_shape); of resident rows as they are."""
        if self._resident is not None:
            return self._resident[torch.from_numpy(self.order)].reshape(-1, *self.y_shape)
        parts = range(0, len(self.order), AT_ONCE)
        return torch.cat([self._rows(self.order[i : i + AT_ONCE], torch.float32) for i in parts])

    def batches(self, size: int) -> Iterator[torch.Tensor]:
        """Each row once, in order, without its weight, in 64 bits where the device has them."""
        dtype = torch.float32 if self.device.type == "mps" else torch.float64
        for start in range(0, len(self.order), size):
            yield self._rows(self.order[start : start + size], dtype)

    def _rows(self, numbers: NDArray[np.int64], dtype: torch.dtype) -> torch.Tensor:
        scale = self.scaling.rounded if dtype == torch.float32 else self.scaling.apply
        scaled = torch.from_numpy(scale(dense(self.source[numbers])))
        return scaled.to(self.device, dtype).reshape(-1, *self.y_shape)


def chunks(source: Any, order: NDArray[np.int64] | None = None) -> Iterator[tuple[int, Floats]]:
    """A table of shape (N, D) in pieces of whole rows, or of those in ``order``: how many came before, and
    the values."""
    rows = max(1, CHUNK // math.prod(source.shape[1:]))
    for start in range(0, source.shape[0] if order is None else len(order), rows):
        part = slice(start, start + rows)
        yield start, dense(source[part if order is None else order[part]])


def dense(values: Any) -> Floats:
    """Rows of an array or of a sparse matrix as 64-bit floats."""
    return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float64)
