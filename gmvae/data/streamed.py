"""Observations larger than memory: rows on disk in a random order, read a window at a time."""

from __future__ import annotations

import copy
import math
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gmvae.data.chunks import chunks
from gmvae.data.hashing import hashes
from gmvae.data.observations import SAMPLE, Observations
from gmvae.data.scales.scaling import dividing
from gmvae.data.shuffled import ShuffledRows
from gmvae.data.transfer import pinned

AT_HAND = 100_000
"""Maximum number of rows in memory, for starts, diagnostics, pictures and held-out losses."""


class Streamed(Observations):
    """Observations in a file of shuffled rows.

    Each row counts once: there are no weights, and copies of a row are separate rows. Since the order is
    random, consecutive rows are a random sample.

    Arguments:
        source: The rows, in the model's unit or as levels of uint8.
        y_shape: Shape of one observation.
        device: Device of the batches.
        first: How many rows at the beginning of the file are left out.

    Attributes:
        window: How many rows are read together (:func:`gmvae.data.shuffled.windowed`).
    """

    def __init__(
        self, source: ShuffledRows, y_shape: tuple[int, ...], device: torch.device, first: int = 0
    ) -> None:
        self.source, self.y_shape, self.device, self.first = source, y_shape, device, first
        self.scaling = dividing(source.shape[1], 255.0 if source.dtype == np.uint8 else 1.0)
        self.generator, self._resident, self._ends = None, None, None
        self._draws = source.shape[0] - first
        self.order: Any = range(first, source.shape[0])
        self.weights = np.broadcast_to(1.0, self._draws)
        self.window = source.window

    def __getitem__(self, positions: torch.Tensor) -> torch.Tensor:
        return self._rows(self.first + positions.cpu().numpy(), torch.float32)

    def gather(self, positions: NDArray[np.int64]) -> Future[torch.Tensor]:
        """Start to read the rows at positions within a window, as they are in the file, (n, width). A thread
        reads them and puts them in order, while the caller uses the rows from before."""
        thread = ThreadPoolExecutor(1)
        rows = thread.submit(self._gathered, positions)
        thread.shutdown(wait=False)
        return rows

    def _gathered(self, positions: NDArray[np.int64]) -> torch.Tensor:
        return pinned(torch.from_numpy(self.source[self.first + positions]), self.device)

    def formed(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows of a file on the device, (B, width), as observations (B, *y_shape), with the layout in memory
        that ``[...]`` gives. Levels of uint8 stay (:func:`gmvae.data.dataset.scaled`)."""
        return rows.t().contiguous().t().reshape(-1, *self.y_shape)

    @cached_property
    def at_hand(self) -> Observations:
        """The first rows, in memory: a random sample, however the data were sorted."""
        count = min(len(self), AT_HAND, max(1, SAMPLE // math.prod(self.y_shape)))
        rows = self.source[self.first : self.first + count]
        return Observations(rows, self.scaling, self.y_shape, self.device)

    @cached_property
    def distinct(self) -> Observations:
        """The distinct rows of these, with the number of their copies as weights, arranged as in memory.
        Copies have distance 0, which the graphs and densities of a start would take for clusters."""
        rows = self.at_hand
        keys = np.concatenate([hashes(rows.scaling.rounded(values)) for _, values in chunks(rows.source)])
        _, first, counts = np.unique(keys, return_index=True, return_counts=True)
        weights = counts / counts.max()
        return Observations(rows.source, rows.scaling, self.y_shape, self.device, first, weights)

    def part(self, chosen: NDArray[np.int64]) -> Observations:
        return self.at_hand.part(chosen)

    def sample(self, count: int) -> Observations:
        return self.distinct.sample(count)

    def spaced(self, count: int | None) -> Observations:
        return self.at_hand.spaced(count)

    def split(self, share: float, rng: np.random.RandomState) -> tuple[Observations, Observations]:  # noqa: ARG002
        """Hold out the first rows, a share of all but at most ``AT_HAND``: the rest, and the held-out
        rows."""
        count = max(1, min(round(share * len(self)), len(self.at_hand)))
        rest = copy.copy(self)
        Streamed.__init__(rest, self.source, self.y_shape, self.device, self.first + count)
        for kept in ("at_hand", "distinct"):
            rest.__dict__.pop(kept, None)
        return rest, self.at_hand.part(np.arange(count))
