"""The order in which a pass goes through observations, and its batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from gmvae.config import TrainingConfig
from gmvae.data.shuffled import windowed
from gmvae.data.transfer import onto, rows_at


def one_pass(
    y: Any, config: TrainingConfig, order: Generator, share: Callable[[Tensor], Tensor], done: int = 0
) -> tuple[Iterator[tuple[int, Tensor]], int, int]:
    """The batches of a pass after the first ``done``, the number of all batches, and the number of
    observations in all of them.

    Arguments:
        y: The observations (:class:`gmvae.training.loop.Indexable`).
        config: Observations in a batch and in a pass.
        order: Source of the order.
        share: The share of this process in a batch.

    Returns:
        For each batch its size, and the observations in the share of this process.
    """
    size, limit = config.batch_size, config.epoch_size
    if getattr(y, "window", 0):
        windows = WindowedBatches(y, size, limit, order, share)
        found = ((count, y.formed(rows)) for count, rows in windows.after(done))
        return found, len(windows), windows.count
    steps = batches(len(y), size, limit, order)
    found = ((len(batch), rows_at(y, share(batch))) for batch in steps[done:])
    return found, len(steps), sum(map(len, steps))


class WindowedBatches:
    """Batches in a random order of observations on disk, which are read a window at a time.

    A thread reads the next window and puts its rows in order while steps use the current one. A step takes
    the next few rows from it. As with data in memory, the last batch can be smaller, and a single
    observation joins the batch before it.

    Arguments:
        y: The observations (:class:`gmvae.data.streamed.Streamed`).
        size: Observations in a batch.
        limit: Observations in a pass; 0 for all.
        generator: Source of the order.
        share: The share of this process in a batch. Its thread puts no other rows in order.
    """

    def __init__(
        self,
        y: Any,
        size: int,
        limit: int,
        generator: Generator,
        share: Callable[[Tensor], Tensor] = lambda batch: batch,
    ) -> None:
        self.y, self.size = y, size
        own = share(torch.arange(size + 1)).numpy()
        self._own = np.isin(np.arange(size + 1), own)  # whether it is the row at each place of a batch
        self.count = min(limit or len(y), len(y))
        self.seed = int(torch.randint(2**62, (), generator=generator))
        self.steps = max(1, -(-self.count // size) - (self.count % size == 1))

    def __len__(self) -> int:
        return self.steps

    def after(self, done: int) -> Iterator[tuple[int, Tensor]]:
        """Yield the size B of each batch after the first ``done``, and the rows of this process in it,
        (at most B, width), on the device."""
        kept, count, own = list[Tensor](), 0, int(self._own[: self.size].sum())
        for rows in self._windows(done * self.size):
            start = 0
            while done < self.steps - 1 and count + len(rows) - start >= own:
                stop = start + own - count
                yield self.size, torch.cat([*kept, rows[start:stop]]) if kept else rows[start:stop]
                kept, count, start, done = [], 0, stop, done + 1
            kept.append(rows[start:].clone())  # a part of a window would keep all of it in memory
            count += len(kept[-1])
        if done < self.steps:
            yield self.count - done * self.size, torch.cat(kept)

    def _windows(self, first: int) -> Iterator[Tensor]:
        """Yield the rows of each window, in the order of the pass, from row ``first`` on."""
        coming = self._started(first)
        rows = next(coming, None)
        while rows is not None:
            found, rows = rows.result(), next(coming, None)
            yield onto(found, self.y.device)
            del found

    def _started(self, first: int) -> Iterator[Future[Tensor]]:
        """Start to read one window after the other."""
        before = 0
        for positions in windowed(len(self.y), self.y.window, self.seed):
            places = np.arange(max(first, before), min(self.count, before + len(positions)))
            if len(places):
                steps = np.minimum(places // self.size, self.steps - 1)
                yield self.y.gather(positions[places - before][self._own[places - steps * self.size]])
            before += len(positions)
            if before >= self.count:
                return


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
