"""Traits of a table's columns, from a sample of its rows, for their scale and for the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gmvae.data import chunks
from gmvae.data.scales.moments import Floats

SAMPLED_ROWS, MINIMUM_ROWS = 20_000, 200
"""Maximum number of rows in the sample, and the minimum for wide tables."""
SIGMAS = 1.349
"""The distance between the quartiles of a normal distribution, in standard deviations."""
KNEE = 5.0
"""How far from its median a value can lie before it counts as far out, in standard deviations of a normal
distribution with the same quartiles."""
HEAVY, ABSURD = 8.0, 100.0
"""Two thresholds of the standard deviation, divided by that of a normal distribution with the same quartiles.
Above the first, tails are heavy; above the second, a few values hide all others. The ratio is 1 for normal
values, 2 for lognormal ones with a shape of 1, and 20 with a shape of 2."""
SKEWED, LEANING, EVEN = 2.0, 0.3, 1.0
"""What makes a column skewed: its minimum skewness; the minimum distance of its median from the middle of the
quartiles, in units of half their distance; and the maximum skewness of its logarithms. Lognormal values with
a shape of 1 have 6.2, 0.32 and 0."""
ALIKE = 0.99
"""Share of the rows with the same value above which a column is nearly constant."""
LENGTH = 0.01
"""How much the lengths of rows can differ, as a share, to count as one length."""
DEPENDENT = 0.25
"""Maximum variance of the squared lengths of such rows, as a share of that of independent columns."""
EMBEDDED = 5
"""Minimum number of columns of an embedding."""
ORDERED = 0.95
"""Minimum correlation (Spearman) between the spreads of principal components and their order."""
CENTRED = 0.25
"""How far from 0 the means of principal components can be, in standard deviations."""
CORRELATED = 2.0
"""Maximum root mean square of the correlations of principal components, in units of 1 / sqrt(rows). It is 1
for independent columns."""


LEVELLED, LOWEST, HIGHEST = 50, 0.5, (0.2, 0.95)
"""What makes columns levels of one scale, as pixels are: there are more than so many; the minimum share that
reaches the smallest value of all; and the range of the share that reaches the greatest. If all columns reach
both, they were divided by their ranges."""


@dataclass(frozen=True)
class Traits:
    """Traits of columns, from a sample of rows."""

    centre: Floats
    spread: Floats
    """Mean and standard deviation of the values of each column near its median, (D,). Near is within ``KNEE``
    standard deviations of a normal distribution with the same quartiles; if the quartiles are equal, all
    values are near."""
    smallest: Floats
    """The smallest value above 0 of each column, (D,); 1 if there is none."""
    positive: NDArray[np.bool_]
    """Whether a column has no value below 0, (D,)."""
    heavy: NDArray[np.bool_]
    """Whether a column has heavy tails, (D,)."""
    absurd: NDArray[np.bool_]
    """Whether a few values in the tails hide all other values, (D,)."""
    skewed: NDArray[np.bool_]
    """Whether a column without negative values is skewed, and its logarithms are not, (D,)."""
    rare: NDArray[np.bool_]
    """Whether a column is nearly constant, (D,)."""
    unit_rows: bool
    """Whether all rows have the same length, in whatever unit."""
    components: bool
    """Whether the columns are principal components: uncorrelated, centred, in the order of their spread."""
    levels: bool
    """Whether the columns are levels of one scale, as pixels are."""

    @classmethod
    # the moments report values that are too large
    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def of(cls, rows: Any, weights: Floats) -> Self:
        """The traits of rows, (n, D), an array or a sparse matrix, with weights, (n,); a few columns at a
        time."""
        count, width = rows.shape
        step = max(1, chunks.CHUNK // count)
        parts, squares, variance = list[dict[str, NDArray[Any]]](), np.zeros(count), 0.0
        largest = max((float(abs(rows[:, i : i + step]).max()) for i in range(0, width, step)), default=0.0)
        for start in range(0, width, step):
            y = chunks.dense(rows[:, start : start + step])
            parts.append(_of_columns(y, weights))
            each = np.square(y / (largest or 1.0))
            squares += each.sum(1)
            variance += float(each.var(0).sum())
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        deviation, low, high = (columns.pop(name) for name in ("deviation", "low", "high"))
        alike = width >= EMBEDDED and _of_one_length(squares, variance)
        components, levels = _components(rows, deviation), _levels(low, high)
        return cls(**columns, unit_rows=alike, components=components, levels=levels)


def sample_size(count: int, width: int) -> int:
    """How many of ``count`` rows are sampled from a table with ``width`` columns."""
    return min(count, SAMPLED_ROWS, max(MINIMUM_ROWS, chunks.CHUNK // width))


def _of_columns(y: Floats, weights: Floats) -> dict[str, NDArray[Any]]:
    """The traits of columns, (n, C), each of shape (C,), and their standard deviations."""
    first, median, third = _quantiles(y, weights, (0.25, 0.5, 0.75))
    deviation = _moments(y, weights[:, None])[1]
    spread = (third - first) / SIGMAS
    near = (spread <= 0) | (abs(y - median) <= KNEE * spread)
    centre, trimmed = _moments(y, weights[:, None] * near)
    positive = np.all(y >= 0, axis=0)
    smallest = np.where(y > 0, y, np.inf).min(0)
    smallest = np.where(np.isfinite(smallest), smallest, 1.0)
    logs = np.log1p(np.maximum(y, 0) / smallest)
    low, high = _quantiles(logs, weights, (0.25, 0.75))
    skewed = positive & (third - first > 0) & (first + third - 2 * median >= LEANING * (third - first))
    skewed &= _skewness(y, weights) >= SKEWED
    skewed &= abs(_skewness(logs, weights)) <= EVEN
    skewed &= _moments(logs, weights[:, None])[1] <= high - low
    alike = np.average(y == median, axis=0, weights=weights) > ALIKE
    return {
        "centre": centre,
        "spread": np.where(trimmed > 0, trimmed, np.where(deviation > 0, deviation, 1.0)),
        "smallest": smallest,
        "positive": positive,
        "heavy": (spread > 0) & (deviation > HEAVY * spread),
        "absurd": (spread > 0) & (deviation > ABSURD * spread),
        "skewed": skewed,
        "rare": (y.min(0) < y.max(0)) & alike,
        "deviation": deviation,
        "low": y.min(0),
        "high": y.max(0),
    }


def _quantiles(y: Floats, weights: Floats, at: tuple[float, ...]) -> Floats:
    """Weighted quantiles of each column, (len(at), D)."""
    if (weights == weights[0]).all():
        return np.quantile(y, at, axis=0, method="inverted_cdf")
    order = np.argsort(y, axis=0)
    shares = np.cumsum(weights[order], axis=0)
    found = [np.argmax(shares >= share * shares[-1] - 1e-12 * shares[-1], axis=0) for share in at]
    return np.stack([np.take_along_axis(y, order[f, range(y.shape[1])][None], 0)[0] for f in found])


def _moments(y: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted mean and standard deviation of each column, (D,), without overflow; weights of shape (n, 1) or
    (n, D)."""
    largest = np.maximum(abs(y).max(0), np.finfo(np.float64).tiny)
    y, weights = y / largest, np.broadcast_to(weights, y.shape)
    mean = np.average(y, axis=0, weights=weights)
    return mean * largest, largest * np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weights))


