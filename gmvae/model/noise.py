"""Noise that belongs to an observation: the same draws, whichever rows it is evaluated with."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from gmvae.data.hashing import GOLDEN, hashes, mix


def noise(y: Tensor, draws: int, size: int, seed: int = 0) -> Tensor:
    r"""Standard normal noise for each of B observations, float64, on the CPU, shape (draws, B, size).

    It depends only on the seed and on the observation's values in float32: not on the other observations, the
    device or the threads. Observations that differ have independent noise, so the sampling error averages out
    over them.

    The draws of one observation are a Latin hypercube sample (McKay et al., 1979),

    .. math:: \epsilon_{md} = \Phi^{-1}\Bigl(\frac{r_{md} + u_{md}}{\mathrm{draws}}\Bigr)

    with a random order r of 0, ..., draws - 1 for each of the ``size`` numbers d, and u uniform in (0, 1).
    Each draw is standard normal, and a mean over them varies less than one over independent draws.

    Arguments:
        y: Observations, shape (B, ...).
        draws: The number of draws, M.
        size: How many numbers a draw has.
        seed: Seed of the noise, at least 0.
    """
    counters = GOLDEN * np.arange(1, draws * size + 1, dtype=np.uint64).reshape(draws, 1, size)
    keys = hashes(y.detach().to("cpu", torch.float32).flatten(1).numpy(), seed)
    bits = mix(counters + keys[:, None])
    rank = bits.argsort(0).argsort(0)  # by the high bits; the low bits are independent of them
    within = ((bits & np.uint64(0xFFFFFFFF)).astype(np.float64) + 0.5) * 2.0**-32
    return torch.from_numpy(ndtri((rank + within) / draws))
