"""Draw observations of a cluster, or of a part of one that was split."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gmvae.model.vae import GaussianMixtureVAE
from gmvae.partition.relabelling import Relabelling
from gmvae.training.random import RandomStream

TRIES = 200
"""How often an observation is drawn again that falls into another part of its cluster; then it is kept."""


def draw(
    model: GaussianMixtureVAE,
    relabelled: Relabelling,
    clusters: NDArray[np.int64],
    stream: RandomStream,
    observe: Callable[[Tensor], Tensor],
) -> Tensor:
    """Draw w from p(w), x from p(x | w, z) and then y, (n, size of y), in the model's units. For a part of a
    cluster, they are drawn again until the split puts y into this part.

    Arguments:
        model: The model, in evaluation mode.
        relabelled: The splits of its clusters.
        clusters: Clusters as they are before merging, (n,).
        stream: The random numbers.
        observe: Makes y from x, (n, x_size): the mean of p(y | x), or a draw from it.
    """
    count, zero = model.config.clusters, model.generative.zero
    z = relabelled.components(count)[clusters]

    def drawn(z: NDArray[np.int64]) -> Tensor:
        w = torch.randn(len(z), model.config.w_size, generator=stream.cpu, dtype=torch.float32).to(zero)
        return observe(model.generative.p_x(w).rsample(1, stream.local)[0, range(len(z)), z])

    y = drawn(z)
    waiting = np.arange(len(z)) if relabelled.split else np.empty(0, dtype=np.int64)
    for _ in range(TRIES):
        if not len(waiting):
            break
        x = model.recognition(y[waiting].reshape(-1, *model.y_shape))[0].mean.cpu().numpy()
        parts = relabelled.divided(np.eye(count)[z[waiting]], x)
        mine = parts[np.arange(len(waiting)), clusters[waiting]]
        chance = torch.rand(len(waiting), generator=stream.cpu, dtype=torch.float64).numpy()
        waiting = waiting[chance > mine]
        if len(waiting):
            y[waiting] = drawn(z[waiting])
    return y
