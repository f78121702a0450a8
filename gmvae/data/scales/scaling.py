"""From the units of the data to those of the model, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gmvae.data.scales.moments import Floats, Moments
from gmvae.data.scales.warp import Warp

FLOAT32 = float(np.finfo(np.float32).max)
"""The greatest number in float32."""
LEVELS = 100
"""Greatest value of images from which on they are levels, not fractions."""
BEYOND = 50
"""How many times as large as in training values of images must be to have another unit."""
GRAIN = 2.0**-20
"""Standardised values are rounded to multiples of this, in standard deviations."""


@dataclass(frozen=True)
class Scaling:
    """From data to the model's units and back: ``(g(y) - mean) / scale`` of the columns that are ``kept``.

    The map g scales rows to length 1 (``unit_rows``), then applies a ``warp`` to each column. Without either
    it is the identity.

    Arguments:
        mean: What is subtracted from each column, shape (D,).
        scale: What each column is divided by, shape (D,); 0 for a constant column. A constant is not divided
            on the way to the model, and keeps its value on the way back, whatever the model says.
        kept: The columns that the model sees, shape (at most D,). The others are constant.
        warp: The map of each column, if it is not the identity.
        unit_rows: Whether each row is first scaled to length 1; a row of zeros stays as it is.
    """

    mean: Floats
    scale: Floats
    kept: NDArray[np.int64]
    warp: Warp | None = None
    unit_rows: bool = False

    @property
    def affine(self) -> bool:
        """Whether g is the identity."""
        return self.warp is None and not self.unit_rows

    def shape(self, y: Floats) -> Floats:
        """g of rows of shape (B, D)."""
        if self.unit_rows:
            largest = abs(y).max(1, keepdims=True)  # squares of tiny or huge numbers under- or overflow
            y = y / np.where(largest > 0, largest, 1.0)
            y = y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1.0)
        return y if self.warp is None else self.warp.apply(y)

    def apply(self, y: Floats) -> Floats:
        """Rows of shape (B, D) in the model's units, shape (B, kept)."""
        return self.standardised(self.shape(y))

    def standardised(self, shaped: Floats) -> Floats:
        """What :meth:`shape` gives, (B, D), in the model's units, shape (B, kept)."""
        limit = np.finfo(np.float64).max
        with np.errstate(over="ignore"):
            scaled = (shaped[:, self.kept] - self.mean[self.kept]) / self.divisor[self.kept]
        return scaled.clip(-limit, limit)

    def rounded(self, y: Floats) -> NDArray[np.float32]:
        """As :meth:`apply`, in float32. Standardised values are rounded to multiples of ``GRAIN``. So the
        same rows in another unit, which differ in the last digits after scaling, give the same values."""
        return self.grained(self.apply(y))

    def grained(self, scaled: Floats) -> NDArray[np.float32]:
        """Round values in the model's units, (B, kept), as :meth:`rounded` does."""
        if not self.affine or self.mean.any() or not (self.of_levels or (self.scale == 1).all()):
            with np.errstate(over="ignore"):
                scaled = np.rint(scaled / GRAIN) * GRAIN
        return scaled.clip(-FLOAT32, FLOAT32).astype(np.float32)

    def undo(self, values: Floats) -> Floats:
        """The inverse of :meth:`apply`. Columns that the model does not see get their constant. The scaling
        of rows to length 1 is not undone."""
        y = np.tile(self.mean, (len(values), 1))
        y[:, self.kept] += values * self.scale[self.kept]
        return y if self.warp is None else self.warp.undo(y)

    def log_dets(self, values: Floats) -> Floats:
        r""":math:`\log |\det \partial\,\mathrm{scaled} / \partial y|` at values in the model's units of shape
        (B, kept), as shape (B,), in nats. With ``unit_rows``, y are the rows after scaling to length 1."""
        kept = self.kept
        found = np.full(len(values), -np.log(self.divisor[kept]).sum())
        if self.warp is not None:
            shaped = values * self.scale[kept] + self.mean[kept]
            found += self.warp.of(kept).log_slopes(shaped).sum(1)
        return found

    @property
    def divisor(self) -> Floats:
        """The divisor of each column, (D,): its scale, or 1 for a constant."""
        return np.where(self.scale == 0, 1.0, self.scale)

    @property
    def of_levels(self) -> bool:
        """Whether it maps levels from 0 to 255 to [0, 1]."""
        return bool((self.scale == 255).all() and not self.mean.any())

    def check(self, y: Floats, name: str = "X") -> None:
        """Raise ``ValueError`` if rows, (B, D), do not suit a Bernoulli model. Their values must lie in [0,
        1], or be levels from 0 to 255 if the model was trained on levels."""
        low, high, limit = float(y.min()), float(y.max()), 255 if self.of_levels else 1
        if low < 0 or high > limit:
            raise ValueError(
                f"{name} has values from {low:.9g} to {high:.9g}, but the model was trained on values in "
                f"[0, {limit}] with likelihood bernoulli: scale them to this range"
            )
        if self.of_levels and high <= 1 and (y != np.rint(y)).any():
            raise ValueError(
                f"{name} has values from {low:g} to {high:g}, but the model was trained on pixels from 0 to "
                "255: multiply by 255"
            )


