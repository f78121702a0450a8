"""A map that brings the far values of columns nearer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gmvae.data.scales.moments import Floats

FURTHEST = 600.0
"""Maximum logarithm to be inverted, so that the result is finite."""
NEAREST = 1e-12
"""How near the inverse of a bounded map comes to its bound."""


@dataclass(frozen=True)
class Warp:
    r"""A map of each column that is linear near its origin, and bent beyond.

    With :math:`u = (y - \mathrm{origin}) / \mathrm{unit}`, the knee :math:`\kappa` and the power p of Box and
    Cox (1964),

    .. math:: g(u) = \mathrm{sign}(u) \left(\min(|u|, \kappa) + \frac{(1 + b)^p - 1}{p}\right), \qquad
        b = \max(|u| - \kappa, 0),

    which rises everywhere, with a slope of 1 up to the knee. A power of 1 gives a straight line, and 0 a
    logarithm (the limit). With -1 the map stays below knee + 1.

    Arguments:
        origin, unit, knee, power: Parameters of each column, (D,).
        furthest: The greatest log(1 + b) that the inverse returns, (D,). So nothing is generated further out
            than the data.
    """

    origin: Floats
    unit: Floats
    knee: Floats
    power: Floats
    furthest: Floats

    def of(self, columns: NDArray[np.int64]) -> Self:
        """The warp of some columns."""
        return type(self)(*(values[columns] for values in vars(self).values()))

    def apply(self, y: Floats) -> Floats:
        """g of rows of shape (B, D)."""
        limit = np.finfo(np.float64).max
        with np.errstate(over="ignore"):
            u = ((y - self.origin) / self.unit).clip(-limit, limit)
        log_beyond = np.log1p(np.maximum(abs(u) - self.knee, 0.0))
        p = np.where(self.power == 0, 1.0, self.power)
        with np.errstate(over="ignore"):
            bent = np.where(self.power == 0, log_beyond, np.expm1(p * log_beyond) / p)
        return np.where(self.power == 1, u, np.copysign(np.minimum(abs(u), self.knee) + bent, u))

    def undo(self, shaped: Floats) -> Floats:
        """The inverse of :meth:`apply`, up to ``furthest``."""
        limit = np.finfo(np.float64).max
        beyond = np.expm1(np.minimum(self._log_beyond(shaped), self.furthest))
        u = np.copysign(np.minimum(abs(shaped), self.knee) + beyond, shaped)
        u = np.where(self.power == 1, shaped, u)
        with np.errstate(over="ignore"):
            return (u * self.unit + self.origin).clip(-limit, limit)

    def reaching(self, minimum: Floats, maximum: Floats) -> Self:
        """The same, with an inverse that reaches as far as data in this range, (D,) each."""
        with np.errstate(over="ignore"):
            u = np.stack([(end - self.origin) / self.unit for end in (minimum, maximum)])
        beyond = np.log1p(np.maximum(abs(u).max(0) - self.knee, 0.0)).clip(max=FURTHEST)
        return replace(self, furthest=beyond)

    def log_slopes(self, shaped: Floats) -> Floats:
        """The logarithm of dg / dy at values of g, of the same shape."""
        return (self.power - 1) * self._log_beyond(shaped) - np.log(self.unit)

    def _log_beyond(self, shaped: Floats) -> Floats:
        """log(1 + b) at values of g."""
        bent, p = np.maximum(abs(shaped) - self.knee, 0.0), np.where(self.power == 0, 1.0, self.power)
        inside = np.log(np.maximum(1 + p * bent, NEAREST)) / p
        return np.where(self.power == 1, 0.0, np.where(self.power == 0, bent, inside)).clip(max=FURTHEST)
