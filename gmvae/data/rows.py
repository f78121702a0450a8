r"""Rows of a table as the model takes them, read by batch from wherever they lie.

Nothing here holds a second copy of the table: an array, a :class:`numpy.memmap` or a sparse matrix is read
a chunk or a batch at a time. Scaled values are :math:`(y - m) / s` for each column.
"""

from __future__ import annotations

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

CHUNK = 1 << 20
"""Numbers that are looked at together: what a survey needs beside the table."""
NEAR = 0.05
"""How far from 0 or 1 a value in [0, 1] may be to count as nearly one of them."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """From data to the model's units and back: ``(y - mean) / scale`` of the columns that are ``kept``.

    Arguments:
        mean: What is subtracted from each column, shape (D,).
        scale: What it is divided by, shape (D,).
        kept: The columns that the model sees, shape (at most D,). The others are constant.
    """

    mean: Floats
    scale: Floats
    kept: NDArray[np.int64]

    def apply(self, y: Floats) -> Floats:
        """Rows of shape (B, D) in the model's units, shape (B, kept)."""
        return (y[:, self.kept] - self.mean[self.kept]) / self.scale[self.kept]

    def undo(self, values: Floats) -> Floats:
        """The inverse of :meth:`apply`; columns that the model does not see have their constant."""
        y = np.tile(self.mean, (len(values), 1))
        y[:, self.kept] += values * self.scale[self.kept]
        return y

    @property
    def log_det(self) -> float:
        r""":math:`\log |\det \partial\,\mathrm{scaled} / \partial y| = -\sum_d \log s_d`, in nats."""
        return float(-np.log(self.scale[self.kept]).sum())


@dataclass(frozen=True)
class Survey:
    """What one reading of a table finds in the rows whose weight is not 0."""

    mean: Floats
    """Weighted mean of each column, (D,)."""
    variance: Floats
    """Weighted variance of each column, (D,)."""
    least: Floats
    most: Floats
    binary: bool
    """Whether every value is 0 or 1."""
    near_binary: float
    """Share of values within ``NEAR`` of 0 or 1."""
    order: NDArray[np.int64]
    """One row number for each distinct row, in an order that only the rows' values decide."""
    weights: Floats
    """The sum of the weights of each distinct row, in the same order."""

    @classmethod
    def of(cls, source: Any, weights: Floats) -> Survey:
        """Read a table of shape (N, D), dense or sparse, a chunk at a time; weights of shape (N,)."""
        width = source.shape[1]
        mean, squares, total = np.zeros(width), np.zeros(width), 0.0
        least, most = np.full(width, np.inf), np.full(width, -np.inf)
        near, binary, used, prints = 0.0, True, np.flatnonzero(weights), []
        for start, values in chunks(source):
            w = weights[start : start + len(values)]
            values, w = values[w > 0], w[w > 0, None]
            if not len(values):
                continue
            share = w.sum() / (total := total + w.sum())
            with np.errstate(over="ignore", invalid="ignore"):
                shift = (w * values).sum(0) / w.sum() - mean
                squares += (w * (values - mean - shift) ** 2).sum(0) + w.sum() * (1 - share) * shift**2
                mean += share * shift
            least, most = np.minimum(least, values.min(0)), np.maximum(most, values.max(0))
            distance = np.minimum(abs(values), abs(values - 1))
            near += float((w * (distance <= NEAR)).sum())
            binary &= bool((distance == 0).all())
            prints += [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in values + 0.0]
        hashes = np.frombuffer(b"".join(prints), dtype=np.uint64)
        _, first, which = np.unique(hashes, return_index=True, return_inverse=True)
        sums = np.bincount(which, weights[used]).astype(np.float64)
        return cls(mean, squares / total, least, most, binary, near / (total * width), used[first], sums)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """The columns with one value only, (D,)."""
        return self.least == self.most