def _of_one_length(squares: Floats, variance: float) -> bool:
    """Whether all rows have the same length, apart from a few zero rows.

    Lengths also differ little if one column, such as a year, has much greater values than the others.
    Therefore, their squares must vary less than those of independent columns would.

    Arguments:
        squares: The squares of the lengths, in any unit, (n,).
        variance: The sum over columns of the variance of their squares, in the same unit.
    """
    positive = squares[squares > 0]
    lengths = np.sqrt(positive)
    if len(lengths) <= ALIKE * len(squares) or not (abs(lengths / np.median(lengths) - 1) <= LENGTH).all():
        return False
    return bool(positive.var() < DEPENDENT * variance)


def _levels(low: Floats, high: Floats) -> bool:
    """Whether columns with these smallest and greatest values, (D,), are levels of one scale."""
    varying = low < high
    if np.count_nonzero(varying) <= LEVELLED:
        return False
    lowest, highest = np.mean(low[varying] == low.min()), np.mean(high[varying] == high.max())
    return bool(lowest >= LOWEST and HIGHEST[0] <= highest <= HIGHEST[1])


def _skewness(y: Floats, weights: Floats) -> Floats:
    """Weighted skewness of each column, (D,); 0 for constant columns."""
    largest = np.maximum(abs(y).max(0), np.finfo(np.float64).tiny)
    y = y / largest
    apart = y - np.average(y, axis=0, weights=weights)
    variance = np.average(apart**2, axis=0, weights=weights)
    cubes = np.average(apart**3, axis=0, weights=weights)
    return np.where(variance > 0, cubes / np.where(variance > 0, variance, 1.0) ** 1.5, 0.0)


def _components(rows: Any, deviation: Floats) -> bool:
    """Whether the columns of rows, (n, D), are principal components."""
    count, width = rows.shape
    if not EMBEDDED <= width < count or count * width > chunks.CHUNK:
        return False
    y = chunks.dense(rows)
    if (abs(y.mean(0)) >= CENTRED * deviation).any():
        return False
    ranks = np.argsort(np.argsort(-deviation))
    if np.corrcoef(ranks, np.arange(width))[0, 1] < ORDERED:
        return False
    correlations: Any = np.corrcoef(y / deviation, rowvar=False)
    others = correlations[~np.eye(width, dtype=bool)]
    return bool(np.sqrt(np.mean(others**2)) < CORRELATED / np.sqrt(count))
