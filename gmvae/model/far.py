"""Move observations far from all data towards the data, to evaluate the bound on their density."""

from __future__ import annotations

import torch
from torch import Tensor

from gmvae.model.vae import Recognition

CLIPPED = 0.1
"""Maximum distance between an observation and the observation clipped to the range of the data, as a share of
the norm of the latter, both from the centre."""
HALVINGS = 40
"""Number of bisections that find how far an observation is moved."""


def drawn_in(recognition: Recognition, y: Tensor) -> Tensor:
    r"""Move observations of shape (B, *y_shape) that are far away towards the centre c of the data, the mean
    of scaled columns; the others are clipped only:

    .. math:: \mathrm{inside}(c + s\,(y - c)), \qquad 0 < s \le 1,

    where ``inside`` clips each number to its range (:meth:`gmvae.model.vae.Recognition.inside`), and s is the
    greatest number for which clipping changes the observation by at most ``CLIPPED``. All far observations
    on a ray from the centre are moved to the same place, so the bound falls along the ray. With clipping
    alone, they would end in different corners of the range, which contain no data.
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
        return (offset - near).norm(dim=1) > CLIPPED * near.norm(dim=1)

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
