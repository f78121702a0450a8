"""Views of observations: what an observation could have been as well, and still be of the same cluster."""

from __future__ import annotations

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from gmvae.training.distances import distances


class View(Protocol):
    """From observations to a random view of each."""

    def __call__(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """A view of each observation, (B, *y_shape) to (B, *y_shape), drawn from a generator of their device,
        torch's global one unless given."""


ROTATION, SHIFT, SCALE, SHEAR = math.radians(15), 0.1, 0.15, 0.25
"""The most that an image is turned (radians), moved (share of its side), scaled and sheared."""
ERASED, SMALLEST, LARGEST = 0.5, 0.2, 0.5
"""Share of the images that a rectangle is erased from, and the least and the most that its sides are of the
image's."""
NOISE, SWAPPED = 0.1, 0.1
"""Standard deviation of the noise on a table's columns, as a share of each column's, and the share of values
that another row's take the place of."""
NEARER = 0.25
"""Share of the way to its nearest neighbour that a row moves at most, where clusters may be small."""


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


def image_view(y: Tensor, generator: Generator | None = None) -> Tensor:
    """Images of shape (B, channels, height, width), each turned, moved, scaled and sheared a little at
    random. What comes in from outside the image is as its edge."""

    def within(most: float) -> Tensor:
        return (_uniform((len(y),), y, generator) * 2 - 1) * most

    angle, shear = within(ROTATION), within(SHEAR)
    wide, high = 1 + within(SCALE), 1 + within(SCALE)
    cosine, sine = angle.cos(), angle.sin()
    # of a point in the view, where in the image it is looked up, in half sides
    rows = torch.stack((cosine * wide, shear - sine * high, within(2 * SHIFT)), -1)
    columns = torch.stack((sine * wide, cosine * high, within(2 * SHIFT)), -1)
    grid = F.affine_grid(torch.stack((rows, columns), 1).to(y), list(y.shape), align_corners=False)
    return F.grid_sample(y, grid, padding_mode="border", align_corners=False)


def erased_view(y: Tensor, generator: Generator | None = None) -> Tensor:
    """:func:`image_view`, after which a rectangle somewhere in half of the images is as their corner is
    (random erasing: Zhong et al., arXiv 1708.04896): what has an unusual part is seen without it as well."""
    view = image_view(y, generator)
    count, _, *sides = view.shape

    def covered(side: int) -> Tensor:
        """The rows, or columns, that a rectangle takes, (B, side)."""
        length = side * (SMALLEST + (LARGEST - SMALLEST) * _uniform((count, 1), y, generator))
        centre = side * _uniform((count, 1), y, generator)
        pixels = torch.arange(side, dtype=torch.float32, device=y.device) + 0.5
        return (pixels - centre).abs() < length / 2

    rows, columns = map(covered, sides)
    gone = rows.unsqueeze(2) & columns.unsqueeze(1)
    gone &= _uniform((count, 1, 1), y, generator) < ERASED
    return torch.where(gone.unsqueeze(1), view[:, :, :1, :1], view)


def table_view(y: Tensor, generator: Generator | None = None) -> Tensor:
    """Rows of shape (B, *y_shape), each moved up to halfway to its nearest neighbour in the batch, with some
    values taken from other rows (feature dropout) and noise on all."""
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
    r"""Rows of shape (B, *y_shape), each moved up to ``NEARER`` of the way to its nearest neighbour in the
    batch, at distance r, with noise of standard deviation :math:`r / 2 \sqrt D`, at most ``NOISE`` of a
    column's: so near that small clusters stay apart."""
    rows = y.flatten(1)
    distance, index = distances(rows, rows).fill_diagonal_(math.inf).min(1)
    way = rows[index] - rows if len(rows) > 1 else torch.zeros_like(rows)
    moved = rows + NEARER * _uniform((len(rows), 1), y, generator).to(rows) * way
    spread = distance.to(rows).unsqueeze(1) / (2 * math.sqrt(rows.shape[1]))
    normal = torch.randn(rows.shape, generator=generator, dtype=torch.float32, device=y.device)
    return (moved + spread.minimum(NOISE * rows.std(0, correction=0)) * normal.to(rows)).reshape(y.shape)


def _uniform(shape: tuple[int, ...], y: Tensor, generator: Generator | None) -> Tensor:
    """Numbers from U(0, 1) where y is."""
    return torch.rand(shape, generator=generator, dtype=torch.float32, device=y.device)