def check_pixels(y: Floats, trained_on: tuple[float, float], *, of_bytes: bool, name: str = "X") -> None:
    """Raise ``ValueError`` if images for a Gaussian model, (B, D), are surely in another unit than those that
    it was trained on, whose smallest and greatest value are given: fractions if those were levels, bytes if
    they had more bits, or values far beyond them."""
    low, high, known = float(y.min()), float(y.max()), max(map(abs, trained_on))
    fractions = known >= LEVELS and low >= 0 and 0.5 <= high <= 1 and (y != np.rint(y)).any()
    beyond = max(abs(low), abs(high)) > BEYOND * known
    if fractions or beyond or (of_bytes and known > 2 * 255):
        raise ValueError(
            f"{name} has images with values from {low:g} to {high:g}, but the model was trained on values "
            f"from {trained_on[0]:g} to {trained_on[1]:g}: bring them to the same unit"
        )


def standardising(moments: Moments, *, every: bool = False, name: str = "X") -> Scaling:
    """The scaling to mean 0 and standard deviation 1. Constant columns are left out, unless ``every`` is set
    or all columns are constant.

    Arguments:
        moments: Moments of the values to standardise.
        every: Whether constant columns are kept.
        name: Name of the data in messages.

    Raises:
        ValueError: if the standard deviation of a column is not finite.
    """
    if not np.isfinite(moments.deviation).all():
        column = int(np.argmin(np.isfinite(moments.deviation)))
        raise ValueError(
            f"column {column} of {name} goes from {moments.minimum[column]:g} to "
            f"{moments.maximum[column]:g}: its standard deviation must be finite, so scale it to smaller "
            "numbers"
        )
    # one row can outweigh the others by so much that the deviation is rounded to 0
    spread = np.where(moments.deviation > 0, moments.deviation, moments.maximum - moments.minimum)
    scale = np.where(moments.constant, 0.0, spread)
    mean = np.where(moments.constant, moments.minimum, moments.mean)
    varying = np.flatnonzero(~moments.constant)
    return Scaling(mean, scale, np.arange(len(mean)) if every or not len(varying) else varying)


def together(scaling: Scaling, moments: Moments) -> Scaling:
    """The same with one scale for all columns, the root of their mean variance. So distances are proportional
    to those in the data."""
    common = np.sqrt(np.mean(scaling.scale[scaling.kept] ** 2))
    return replace(scaling, scale=np.where(moments.constant, 0.0, common))


def dividing(width: int, by: float = 1.0) -> Scaling:
    """The scaling that divides all columns by one number."""
    return Scaling(np.zeros(width), np.full(width, by), np.arange(width))
