"""Virtual adversarial training: perturbed views of observations without a known augmentation."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from gmvae.training.distances import distances

PROBE = 0.1
"""Length of the step, in the space of y, that finds the direction."""
REACH, NEAREST, ASKED = 0.4, 10, 500
"""The length of a perturbation, as a share of the distance to a neighbour; which neighbour that is; and the
number of observations for the median of that distance."""


def reach(y: Tensor, generator: Generator | None = None) -> float:
    """How far observations of shape (n, *y_shape) are moved: ``REACH`` times the median distance from an
    observation to its ``NEAREST``-th neighbour (IMSAT: Hu et al., arXiv 1702.08720)."""
    rows = y.flatten(1)
    asked = rows[torch.randperm(len(rows), generator=generator, device=rows.device)[:ASKED]]
    near = distances(asked, rows).topk(min(NEAREST + 1, len(rows)), largest=False).values
    return REACH * float(near[:, -1].median())


def inconsistency(
    logits: Callable[[Tensor], Tensor], y: Tensor, radius: float, generator: Generator | None = None
) -> Tensor:
    r"""How much q(z | y) changes in the direction of greatest change (Miyato et al., arXiv 1704.03976):

    .. math:: \mathbb E_y\; D_\mathrm{KL}\big(q(z \mid y) \,\|\, q(z \mid y + r)\big), \qquad
        r \approx \arg\max_{\lVert r \rVert = \rho} D_\mathrm{KL}\big(q(z \mid y) \,\|\, q(z \mid y + r)\big)

    r comes from one step of the power method from a random direction. No gradient flows through q(z | y) or
    r.

    Arguments:
        logits: The logits of q(z | y), from (B, *y_shape) to (B, K).
        y: Observations, (B, *y_shape).
        radius: :math:`\rho`.
        generator: Source of the random direction; torch's global generator by default.

    Returns:
        A mean over the batch, in nats, of shape ().
    """
    with torch.no_grad():
        now = F.softmax(logits(y), -1)

    def change(moved: Tensor) -> Tensor:
        return F.kl_div(F.log_softmax(logits(y + moved), -1), now, reduction="batchmean")

    direction = _of_length(torch.empty_like(y).normal_(generator=generator), PROBE).requires_grad_()
    (steepest,) = torch.autograd.grad(change(direction), direction)
    return change(_of_length(steepest, radius))


def _of_length(vectors: Tensor, length: float) -> Tensor:
    return length * F.normalize(vectors.flatten(1), dim=1).view_as(vectors)
