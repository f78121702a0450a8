"""Augmented views: random changes of an observation that leave it in the same cluster."""

from __future__ import annotations

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from gmvae.training.distances import distances


class View(Protocol):
    """Makes a random augmented view of each observation."""

    def __call__(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Return a view of each observation, (B, *y_shape) to (B, *y_shape). The generator is one of their
        device, by default torch's global one."""


ROTATION, SHIFT, SCALE, SHEAR = math.radians(15), 0.1, 0.15, 0.25
"""Maximum rotation (radians), shift (share of the side), scaling and shear of an image."""
ERASED, SMALLEST, LARGEST = 0.5, 0.2, 0.5
"""Share of the images with an erased rectangle, and its minimum and maximum side, as a share of the image's
side."""
NOISE, SWAPPED = 0.1, 0.1
"""Standard deviation of the noise on a table's columns, as a share of that of each column, and the share of
values that are replaced with those of another row."""
NEARER = 0.25
"""Maximum share of the way to its nearest neighbour that a row moves, if clusters can be small."""


def views(augment: str, y_shape: tuple[int, ...]) -> View | None:
    """The function that makes augmented views: that of ``image`` or of ``table``, or ``None`` for ``none``.

    ``auto`` is table for tables and none for images, since only the user knows which changes leave an image
    in its class.

    Raises:
        ValueError: if views of images are asked for, but observations of this shape are not images.
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


def image_view(y: Tensor, generator: Generator | None = None) -> Tensor:
    """Turn, move, scale and shear images of shape (B, channels, height, width) a little, each at random.
    Pixels from outside an image repeat its edge."""

    def within(limit: float) -> Tensor:
        return (_uniform((len(y),), y, generator) * 2 - 1) * limit

    angle, shear = within(ROTATION), within(SHEAR)
    wide, high = 1 + within(SCALE), 1 + within(SCALE)
    cosine, sine = angle.cos(), angle.sin()
    # maps each point of the view to its place in the image, in units of half a side
    rows = torch.stack((cosine * wide, shear - sine * high, within(2 * SHIFT)), -1)
    columns = torch.stack((sine * wide, cosine * high, within(2 * SHIFT)), -1)
    grid = F.affine_grid(torch.stack((rows, columns), 1).to(y), list(y.shape), align_corners=False)
    return F.grid_sample(y, grid, padding_mode="border", align_corners=False)


def erased_view(y: Tensor, generator: Generator | None = None) -> Tensor:
    """:func:`image_view`, then a random rectangle in half of the images is filled with the value of their
    corner (random erasing: Zhong et al., arXiv 1708.04896). So an image with an unusual part is also seen
    without it."""
    view = image_view(y, generator)
    count, _, *sides = view.shape

    def covered(side: int) -> Tensor:
        """Which rows, or columns, a rectangle covers, (B, side)."""
        length = side * (SMALLEST + (LARGEST - SMALLEST) * _uniform((count, 1), y, generator))
        centre = side * _uniform((count, 1), y, generator)
        pixels = torch.arange(side, dtype=torch.float32, device=y.device) + 0.5
        return (pixels - centre).abs() < length / 2

    rows, columns = map(covered, sides)
    gone = rows.unsqueeze(2) & columns.unsqueeze(1)
    gone &= _uniform((count, 1, 1), y, generator) < ERASED
    return torch.where(gone.unsqueeze(1), view[:, :, :1, :1], view)


def table_view(y: Tensor, generator: Generator | None = None) -> Tensor:
    """Move each row, of shape (B, *y_shape), up to halfway to its nearest neighbour in the batch, replace
    some values with those of other rows (feature dropout), and add noise to all."""
    rows = y.flatten(1)
    distance = distances(rows, rows).fill_diagonal_(math.inf)
    nearest = rows[distance.argmin(1)] if len(rows) > 1 else rows
    moved = rows + 0.5 * _uniform((len(rows), 1), y, generator).to(rows) * (nearest - rows)
    others = rows[torch.randperm(len(rows), generator=generator, device=y.device)]
    swapped = _uniform(rows.shape, y, generator) < SWAPPED
    normal = torch.randn(rows.shape, generator=generator, dtype=torch.float32, device=y.device)
    noise = NOISE * rows.std(0, correction=0) * normal.to(rows)
    return (torch.where(swapped, others, moved) + noise).reshape(y.shape)


def nearby_view(y: Tensor, generator: Generator | None = None) -> Tensor:
    r"""Move each row, of shape (B, *y_shape), up to ``NEARER`` of the way to its nearest neighbour in the
    batch, at distance r. Noise is added with standard deviation :math:`r / (2 \sqrt D)`, at most ``NOISE``
    times that of the column. These moves are so small that small clusters stay separate."""
    rows = y.flatten(1)
    distance, index = distances(rows, rows).fill_diagonal_(math.inf).min(1)
    way = rows[index] - rows if len(rows) > 1 else torch.zeros_like(rows)
    moved = rows + NEARER * _uniform((len(rows), 1), y, generator).to(rows) * way
    spread = distance.to(rows).unsqueeze(1) / (2 * math.sqrt(rows.shape[1]))
    normal = torch.randn(rows.shape, generator=generator, dtype=torch.float32, device=y.device)
    return (moved + spread.minimum(NOISE * rows.std(0, correction=0)) * normal.to(rows)).reshape(y.shape)


def _uniform(shape: tuple[int, ...], y: Tensor, generator: Generator | None) -> Tensor:
    """Numbers from U(0, 1) on the device of y."""
    return torch.rand(shape, generator=generator, dtype=torch.float32, device=y.device)
