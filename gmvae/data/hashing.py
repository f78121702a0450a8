"""Hashes of rows, the same on every machine. Random draws and orders that belong to rows come from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""The increment of SplitMix64's counter."""


def hashes(values: NDArray[np.float32], seed: int = 0) -> Words:
    """A hash of a seed and of the values of each row, (n,).

    Arguments:
        values: The rows, (n, D); -0.0 counts as 0.0.
        seed: Seed of the hashes, at least 0.
    """
    words = (values + np.float32(0)).view(np.uint32).astype(np.uint64)
    places = GOLDEN * np.arange(1, words.shape[1] + 1, dtype=np.uint64)
    return mix(mix(words + places).sum(1, dtype=np.uint64) + mix(np.array([seed], dtype=np.uint64)))


def mix(words: Words) -> Words:
    """SplitMix64's scrambling of 64-bit words (Steele et al., "Fast splittable pseudorandom number
    generators", 2014)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
