"""From the units of the data to those of the model: what one reading finds in each column, and the
scaling and the likelihood that suit it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAR = 0.05
"""How far from 0 or 1 a value in [0, 1] may be to count as nearly one of them."""

Floats = NDArray[np.float64]


class Moments:
    """Weighted means, variances and ranges of columns, from values that come piece by piece.

    Arguments:
        width: The number of columns, D.

    Attributes:
        mean: Weighted mean of each column, (D,).
        least, most: The least and the greatest value of each, (D,).
        binary: Whether every value is 0 or 1.
    """

    def __init__(self, width: int) -> None:
        self.mean, self._squares, self._total = np.zeros(width), np.zeros(width), 0.0
        self.least, self.most = np.full(width, np.inf), np.full(width, -np.inf)
        self._near, self.binary = 0.0, True

    def add(self, values: Floats, weights: Floats | None = None) -> None:
        """Take rows of shape (B, D) in, with weights above 0 of shape (B,); 1 unless given."""
        if not len(values):
            return
        w = np.ones((len(values), 1)) if weights is None else weights[:, None]
        self._total += w.sum()
        share = w.sum() / self._total
        with np.errstate(over="ignore", invalid="ignore"):
            shift = (w * values).sum(0) / w.sum() - self.mean
            self._squares += (w * (values - self.mean - shift) ** 2).sum(0)
            self._squares += w.sum() * (1 - share) * shift**2
            self.mean = self.mean + share * shift
        self.least, self.most = np.minimum(self.least, values.min(0)), np.maximum(self.most, values.max(0))
        distance = np.minimum(abs(values), abs(values - 1))
        self._near += float((w * (distance <= NEAR)).sum())
        self.binary &= bool((distance == 0).all())

    @property
    def variance(self) -> Floats:
        """Weighted variance of each column, (D,)."""
        return self._squares / self._total

    @property
    def near_binary(self) -> float:
        """Share of values within ``NEAR`` of 0 or 1."""
        return self._near / (self._total * len(self.mean))

    @property
    def constant(self) -> NDArray[np.bool_]:
        """The columns with one value only, (D,)."""
        return self.least == self.most


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


def standardising(moments: Moments, *, every: bool = False, name: str = "X") -> Scaling:
    """To mean 0 and standard deviation 1; constant columns are left out, unless ``every`` one is wanted or
    all are constant.

    Mean and scale are rounded to a millionth of the scale, so that sums which were taken in another order
    give the same numbers.

    Raises:
        ValueError: where the standard deviation of a column is too large for float32.
    """
    with np.errstate(over="ignore"):
        scale = np.sqrt(moments.variance).astype(np.float32).astype(np.float64)
    scale[moments.constant | (scale == 0)] = 1.0
    if not np.isfinite(scale).all():
        column = int(np.argmin(np.isfinite(scale)))
        raise ValueError(
            f"column {column} of {name} goes from {moments.least[column]:g} to {moments.most[column]:g}: "
            "it must have a finite standard deviation in float32, so bring it to a smaller scale"
        )
    mean = np.where(moments.constant, moments.least, scale * np.rint(moments.mean / scale * 2**20) / 2**20)
    varying = np.flatnonzero(~moments.constant)
    return Scaling(mean, scale, np.arange(len(mean)) if every or not len(varying) else varying)


def dividing(width: int, by: float = 1.0) -> Scaling:
    """All columns divided by one number."""
    return Scaling(np.zeros(width), np.full(width, by), np.arange(width))


def choose(
    moments: Moments,
    dtype: np.dtype[Any],
    likelihood: str,
    image_shape: tuple[int, ...] | None,
    name: str = "X",
) -> tuple[str, str, Scaling, tuple[int, ...]]:
    """The likelihood, why in a sentence, the scaling and the shape of an observation.

    ``"auto"`` is Bernoulli where all values lie in [0, 1] and most of them near an end, or rows are
    images with values in [0, 1] or levels of uint8, which are divided by 255; else it is Gaussian.

    Raises:
        ValueError: where the values do not suit the likelihood, or rows the shape of the images.
    """
    width = len(moments.mean)
    shape: tuple[int, ...] = (width,)
    if image_shape is not None:
        shape = (1, *image_shape) if len(image_shape) == 2 else tuple(image_shape)
        if len(shape) != 3 or math.prod(shape) != width:
            raise ValueError(
                f"image_shape is {image_shape!r}: it must be (height, width) or (channels, height, width) "
                f"with {width} numbers in all, as each row of {name} has"
            )
    low, high = float(moments.least.min()), float(moments.most.max())
    levels = image_shape is not None and dtype == np.uint8
    scaling, to = (dividing(width, 255.0), "levels of 0 to 255") if levels else (dividing(width), "[0, 1]")
    fits = levels or 0 <= low <= high <= 1
    if likelihood == "auto":
        near = f"{moments.near_binary:.0%} of its values within {NEAR} of 0 or 1"
        if not fits:
            likelihood, why = "gaussian", f"{name} has values from {low:g} to {high:g}, outside of [0, 1]"
        elif image_shape is not None:
            likelihood, why = "bernoulli", f"{name} has images with values in {to}"
        else:
            likelihood = "bernoulli" if moments.near_binary > 0.5 else "gaussian"
            why = f"{name} lies in [0, 1] with {near}"
        why = f"{why}, so likelihood auto is {likelihood}"
    else:
        why = f"likelihood {likelihood} was asked for"
    if likelihood == "bernoulli":
        if not fits:
            raise ValueError(
                f"likelihood is 'bernoulli', but {name} has values from {low:g} to {high:g}: it must lie in "
                "[0, 1], so bring it there, or take likelihood gaussian"
            )
        return likelihood, why, scaling, shape
    scaling = standardising(moments, every=image_shape is not None, name=name)
    return likelihood, why, scaling, shape if image_shape is not None else (len(scaling.kept),)