def standardising(survey: Survey, *, every: bool = False) -> Scaling:
    """To mean 0 and standard deviation 1; constant columns are left out, unless ``every`` one is wanted or
    all are constant.

    Mean and scale are rounded to a millionth of the scale, so that sums which were taken in another order
    give the same numbers.

    Raises:
        ValueError: where the standard deviation of a column is too large for float32.
    """
    with np.errstate(over="ignore"):
        scale = np.sqrt(survey.variance).astype(np.float32).astype(np.float64)
    scale[survey.constant | (scale == 0)] = 1.0
    if not np.isfinite(scale).all():
        column = int(np.argmin(np.isfinite(scale)))
        raise ValueError(
            f"column {column} of X goes from {survey.least[column]:g} to {survey.most[column]:g}: "
            "it must have a finite standard deviation in float32, so bring it to a smaller scale"
        )
    mean = np.where(survey.constant, survey.least, scale * np.rint(survey.mean / scale * 2**20) / 2**20)
    varying = np.flatnonzero(~survey.constant)
    return Scaling(mean, scale, np.arange(len(mean)) if every or not len(varying) else varying)


def dividing(width: int, by: float = 1.0) -> Scaling:
    """All columns divided by one number."""
    return Scaling(np.zeros(width), np.full(width, by), np.arange(width))


def choose(
    survey: Survey, dtype: np.dtype[Any], likelihood: str, image_shape: tuple[int, ...] | None
) -> tuple[str, str, Scaling, tuple[int, ...]]:
    """The likelihood, why in a sentence, the scaling and the shape of an observation.

    ``"auto"`` is Bernoulli where all values lie in [0, 1] and most of them near an end, or rows are
    images with values in [0, 1] or levels of uint8, which are divided by 255; else it is Gaussian.

    Raises:
        ValueError: where the values do not suit the likelihood, or rows the shape of the images.
    """
    width = len(survey.mean)
    shape: tuple[int, ...] = (width,)
    if image_shape is not None:
        shape = (1, *image_shape) if len(image_shape) == 2 else tuple(image_shape)
        if len(shape) != 3 or math.prod(shape) != width:
            raise ValueError(
                f"image_shape is {image_shape!r}: it must be (height, width) or (channels, height, width) "
                f"with {width} numbers in all, as each row of X has"
            )
    low, high = float(survey.least.min()), float(survey.most.max())
    levels = image_shape is not None and dtype == np.uint8
    scaling, to = (dividing(width, 255.0), "levels of 0 to 255") if levels else (dividing(width), "[0, 1]")
    fits = levels or 0 <= low <= high <= 1
    if likelihood == "auto":
        near = f"{survey.near_binary:.0%} of its values within {NEAR} of 0 or 1"
        if not fits:
            likelihood, why = "gaussian", f"X has values from {low:g} to {high:g}, outside of [0, 1]"
        elif image_shape is not None:
            likelihood, why = "bernoulli", f"X has images with values in {to}"
        else:
            likelihood = "bernoulli" if survey.near_binary > 0.5 else "gaussian"
            why = f"X lies in [0, 1] with {near}"
        why = f"{why}, so likelihood='auto' is {likelihood}"
    else:
        why = f"likelihood={likelihood!r} was asked for"
    if likelihood == "bernoulli":
        if not fits:
            raise ValueError(
                f"likelihood is 'bernoulli', but X has values from {low:g} to {high:g}: it must lie in "
                "[0, 1], so bring it there, or take likelihood='gaussian'"
            )
        return likelihood, why, scaling, shape
    scaling = standardising(survey, every=image_shape is not None)
    return likelihood, why, scaling, shape if image_shape is not None else (len(scaling.kept),)


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
        self._draws = max(1, round(total), round(total**2 / np.square(self.weights).sum()))
        self._ends = None if (self.weights == 1).all() else np.cumsum(self.weights) * (self._draws / total)

    def __len__(self) -> int:
        return self._draws

    def __getitem__(self, positions: torch.Tensor) -> torch.Tensor:
        """The observations at positions of a pass, float32, shape (B, *y_shape)."""
        spots = positions.cpu().numpy()
        if self._ends is not None:
            spots = spots + torch.rand(len(spots), dtype=torch.float64).numpy()
            spots = np.searchsorted(self._ends, spots, side="right").clip(max=len(self.order) - 1)
        return self._tensor(self.source[self.order[spots]], torch.float32)

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
        """The first distinct rows: in an order that hashes decide, a random sample of them."""
        return self.part(np.arange(min(len(self.order), count)))

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
