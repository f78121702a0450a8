"""The order in which a pass goes through observations on disk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from gmvae.data.shuffled import windowed


class WindowedBatches:
    """Batches in a random order of observations on disk, which are read a window at a time.

    The order is generated as it is needed, so it takes no memory. As with data in memory, the last batch can
    be smaller, and a single observation joins the batch before it.

    Arguments:
        y: The observations (:class:`gmvae.data.streamed.Streamed`).
        size: Observations in a batch.
        limit: Observations in a pass; 0 for all.
        generator: Source of the order.
    """

    def __init__(self, y: Any, size: int, limit: int, generator: Generator) -> None:
        self.y, self.size = y, size
        self.count = min(limit or len(y), len(y))
        self.seed = int(torch.randint(2**62, (), generator=generator))
        self.steps = max(1, -(-self.count // size) - (self.count % size == 1))

    def __len__(self) -> int:
        return self.steps

    def after(self, done: int) -> Iterator[Tensor]:
        """Yield the batches after the first ``done``."""
        left, waiting, step = self.count, np.empty(0, np.int64), 0
        windows = iter(windowed(len(self.y), self.y.window, self.seed))
        coming = next(windows, None)
        while coming is not None and left:
            positions, coming = coming[1][:left], next(windows, None)
            if coming is not None:
                self.y.expect(coming[0])
            left -= len(positions)
            waiting = np.concatenate((waiting, positions))
            while step < self.steps - 1 and len(waiting) >= self.size:
                if step >= done:
                    yield torch.from_numpy(waiting[: self.size])
                waiting, step = waiting[self.size :], step + 1
        if step >= done:
            yield torch.from_numpy(waiting)


def batches(count: int, size: int, limit: int = 0, generator: Generator | None = None) -> list[Tensor]:
    """A random order of ``count`` observations, or of ``limit`` of them, in batches of ``size``. The
    generator is one of the CPU, by default torch's global one.

    The remaining observations make a smaller last batch. A single one joins the batch before it, since batch
    norm cannot estimate a variance from one observation.
    """
    parts = list(torch.randperm(count, generator=generator)[: limit or count].split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts
