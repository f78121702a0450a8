"""Distances that rounding leaves in order."""

from __future__ import annotations

import torch
from torch import Tensor


def distances(a: Tensor, b: Tensor) -> Tensor:
    r"""The Euclidean distance of each row of ``a``, (n, D), to each row of ``b``, (m, D): shape (n, m).

    With :math:`\lVert a \rVert^2 - 2 a^\top b + \lVert b \rVert^2`, which is how torch computes many of them,
    the error of a squared distance is that of the squares it is the difference of: in 32 bits groups of width
    1e-3 lose their order. So the rows are centred, and it is done in 64 bits; where the device has none, by
    differences, which is slower.
    """
    if a.device.type == "mps":
        return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
    a, b = a.double(), b.double()
    centre = b.mean(0)
    return torch.cdist(a - centre, b - centre)
