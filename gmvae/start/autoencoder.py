"""Embed images with a separate deep autoencoder, for a start without augmented views."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from gmvae.data.dataset import scaled
from gmvae.model.inference import BATCH as EVALUATED
from gmvae.model.networks import Linear
from gmvae.model.weights import fresh
from gmvae.progress import Progress
from gmvae.start.teaching import BATCH, draw, one_cycle
from gmvae.training.loop import Indexable
from gmvae.training.random import RandomStream

SIZES = (500, 500, 1000)
"""Units of the encoder's layers; the decoder has them in reverse order."""
CODE = 10
"""How many numbers a code has."""
STEPS, PASSES = 6_000, 200
"""Maximum number of training steps, and of passes over the observations; the smaller of the two counts."""


def steps(count: int) -> int:
    """How many training steps are made on ``count`` observations."""
    return min(STEPS, max(1, PASSES * count // BATCH))


def code(y: Indexable, subset: Tensor, stream: RandomStream, progress: Progress) -> NDArray[np.float32]:
    r"""Train an autoencoder :math:`\min \mathbb E\,\lVert y - d(e(y)) \rVert^2` and embed with it.

    Layers are dense and without normalisation, as in DEC (Xie et al., arXiv 1511.06335). Without augmented
    views, the nearest neighbours of their codes are more often in the same class than with convolutions.

    Arguments:
        y: The observations.
        subset: Those to embed, (n, *y_shape).
        stream: Source of randomness.
        progress: Called after each step with the share of all steps that is done.

    Returns:
        The codes of ``subset``, (n, CODE).
    """
    size = math.prod(subset.shape[1:])

    def build() -> nn.ModuleList:
        encoder = nn.Sequential(nn.Flatten(), *_layers(size, *SIZES, CODE))
        return nn.ModuleList([encoder, _layers(CODE, *SIZES[::-1], size)])

    encoder, decoder = both = fresh(build, stream.cpu).to(subset.device)

    def loss() -> Tensor:
        observed = draw(y, stream)
        return size * F.mse_loss(decoder(encoder(observed)), observed.flatten(1))

    one_cycle(both, loss, steps(len(y)), progress)
    with torch.no_grad():
        return torch.cat([encoder(scaled(batch)) for batch in subset.split(EVALUATED)]).cpu().numpy()


def _layers(*sizes: int) -> nn.Sequential:
    stack: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        stack += [Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*stack[:-1])
