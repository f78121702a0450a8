"""Where an observation far from all data stands in the data, for the bound on its density."""

from __future__ import annotations

import torch
from torch import Tensor

from gmvae.model.vae import Recognition

TAKEN_OFF = 0.1
"""The most that the range of the data may take off an observation, as a share of what it leaves."""
HALVINGS = 40
"""Bisections in the search for how far an observation is to be drawn in."""


def drawn_in(recognition: Recognition, y: Tensor) -> Tensor:
    r"""Observations of shape (B, *y_shape), of which those far away are drawn towards the centre c of the
    data, the mean of scaled columns:

    .. math:: \mathrm{inside}(c + s\,(y - c)), \qquad 0 < s \le 1,

    with the greatest s at which bringing each number into its range (``recognition.inside``) takes off at
    most ``TAKEN_OFF``. All far observations on a ray from the centre end in one place, and the bound falls
    along the ray. If each number were only brought into its own range, they would wander through corners of
    the range that hold no data.
    """
    inside = recognition.inside(y)
    if recognition.config.likelihood != "gaussian":
        return inside
    minimum, maximum = recognition.range.unbind(-1)
    centre = torch.zeros_like(minimum)
    if (edges := recognition.edges()) is not None:
        centre = centre.maximum(edges[0]).minimum(edges[1])
    minimum, maximum = minimum - centre, maximum - centre

    def too_far(offset: Tensor) -> Tensor:
        near = offset.clamp(minimum, maximum)
        return (offset - near).norm(dim=1) > TAKEN_OFF * near.norm(dim=1)

    offset = y.flatten(1) - centre
    outside = too_far(offset).nonzero().squeeze(1)
    if not len(outside):
        return inside
    offset = offset[outside]
    larger = (offset.abs().amax(1) / torch.maximum(maximum, -minimum).amax()).clamp(min=1).log()
    low, high = -larger - 3, torch.zeros_like(larger)  # log s
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        far = too_far(offset * middle.exp().unsqueeze(1))
        low, high = torch.where(far, low, middle), torch.where(far, middle, high)
    drawn = (offset * low.exp().unsqueeze(1)).clamp(minimum, maximum) + centre
    return inside.flatten(1).index_copy(0, outside, drawn).reshape(y.shape)
