"""From the units of the data to those of the model: what one reading finds in each column, and the
scaling and the likelihood that suit it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT32 = float(np.finfo(np.float32).max)
"""The greatest number in float32."""
GRAIN = 2.0**-20
"""What standardised values are multiples of, in standard deviations."""
NEAR = 0.05
"""How far below 1 the greatest value in [0, 1] may be for 1 to count as the top of the scale."""
INTERIOR = 0.1
"""Share of values strictly between 0 and 1 from which on a column holds more than zeros and ones."""
BINARITY = 0.37
"""Least share of the variance of 0/1 data with the same means. It is 1 for 0/1 data, 0.78 for MNIST, 0.41 for
USPS, and 1/3 where values are spread evenly over [0, 1]."""
DIMMEST = 0.5
"""Least greatest value of images in [0, 1]: those below have another unit."""
FINE = 0.01
"""Most that a step of float32 may be of a column's standard deviation, where nothing scales it."""
TOTAL = 0.02
"""How far from 1 the sum of a row of shares may be, which are often rounded."""

Floats = NDArray[np.float64]


class Moments:
    """Weighted means, standard deviations and ranges of columns, from values that come piece by piece.

    Values are taken relative to the first row, and in a power of two of each column's own. So neither a mean
    that is large beside the spread nor a tiny or huge unit costs digits.

    Arguments:
        width: The number of columns, D.

    Attributes:
        least, most: The least and the greatest value of each column, (D,).
        binary: Whether every value is 0 or 1.
    """

    def __init__(self, width: int) -> None:
        self.minimum, self.maximum = np.full(width, np.inf), np.full(width, -np.inf)
        self.binary, self._total = True, 0.0
        self._origin, self._exponent = np.zeros(width), np.full(width, -2000)
        self._shift, self._squares = np.zeros(width), np.zeros(width)  # relative to origin, over 2^exponent
        self._interior = np.zeros(width)
        self._rows, self._norms = 0.0, np.zeros(2)

    def add(self, values: Floats, weights: Floats | None = None) -> None:
        """Take rows of shape (B, D) in, with weights above 0 of shape (B,); 1 unless given."""
        if not len(values):
            return
        w = np.ones((len(values), 1)) if weights is None else weights[:, None]
        if not self._total:
            self._origin = values[0].copy()
        self._total += w.sum()
        share = w.sum() / self._total
        with np.errstate(over="ignore", invalid="ignore"):
            from_origin = values - self._origin
            most = abs(from_origin).max(0)
            exponent = np.maximum(self._exponent, np.where(most > 0, np.frexp(most)[1], -2000))
            self._shift = np.ldexp(self._shift, self._exponent - exponent)
            self._squares = np.ldexp(self._squares, 2 * (self._exponent - exponent))
            self._exponent = exponent
            y = np.ldexp(from_origin, -exponent)
            shift = (w * y).sum(0) / w.sum() - self._shift
            self._squares += (w * (y - self._shift - shift) ** 2).sum(0)
            self._squares += w.sum() * (1 - share) * shift**2
            self._shift = self._shift + share * shift
        self.minimum, self.maximum = (
            np.minimum(self.minimum, values.min(0)),
            np.maximum(self.maximum, values.max(0)),
        )
        self._add_levels(values, w)

    def _add_levels(self, values: Floats, w: Floats) -> None:
        """Take in how rows lie in [0, 1], as long as all of them do."""
        inside = self.unit_interval
        interior = (values != 0) & (values != 1)
        self.binary &= not interior.any()
        if not inside or self.binary:
            return
        self._interior += (w * interior).sum(0)
        odd = interior.any(1)
        sums = np.stack((values[odd].sum(1), np.square(values[odd]).sum(1)), 1)
        self._rows += float(w[odd].sum())
        self._norms += (w[odd] * (abs(sums - 1) <= TOTAL)).sum(0)

    @property
    def mean(self) -> Floats:
        """Weighted mean of each column, (D,)."""
        return self._origin + np.ldexp(self._shift, self._exponent)

    @property
    def deviation(self) -> Floats:
        """Weighted standard deviation of each column, (D,)."""
        return np.ldexp(np.sqrt(self._squares / self._total), self._exponent)

    @property
    def unit_interval(self) -> bool:
        """Whether every value lies in [0, 1]."""
        return bool(self.minimum.min() >= 0 and self.maximum.max() <= 1)

    @property
    def binarity(self) -> float:
        r"""How much values in [0, 1] are like 0/1 data,
        :math:`\sum_d \sigma_d^2 / \sum_d \mu_d (1 - \mu_d)`: the variance over that of 0/1 data with the same
        means. It is in [0, 1], and the lesser of that of all columns and of those that hold more than zeros
        and ones (``INTERIOR``).

        For values from Beta(a, b) it is 1 / (a + b + 1), and above 1/3 where they gather at both ends.
        """
        variance, greatest = self.deviation**2, self.mean * (1 - self.mean)
        measured = self._interior > INTERIOR * self._total
        groups = [np.ones_like(measured), measured]
        found = [variance[g].sum() / greatest[g].sum() for g in groups if greatest[g].sum() > 0]
        return float(min(found, default=1.0))

    @property
    def shares(self) -> str:
        """What the rows have in common, of those with more than zeros and ones, where most add up to 1 or
        have length 1; else empty."""
        if len(self.minimum) < 2 or not self._rows:
            return ""
        total, length = self._norms > self._rows / 2
        return "add up to 1" if total else "have length 1" if length else ""

    @property
    def constant(self) -> NDArray[np.bool_]:
        """The columns with one value only, (D,)."""
        return self.minimum == self.maximum

    def check_digits(self, name: str) -> None:
        """``ValueError`` where values that nobody scales would lose their differences in float32."""
        kind = np.finfo(np.float32)
        greatest = np.maximum(abs(self.minimum), abs(self.maximum))
        step = np.maximum(kind.eps * greatest, kind.tiny)
        fine = self.constant | ((self.deviation > 1 / FINE * step) & (greatest < kind.max))
        if not fine.all():
            column = int(np.argmin(fine))
            raise ValueError(
                f"column {column} of {name} goes from {self.minimum[column]:g} to {self.maximum[column]:g}, "
                "and float32 does not tell its values apart: standardise it (--standardise), or bring it to "
                "another scale"
            )


