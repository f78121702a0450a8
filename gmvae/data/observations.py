r"""The type of all training data: weighted rows of a table, in the model's units.

Nothing here makes a second copy of a large table: an array, a :class:`numpy.memmap` or a sparse matrix is
read a chunk or a batch at a time. Only small tables are scaled once, and kept.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gmvae.data.chunks import dense
from gmvae.data.likelihood import choose
from gmvae.data.scales.choice import choose_scale
from gmvae.data.scales.moments import Floats
from gmvae.data.scales.scaling import Scaling
from gmvae.data.survey import Survey
from gmvae.data.transfer import onto

AT_ONCE = 1000
"""How many rows are turned into a tensor at once."""
SAMPLE = 1 << 25
"""Maximum count of numbers in a sample of rows, since it is kept in memory: 256 MiB."""
SMALL = 1 << 22
"""Maximum count of numbers in a table whose scaled rows are kept in memory for the batches: 16 MiB."""


class Observations:
    r"""Weighted rows of a table, to draw batches from.

    A pass has as many draws as there are rows, whatever their weights (two for a single row, since batch norm
    needs two). Position j of a pass is row i if :math:`(j + u) \sum w / \mathrm{draws}` with
    :math:`u \sim U(0, 1)` falls into the i-th interval of the weights laid end to end. So a row is drawn in
    proportion to its weight, and exactly once in a pass if all weights are equal.

    Arguments:
        source: The table, shape (N, D): an array, a memmap or a sparse matrix in CSR form.
        scaling: What is done to the values.
        y_shape: Shape of one observation, once scaled.
        device: Device of the batches.
        order: The rows to use, by number; all of them by default.
        weights: Their weights, above 0; equal by default.
        resident: Whether all rows are kept on the device as they are: in the model's unit, or as levels of
            uint8 (:func:`gmvae.data.dataset.scaled`). Samples of them are evenly spaced.
    """

    window = 0
    """Number of rows in a window, if a pass must go through the rows window by window; 0 for any order."""

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
        self._scaled: torch.Tensor | None = None
        if self._draws > len(self.order) or (self.weights != self.weights[0]).any():
            self._ends = np.cumsum(self.weights) * (self._draws / self.weights.sum())

    @classmethod
    def of(cls, source: Any, image_shape: tuple[int, ...] | None = None) -> Observations:
        """The distinct rows of a table, or images, scaled as in a fit with default settings, on the CPU."""
        survey = Survey.of(source, np.ones(source.shape[0]))
        _, _, scaling, shape = choose(survey.moments, source.dtype, "auto", image_shape)
        if scaling is None:
            measure, every = partial(survey.measure, source), shape is not None
            scaling = choose_scale(
                "auto", survey.traits(source), survey.moments, measure, every=every
            ).scaling
        order = survey.arranged(source, scaling).order
        return cls(source, scaling, shape or (len(scaling.kept),), torch.device("cpu"), order)

    def __len__(self) -> int:
        return self._draws

    def __getitem__(self, positions: torch.Tensor) -> torch.Tensor:
        """The observations at positions of a pass, on the CPU: float32, shape (B, *y_shape)."""
        if self._resident is not None and self._ends is None and len(self.order) == len(self._resident):
            return self._resident[onto(positions, self.device)].reshape(-1, *self.y_shape)
        spots = positions.cpu().numpy()
        if self._ends is not None:
            spots = spots + torch.rand(len(spots), generator=self.generator, dtype=torch.float64).numpy()
            spots = np.searchsorted(self._ends, spots, side="right").clip(max=len(self.order) - 1)
        if len(self.y_shape) > 1 or len(self.order) * self.y_shape[0] > SMALL:
            return self._rows(self.order[spots], torch.float32)
        if self._scaled is None:
            self._scaled = self._every().t().contiguous()
        return self._scaled[:, onto(torch.from_numpy(spots), self.device)].t()  # in the layout of _rows

    @property
    def at_hand(self) -> Observations:
        """The rows that can be read at random without delay: all of them, except for a stream."""
        return self

    def drawing(self, generator: torch.Generator) -> Observations:
        """The same rows, with u drawn from this CPU generator instead of torch's global one."""
        rows = copy.copy(self)
        rows.generator = generator
        return rows

    def part(self, chosen: NDArray[np.int64]) -> Observations:
        """The distinct rows at these places of the order."""
        order, weights = self.order[chosen], self.weights[chosen]
        rows = Observations(self.source, self.scaling, self.y_shape, self.device, order, weights)
        rows._resident, rows.generator = self._resident, self.generator
        return rows

    def split(self, share: float, rng: np.random.RandomState) -> tuple[Observations, Observations]:
        """Split the distinct rows at random: the rest, and a share of them (at least one)."""
        if len(self.order) < 2:
            raise ValueError("X has one distinct row: there must be another to hold out for early_stopping")
        count = min(max(1, round(share * len(self.order))), len(self.order) - 1)
        chosen = rng.permutation(len(self.order))
        return self.part(np.sort(chosen[count:])), self.part(np.sort(chosen[:count]))

    def sample(self, count: int) -> Observations:
        """The first distinct rows, at most ``count``, and fewer if they are wide (``SAMPLE``). Since hashes
        decide their order, this is a random sample."""
        count = min(count, max(1, SAMPLE // math.prod(self.y_shape)))
        if self._resident is not None:
            return self.spaced(count)
        return self.part(np.arange(min(len(self.order), count)))

    def spaced(self, count: int | None) -> Observations:
        """At most ``count`` of the rows, evenly spaced; all of them for ``None``."""
        step = -(-len(self.order) // (count or len(self.order)))
        return self if step == 1 else self.part(np.arange(0, len(self.order), step))

    def tensor(self) -> torch.Tensor:
        """Each row once, in order, float32, (n, *y_shape); resident rows keep their type."""
        if self._resident is not None:
            return self._resident[torch.from_numpy(self.order)].reshape(-1, *self.y_shape)
        return self._every()

    def batches(self, size: int) -> Iterator[torch.Tensor]:
        """Yield each row once, in order, without its weight, in 64 bits if the device has them."""
        dtype = torch.float32 if self.device.type == "mps" else torch.float64
        for start in range(0, len(self.order), size):
            yield self._rows(self.order[start : start + size], dtype)

    def log_dets(self, scaling: Scaling) -> Floats:
        """The log-determinant of each row, in order, (n,), in nats: what must be added to its log-density in
        the model's units to get the one in the units of the data, before ``scaling``."""
        parts = self.batches(AT_ONCE)
        return np.concatenate([scaling.log_dets(y.double().flatten(1).cpu().numpy()) for y in parts])

    def _every(self) -> torch.Tensor:
        parts = range(0, len(self.order), AT_ONCE)
        return torch.cat([self._rows(self.order[i : i + AT_ONCE], torch.float32) for i in parts])

    def _rows(self, numbers: NDArray[np.int64], dtype: torch.dtype) -> torch.Tensor:
        scale = self.scaling.rounded if dtype == torch.float32 else self.scaling.apply
        scaled = torch.from_numpy(scale(dense(self.source[numbers]))).to(dtype)
        return onto(scaled, self.device).reshape(-1, *self.y_shape)
