"""Choose the likelihood that suits the values, and how images and zeros and ones are scaled for the model."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from gmvae.data.scales.moments import Moments
from gmvae.data.scales.scaling import Scaling, dividing

NEAR = 0.05
"""Values in [0, 1] count as reaching 1 if their maximum is less than this below 1."""
BINARITY = 0.37
"""Minimum variance for a Bernoulli likelihood, as a share of that of 0/1 data with the same means. The share
is 1 for 0/1 data, 0.78 for MNIST, 0.41 for USPS, and 1/3 for values spread evenly over [0, 1]."""
DIMMEST = 0.5
"""If the greatest value of images in [0, 1] is smaller than this, they are in another unit."""


class Suited(NamedTuple):
    """The likelihood of observations, and their scaling for the model."""

    likelihood: str
    reason: str
    scaling: Scaling | None
    """The scaling of a Bernoulli model; ``None`` for a Gaussian one, whose scaling is chosen later
    (:mod:`gmvae.data.scales.choice`)."""
    image_shape: tuple[int, ...] | None
    """(channels, height, width) of images."""


def choose(
    moments: Moments,
    dtype: np.dtype[Any],
    likelihood: str,
    image_shape: tuple[int, ...] | None,
    name: str = "X",
    scale: str = "auto",
) -> Suited:
    """Choose the likelihood, with a reason.

    ``"auto"`` is Bernoulli for zeros and ones, and for levels between them. Such levels all lie in [0, 1],
    some come near 1, and they vary at least ``BINARITY`` times as much as zeros and ones with the same means.
    Not every column goes from 0 to 1, like measurements divided by their ranges. Their rows neither add up to
    1, like shares of a total, nor have length 1, like TF-IDF.

    It is also Bernoulli for images with values in [0, 1] of which one is at least ``DIMMEST``, and for images
    of uint8, which are divided by 255 unless they are zeros and ones. Otherwise it is Gaussian, whatever the
    unit. It is also Gaussian if a scale is asked for, since only a Gaussian model has one.

    Raises:
        ValueError: if the values do not suit the likelihood, or rows the shape of the images.
    """
    width = len(moments.mean)
    shape = None
    if image_shape is not None:
        shape = (1, *image_shape) if len(image_shape) == 2 else tuple(image_shape)
        if len(shape) != 3 or math.prod(shape) != width:
            raise ValueError(
                f"image_shape is {image_shape!r}: it must be (height, width) or (channels, height, width) "
                f"with {width} numbers in all, as each row of {name} has"
            )
    low, high = float(moments.minimum.min()), float(moments.maximum.max())
    levels = image_shape is not None and dtype == np.uint8 and not moments.binary
    asked = scale not in ("auto", "none")
    if likelihood == "auto" and asked:
        likelihood, why = "gaussian", f"scale {scale} was asked for, so likelihood=auto chose gaussian"
    elif likelihood == "auto":
        to = "levels of 0 to 255" if levels else "[0, 1]"
        likelihood, why = _suited(moments, name, image=image_shape is not None, levels=levels, to=to)
        why = f"{why}, so likelihood=auto chose {likelihood}"
    else:
        why = f"likelihood {likelihood} was asked for"
    if likelihood == "gaussian":
        return Suited(likelihood, why, None, shape)
    if asked:
        raise ValueError(
            f"scale is {scale!r} and likelihood is 'bernoulli', which takes values in [0, 1] as they are: "
            "leave out one of the two"
        )
    if not (levels or moments.unit_interval):
        raise ValueError(
            f"likelihood is 'bernoulli', but {name} has values from {low:g} to {high:g}: it must lie in "
            "[0, 1], so scale it, or choose likelihood gaussian"
        )
    return Suited(likelihood, why, dividing(width, 255.0 if levels else 1.0), shape)


def _suited(moments: Moments, name: str, *, image: bool, levels: bool, to: str) -> tuple[str, str]:
    """The likelihood that suits the values, with a reason."""
    low, high = float(moments.minimum.min()), float(moments.maximum.max())
    if not levels and not moments.unit_interval:
        return "gaussian", f"{name} has values from {low:g} to {high:g}, outside of [0, 1]"
    if image:
        if levels or high >= DIMMEST:
            return "bernoulli", f"{name} has images with values in {to}"
        return "gaussian", f"{name} has images whose greatest value is {high:g}, far below 1"
    if moments.binary:
        return "bernoulli", f"{name} has only the values 0 and 1"
    if high < 1 - NEAR:
        return "gaussian", f"{name} lies in [0, 1], but its greatest value is {high:g}, not near 1"
    if moments.by_range:
        return (
            "gaussian",
            f"{name} has columns that all go from 0 to 1, like measurements divided by their ranges",
        )
    if moments.shares:
        return "gaussian", f"{name} lies in [0, 1] and its rows {moments.shares}"
    reason = (
        f"{name} lies in [0, 1], with {moments.binarity:.0%} of the variance that zeros and ones would have"
    )
    return "bernoulli" if moments.binarity >= BINARITY else "gaussian", reason