@dataclass(frozen=True)
class Scaling:
    """From data to the model's units and back: ``(y - mean) / scale`` of the columns that are ``kept``.

    Arguments:
        mean: What is subtracted from each column, shape (D,).
        scale: What it is divided by, shape (D,); 0 of a constant. That is not divided on its way to the
            model, and comes back as it is, whatever the model says.
        kept: The columns that the model sees, shape (at most D,). The others are constant.
    """

    mean: Floats
    scale: Floats
    kept: NDArray[np.int64]

    def apply(self, y: Floats) -> Floats:
        """Rows of shape (B, D) in the model's units, shape (B, kept)."""
        most = np.finfo(np.float64).max
        with np.errstate(over="ignore"):
            scaled = (y[:, self.kept] - self.mean[self.kept]) / self.divisor[self.kept]
        return scaled.clip(-most, most)

    def rounded(self, y: Floats) -> NDArray[np.float32]:
        """As :meth:`apply`, in float32. Standardised values are rounded to multiples of ``GRAIN``: of rows in
        another unit, which are scaled to values with other last digits, nothing is left but the same."""
        scaled = self.apply(y)
        if self.mean.any() or not (self.of_levels or (self.scale == 1).all()):
            with np.errstate(over="ignore"):
                scaled = np.rint(scaled / GRAIN) * GRAIN
        return scaled.clip(-FLOAT32, FLOAT32).astype(np.float32)

    def undo(self, values: Floats) -> Floats:
        """The inverse of :meth:`apply`; columns that the model does not see have their constant."""
        y = np.tile(self.mean, (len(values), 1))
        y[:, self.kept] += values * self.scale[self.kept]
        return y

    @property
    def log_det(self) -> float:
        r""":math:`\log |\det \partial\,\mathrm{scaled} / \partial y| = -\sum_d \log s_d`, in nats."""
        return float(-np.log(self.divisor[self.kept]).sum())

    @property
    def divisor(self) -> Floats:
        """What columns are divided by, (D,): their scale, and 1 for constants."""
        return np.where(self.scale == 0, 1.0, self.scale)

    @property
    def of_levels(self) -> bool:
        """Whether it takes levels of 0 to 255 to [0, 1]."""
        return bool((self.scale == 255).all() and not self.mean.any())

    def check(self, y: Floats, name: str = "X") -> None:
        """``ValueError`` where rows for a Bernoulli model, (B, D), are not what it takes: values in [0, 1],
        or levels of 0 to 255 where it was trained on those."""
        low, high, most = float(y.min()), float(y.max()), 255 if self.of_levels else 1
        if low < 0 or high > most:
            raise ValueError(
                f"{name} has values from {low:.9g} to {high:.9g}, but the model was trained on values in "
                f"[0, {most}] with likelihood bernoulli: bring them there"
            )
        if self.of_levels and high <= 1 and (y != np.rint(y)).any():
            raise ValueError(
                f"{name} has values from {low:g} to {high:g}, but the model was trained on pixels from 0 to "
                "255: multiply by 255"
            )


