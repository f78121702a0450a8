r"""Compiled loops: batch norm, and the ReLU after it, for feature maps with the channels last in memory.

torch reads and writes the feature maps of a batch five times, and ten times for their gradient. They do not
fit into the fast caches of a processor. These loops do so three times, and five times: the ReLU's mask is
found again from the inputs.

The maps are (N, C) here, with pixels as rows. Several rows are one long row, so that the inner loop is long
enough for vector instructions. Sums are added up in float64 every few rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from numba import njit

LONG = 512
"""Numbers in a long row."""
ADDED = 256
"""Long rows whose sum is made in the format of the maps."""
SCALE, SHIFT, MEAN, INVERSE = range(4)
"""What is known of each column of the long rows: the output is the ReLU of scale times input plus shift."""


def compiled(function: Any) -> Any:
    """Compile on first use, and keep the result on disk if there is a writable folder."""
    made = njit(fastmath={"reassoc", "contract", "nsz"}, nogil=True)(function)
    with suppress(RuntimeError):
        made.enable_caching()
    return made


@compiled
def moments(x: Any, shift: Any, part: Any, total: Any) -> None:
    """The sums of x - shift and of its square, for each column."""
    total[:] = 0
    for start in range(0, len(x), ADDED):
        part[:] = 0
        for i in range(start, min(start + ADDED, len(x))):
            for j in range(len(shift)):
                v = x[i, j] - shift[j]
                part[0, j] += v
                part[1, j] += v * v
        for j in range(len(shift)):
            total[0, j] += part[0, j]
            total[1, j] += part[1, j]


@compiled
def scaled_relu(x: Any, scale: Any, shift: Any, out: Any) -> None:
    """max(0, scale x + shift), for each column."""
    zero = scale.dtype.type(0)
    for i in range(len(x)):
        for j in range(len(scale)):
            out[i, j] = max(x[i, j] * scale[j] + shift[j], zero)


@compiled
def gradient_moments(x: Any, d: Any, scale: Any, shift: Any, mean: Any, part: Any, total: Any) -> None:
    """The sums of the gradient g before the ReLU, and of g (x - mean), for each column."""
    zero = scale.dtype.type(0)
    total[:] = 0
    for start in range(0, len(x), ADDED):
        part[:] = 0
        for i in range(start, min(start + ADDED, len(x))):
            for j in range(len(scale)):
                v = x[i, j]
                g = d[i, j] if v * scale[j] + shift[j] > zero else zero
                part[0, j] += g
                part[1, j] += g * (v - mean[j])
        for j in range(len(scale)):
            total[0, j] += part[0, j]
            total[1, j] += part[1, j]


@compiled
def gradient(x: Any, d: Any, scale: Any, shift: Any, slope: Any, level: Any) -> None:
    """Replace d by scale g + slope x + level, with the gradient g before the ReLU, for each column."""
    zero = scale.dtype.type(0)
    for i in range(len(x)):
        for j in range(len(scale)):
            v = x[i, j]
            g = d[i, j] if v * scale[j] + shift[j] > zero else zero
            d[i, j] = scale[j] * g + slope[j] * v + level[j]


@compiled
def of_channel(total: Any, c: int, channels: int) -> tuple[float, float]:
    """Both sums of a channel: those of its columns, added up."""
    one, two = 0.0, 0.0
    for j in range(c, total.shape[1], channels):
        one += total[0, j]
        two += total[1, j]
    return one, two


@compiled
def normalisation(
    total: Any, rows: int, weight: Any, bias: Any, mean: Any, variance: Any, momentum: float, eps: float,
    columns: Any,
) -> None:  # fmt: skip
    """From the sums of :func:`moments`, scale, shift and mean of each column, in ``columns``, whose third row
    has what the columns were shifted by, and the inverse standard deviation in the fourth. The running mean
    and variance are updated."""
    channels = len(weight)
    for c in range(channels):
        one, two = of_channel(total, c, channels)
        one, two = one / rows, two / rows
        of_batch = two - one * one
        centre = columns[MEAN, c] + one
        inverse = 1 / math.sqrt(of_batch + eps)
        mean[c] += momentum * (centre - mean[c])
        variance[c] += momentum * (of_batch * rows / max(rows - 1, 1) - variance[c])
        for j in range(c, total.shape[1], channels):
            columns[SCALE, j] = weight[c] * inverse
            columns[SHIFT, j] = bias[c] - centre * weight[c] * inverse
            columns[MEAN, j] = centre
            columns[INVERSE, j] = inverse


@compiled
def slopes(total: Any, rows: int, columns: Any, d_weight: Any, d_bias: Any, lines: Any) -> None:
    """From the sums of :func:`gradient_moments`, the gradients by weight and bias, and in ``lines`` slope and
    level of each column."""
    channels = len(d_bias)
    for c in range(channels):
        one, two = of_channel(total, c, channels)
        scale, inverse = columns[SCALE, c], columns[INVERSE, c]
        d_bias[c], d_weight[c] = one, two * inverse
        slope = -scale * inverse * inverse * two / rows
        for j in range(c, total.shape[1], channels):
            lines[0, j] = slope
            lines[1, j] = -scale * one / rows - slope * columns[MEAN, c]


class Loops:
    """Batch norm with the statistics of the batch, then ReLU.

    Arguments:
        numbers: Of each channel, (C,): weight, bias, running mean and variance, which are updated in place,
            and the places for the gradients by weight and bias.
        momentum: Share of the batch in the running statistics.
        eps: Added to variances.
    """

    def __init__(self, numbers: Sequence[Any], momentum: float, eps: float) -> None:
        self.channel, self.statistics, self.gradients = numbers[:2], numbers[2:4], numbers[4:]
        self.momentum, self.eps, self.rows = momentum, eps, 0

    def forward(self, x: Any, out: Any) -> None:
        """Write the output for x, (N, C), into ``out``. ``x`` must stay as it is until :meth:`backward`."""
        if len(x) != self.rows:
            self._take(*x.shape)
        self.x = x.reshape(self.shape)
        self.columns[MEAN].reshape(self.times, -1)[:] = x[0]
        moments(self.x, self.columns[MEAN], self.part, self.total)
        normalisation(
            self.total, self.rows, *self.channel, *self.statistics, self.momentum, self.eps, self.columns
        )
        scaled_relu(self.x, self.columns[SCALE], self.columns[SHIFT], out.reshape(self.shape))

    def backward(self, d: Any) -> None:
        """Replace the gradient by the outputs, (N, C), by that by the inputs."""
        d, (scale, shift, mean, _) = d.reshape(self.shape), self.columns
        gradient_moments(self.x, d, scale, shift, mean, self.part, self.total)
        slopes(self.total, self.rows, self.columns, *self.gradients, self.lines)
        gradient(self.x, d, scale, shift, *self.lines)

    def _take(self, rows: int, channels: int) -> None:
        """Make place for maps of this shape."""
        self.rows, self.times = rows, max(1, LONG // channels)
        while rows % self.times:
            self.times -= 1
        self.shape = rows // self.times, self.times * channels
        empty = partial(np.empty, dtype=self.channel[0].dtype)
        self.columns, self.part, self.lines = (empty((count, self.shape[1])) for count in (4, 2, 2))
        self.total = np.empty((2, self.shape[1]))
