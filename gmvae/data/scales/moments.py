"""Moments of the numbers in each column, from one reading."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

INTERIOR = 0.1
"""Share of values strictly between 0 and 1 above which a column counts as more than zeros and ones."""
TOTAL = 0.02
"""How far from 1 the sum of a row of shares can be. Shares are often rounded."""
SPAN = 1e-9
"""How near to 0 and 1 the ends of a column are if it was divided by its range."""
FINE = 0.01
"""Maximum step of float32, as a share of a column's standard deviation, for columns that are not scaled."""

Floats = NDArray[np.float64]


class Moments:
    """Weighted means, standard deviations and ranges of columns, from values that come piece by piece.

    Values are taken relative to the first row, and divided by a power of two for each column. So no digits
    are lost if the mean is large compared with the spread, or if the unit is tiny or huge.

    Arguments:
        width: The number of columns, D.

    Attributes:
        minimum, maximum: The smallest and the greatest value of each column, (D,).
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
        """Add rows of shape (B, D), with weights above 0 of shape (B,); 1 by default."""
        if not len(values):
            return
        w = np.ones((len(values), 1)) if weights is None else weights[:, None]
        if not self._total:
            self._origin = values[0].copy()
        self._total += w.sum()
        share = w.sum() / self._total
        with np.errstate(over="ignore", invalid="ignore"):
            from_origin = values - self._origin
            greatest = abs(from_origin).max(0)
            exponent = np.maximum(self._exponent, np.where(greatest > 0, np.frexp(greatest)[1], -2000))
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
        """Add to the statistics of rows in [0, 1], as long as all values lie there."""
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
        r"""How similar values in [0, 1] are to 0/1 data,
        :math:`\sum_d \sigma_d^2 / \sum_d \mu_d (1 - \mu_d)`: the variance divided by that of 0/1 data with
        the same means. It is in [0, 1], and the smaller of two values: that of all columns, and that of the
        columns with more than zeros and ones (``INTERIOR``).

        For values from Beta(a, b) it is 1 / (a + b + 1), and above 1/3 if they gather at both ends.
        """
        variance, greatest = self.deviation**2, self.mean * (1 - self.mean)
        measured = self._interior > INTERIOR * self._total
        groups = [np.ones_like(measured), measured]
        found = [variance[g].sum() / greatest[g].sum() for g in groups if greatest[g].sum() > 0]
        return float(min(found, default=1.0))

    @property
    def by_range(self) -> bool:
        """Whether each column goes from 0 to 1, and not all of them are binary: measurements that were
        divided by their ranges."""
        between = self._interior > 0
        ends = (self.minimum <= SPAN) & (self.maximum >= 1 - SPAN)
        return bool(between.any() and (ends | ~between).all())

    @property
    def shares(self) -> str:
        """The words "add up to 1" or "have length 1", if this is so for most rows with more than zeros and
        ones; else empty."""
        if len(self.minimum) < 2 or not self._rows:
            return ""
        total, length = self._norms > self._rows / 2
        return "add up to 1" if total else "have length 1" if length else ""

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Which columns have only one value, (D,)."""
        return self.minimum == self.maximum

    def check_digits(self, name: str) -> None:
        """Raise ``ValueError`` if values would lose their differences in float32 without scaling."""
        kind = np.finfo(np.float32)
        greatest = np.maximum(abs(self.minimum), abs(self.maximum))
        step = np.maximum(kind.eps * greatest, kind.tiny)
        fine = self.constant | ((self.deviation > 1 / FINE * step) & (greatest < kind.max))
        if not fine.all():
            column = int(np.argmin(fine))
            raise ValueError(
                f"column {column} of {name} goes from {self.minimum[column]:g} to {self.maximum[column]:g}, "
                "and its values are too near each other for float32: choose another scale than none, or "
                "rescale it"
            )
