"""Views of observations: what an observation could have been as well, and still be of the same cluster."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

View = Callable[[Tensor], Tensor]
"""From observations of shape (B, *y_shape) to a random view of each, of the same shape."""

ROTATION, SHIFT, SCALE, SHEAR = math.radians(15), 0.1, 0.15, 0.25
"""The most that an image is turned (radians), moved (share of its side), scaled and sheared."""
ERASED, SMALLEST, LARGEST = 0.5, 0.2, 0.5
"""Share of the images that a rectangle is erased from, and the least and the most that its sides are of the
image's."""
NOISE, SWAPPED = 0.1, 0.1
"""Standard deviation of the noise on a table's columns, as a share of each column's, and the share of values
that another row's take the place of."""


def views(augment: str, y_shape: tuple[int, ...]) -> View | None:
    """What makes views of observations: ``image``, ``table``, ``none`` (``None``), or ``auto``, which is
    table for tables and none for images: what may be done to an image without changing it, only its owner
    knows.

    Raises:
        ValueError: where observations of this shape are no images and views of images are asked for.
    """
    if augment == "auto":
        augment = "table" if len(y_shape) == 1 else "none"
    if augment == "none":
        return None
    if augment == "image":
        if len(y_shape) != 3:
            raise ValueError(
                f"augment is 'image', but an observation has shape {tuple(y_shape)}: it must be (channels, "
                "height, width), so give image_shape, or take augment table or none"
            )
        return image_view
    return table_view


def image_view(y: Tensor) -> Tensor:
    """Images of shape (B, channels, height, width), each turned, moved, scaled and sheared a little at
    random. What comes in from outside the image is as its edge."""
    count = len(y)

    def within(most: float) -> Tensor:
        return (torch.rand(count, device=y.device) * 2 - 1) * most

    angle, shear = within(ROTATION), within(SHEAR)
    wide, high = 1 + within(SCALE), 1 + within(SCALE)
    cosine, sine = angle.cos(), angle.sin()
    # of a point in the view, where in the image it is looked up, in half sides
    rows = torch.stack((cosine * wide, shear - sine * high, within(2 * SHIFT)), -1)
    columns = torch.stack((sine * wide, cosine * high, within(2 * SHIFT)), -1)
    grid = F.affine_grid(torch.stack((rows, columns), 1).to(y), list(y.shape), align_corners=False)
    return F.grid_sample(y, grid, padding_mode="border", align_corners=False)


def erased_view(y: Tensor) -> Tensor:
    """:func:`image_view`, after which a rectangle somewhere in half of the images is as their corner is
    (random erasing: Zhong et al., arXiv 1708.04896): what has an unusual part is seen without it as well."""
    view = image_view(y)
    count, _, *sides = view.shape

    def covered(side: int) -> Tensor:
        """The rows, or columns, that a rectangle takes, (B, side)."""
        length = side * (SMALLEST + (LARGEST - SMALLEST) * torch.rand(count, 1, device=y.device))
        centre = side * torch.rand(count, 1, device=y.device)
        return (torch.arange(side, device=y.device) + 0.5 - centre).abs() < length / 2

    rows, columns = map(covered, sides)
    gone = rows.unsqueeze(2) & columns.unsqueeze(1)
    gone &= torch.rand(count, 1, 1, device=y.device) < ERASED
    return torch.where(gone.unsqueeze(1), view[:, :, :1, :1], view)


def table_view(y: Tensor) -> Tensor:
    """Rows of shape (B, *y_shape), each moved up to halfway to its nearest neighbour in the batch, with some
    values taken from other rows (feature dropout) and noise on all."""
    rows = y.flatten(1)
    distance = torch.cdist(rows, rows).fill_diagonal_(math.inf)
    nearest = rows[distance.argmin(1)] if len(rows) > 1 else rows
    moved = rows + 0.5 * torch.rand(len(rows), 1, device=y.device).to(rows) * (nearest - rows)
    others = rows[torch.randperm(len(rows), device=y.device)]
    swapped = torch.rand(rows.shape, device=y.device) < SWAPPED
    noise = NOISE * rows.std(0, correction=0) * torch.randn(rows.shape, device=y.device).to(rows)
    return (torch.where(swapped, others, moved) + noise).reshape(y.shape)
