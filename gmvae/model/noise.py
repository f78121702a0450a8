"""Noise that belongs to an observation: whatever else is looked at, it meets the same draws."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

Words = NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""What the counter of SplitMix64 goes on by."""


def noise(y: Tensor, draws: int, size: int, seed: int = 0) -> Tensor:
    r"""Standard normal noise for each of B observations, float64, on the CPU, shape (draws, B, size).

    It depends on the seed and on the observation's values in float32, and on nothing else: not on the other
    observations, the device or the threads. Observations that differ have independent noise, so that its
    error averages out over them.

    The draws of one observation are a Latin hypercube sample (McKay et al., 1979),

    .. math:: \epsilon_{md} = \Phi^{-1}\Bigl(\frac{r_{md} + u_{md}}{\mathrm{draws}}\Bigr)

    with a random order r of 0, ..., draws - 1 for each of the ``size`` numbers d, and u uniform in (0, 1).
    Each draw is standard normal, and a mean over them varies less than one over independent draws.

    Arguments:
        y: Observations, shape (B, ...).
        draws: The number of draws, M.
        size: The numbers in a draw.
        seed: Another seed, other noise; at least 0.
    """
    counters = GOLDEN * np.arange(1, draws * size + 1, dtype=np.uint64).reshape(draws, 1, size)
    bits = _mix(counters + _keys(y, seed)[:, None])
    rank = bits.argsort(0).argsort(0)  # by the high bits, of which the low ones are independent
    within = ((bits & np.uint64(0xFFFFFFFF)).astype(np.float64) + 0.5) * 2.0**-32
    return torch.from_numpy(ndtri((rank + within) / draws))


def _keys(y: Tensor, seed: int) -> Words:
    """A hash of the seed and of the float32 values of each observation, (B,)."""
    values = y.detach().to("cpu", torch.float32).flatten(1).numpy() + np.float32(0)  # -0.0 becomes 0.0
    words = values.view(np.uint32).astype(np.uint64)
    places = GOLDEN * np.arange(1, words.shape[1] + 1, dtype=np.uint64)
    return _mix(_mix(words + places).sum(1, dtype=np.uint64) + _mix(np.array([seed], dtype=np.uint64)))


def _mix(words: Words) -> Words:
    """SplitMix64's scrambling of 64-bit words (Steele et al., "Fast splittable pseudorandom number
    generators", 2014)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
