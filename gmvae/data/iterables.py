"""Blocks of rows from Python objects that give batches: a torch dataset, or an iterable that can be read
twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from gmvae.data.files.base import Block
from gmvae.data.schema import without_index
from gmvae.data.stream import Blocks

AT_ONCE = 1024
"""How many items of a torch dataset are read together."""


def is_stream(given: Any) -> bool:
    """Whether rows come in batches: from a torch dataset, or from an object that has ``__iter__`` and is
    neither an array nor a table."""
    if isinstance(given, Dataset):
        return True
    if type(given).__module__.startswith("polars"):  # a lazy frame resolves its columns when asked for them
        return False
    arrays = any(hasattr(given, name) for name in ("shape", "__array__", "dtype", "columns", "__dataframe__"))
    return (
        hasattr(given, "__iter__")
        and not arrays
        and not isinstance(given, (list, tuple, str, bytes, dict, set))
    )


def blocks_of(given: Any) -> tuple[Blocks, tuple[int, ...]]:
    """Return a function that starts the stream from the beginning, and the shape of a row.

    Arguments:
        given: A torch dataset of observations, or of tuples that begin with one; or an iterable of batches of
            shape (B, ...), or of tuples that begin with one.

    Raises:
        ValueError: if it is an iterator, which can be read only once, or gives nothing.
    """
    if not isinstance(given, Dataset) and iter(given) is given:
        raise ValueError(
            f"X is a {type(given).__name__}, which gives its batches only once, but they are read twice: "
            "give an object whose __iter__ starts again, or a torch dataset"
        )
    batches = DataLoader(given, batch_size=AT_ONCE) if isinstance(given, Dataset) else given

    def blocks() -> Iterator[Block]:
        for batch in batches:
            y = batch[0] if isinstance(batch, (tuple, list)) else batch
            y = without_index(y)
            values = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
            yield Block(values if values.dtype == np.uint8 else values.astype(np.float64))

    first = next(blocks(), None)
    if first is None:
        raise ValueError("X gives no batch: it must have at least two rows")
    if first.y.ndim not in (2, 4):
        raise ValueError(
            f"X gives batches of shape {first.y.shape}: they must be (rows, numbers) or (rows, channels, "
            "height, width)"
        )
    return blocks, tuple(first.y.shape[1:])
