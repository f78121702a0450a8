"""Random portions of the rows of a stream, each of which fits into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.data.files.base import Block

NUMBERS = 1 << 26
"""About how many numbers a portion has at most."""


def portions(blocks: Callable[[], Iterable[Block]], limit: int) -> Iterator[NDArray[Any]]:
    """Yield the rows of a stream in random portions, (n, D), each row in one of them.

    With up to ``limit`` numbers there is one portion, in the order of the stream. Otherwise there are as many
    as needed, of about the same size. Each is a random sample of all rows, even if the stream is sorted, and
    reads the stream once more.

    Arguments:
        blocks: Starts the stream from the beginning. It gives the same blocks each time.
        limit: About how many numbers a portion has at most.
    """
    total, waiting = 0, list[NDArray[Any]]()
    for block in blocks():
        total += block.y.size
        waiting = [*waiting, _rows(block)] if total <= limit else []
    if waiting:
        yield np.concatenate(waiting)
        return
    count = -(-total // limit)
    for portion in range(count):
        rng = np.random.default_rng(0)
        parts = [_rows(block)[rng.integers(count, size=len(block.y)) == portion] for block in blocks()]
        yield np.concatenate(parts)


def _rows(block: Block) -> NDArray[Any]:
    return block.y.reshape(len(block.y), -1)