def standardising(moments: Moments, *, every: bool = False, name: str = "X") -> Scaling:
    """To mean 0 and standard deviation 1; constant columns are left out, unless ``every`` one is wanted or
    all are constant.

    Raises:
        ValueError: where the standard deviation of a column is not finite.
    """
    if not np.isfinite(moments.deviation).all():
        column = int(np.argmin(np.isfinite(moments.deviation)))
        raise ValueError(
            f"column {column} of {name} goes from {moments.minimum[column]:g} to "
            f"{moments.maximum[column]:g}: its standard deviation must be finite, so bring it to a smaller "
            "scale"
        )
    # one row may outweigh the others by so much that nothing is left of their distance
    spread = np.where(moments.deviation > 0, moments.deviation, moments.maximum - moments.minimum)
    scale = np.where(moments.constant, 0.0, spread)
    mean = np.where(moments.constant, moments.minimum, moments.mean)
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

    ``"auto"`` is Bernoulli where values are zeros and ones, or levels between them: all lie in [0, 1], some
    come near 1, they vary at least ``BINARITY`` times as much as zeros and ones of the same means, and rows
    neither add up to 1, as shares of a total do, nor have length 1, as TF-IDF has. It is Bernoulli, too,
    where rows are images with values in [0, 1] of which one is at least ``DIMMEST``, or levels of uint8,
    which are divided by 255 unless they are zeros and ones. Else it is Gaussian, whatever the unit.

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
    low, high = float(moments.minimum.min()), float(moments.maximum.max())
    levels = image_shape is not None and dtype == np.uint8 and not moments.binary
    scaling, to = (dividing(width, 255.0), "levels of 0 to 255") if levels else (dividing(width), "[0, 1]")
    fits = levels or moments.unit_interval
    if likelihood == "auto":
        likelihood, why = _suited(moments, name, image=image_shape is not None, levels=levels, to=to)
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


def _suited(moments: Moments, name: str, *, image: bool, levels: bool, to: str) -> tuple[str, str]:
    """The likelihood that values suit, and why."""
    low, high = float(moments.minimum.min()), float(moments.maximum.max())
    if not levels and not moments.unit_interval:
        return "gaussian", f"{name} has values from {low:g} to {high:g}, outside of [0, 1]"
    if image:
        if levels or high >= DIMMEST:
            return "bernoulli", f"{name} has images with values in {to}"
        return "gaussian", f"{name} has images with values of at most {high:g}, which are far from 1"
    if moments.binary:
        return "bernoulli", f"{name} has only the values 0 and 1"
    if high < 1 - NEAR:
        return "gaussian", f"{name} lies in [0, 1] with no value near 1, but at most {high:g}"
    if moments.shares:
        return "gaussian", f"{name} lies in [0, 1] and its rows {moments.shares}"
    much = f"{name} lies in [0, 1] and varies {moments.binarity:.0%} as much as zeros and ones would"
    return "bernoulli" if moments.binarity >= BINARITY else "gaussian", much
