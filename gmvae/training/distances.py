"""Distances that keep their order in spite of rounding."""

from __future__ import annotations

import torch
from torch import Tensor


def distances(a: Tensor, b: Tensor) -> Tensor:
    r"""The Euclidean distance of each row of ``a``, (n, D), to each row of ``b``, (m, D): shape (n, m).

    For many rows torch computes :math:`\lVert a \rVert^2 - 2 a^\top b + \lVert b \rVert^2`. A squared
    distance then has the rounding error of the large squares: in 32 bits, distances within groups of width
    1e-3 lose their order. So the rows are centred and in 64 bits here. On devices without 64 bits, distances
    are computed from differences, which is slower.
    """
    if a.device.type == "mps":
        return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
    a, b = a.double(), b.double()
    centre = b.mean(0)
    return torch.cdist(a - centre, b - centre)
