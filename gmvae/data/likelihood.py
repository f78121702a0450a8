"""The likelihood that suits values, and how images and zeros and ones come to the model."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from gmvae.data.scales.moments import Moments
from gmvae.data.scales.scaling import Scaling, dividing

NEAR = 0.05
"""How far below 1 the greatest value in [0, 1] may be for 1 to count as the top of the scale."""
BINARITY = 0.37
"""Least share of the variance of 0/1 data with the same means. It is 1 for 0/1 data, 0.78 for MNIST, 0.41 for
USPS, and 1/3 where values are spread evenly over [0, 1]."""
DIMMEST = 0.5
"""Least greatest value of images in [0, 1]: those below have another unit."""


class Suited(NamedTuple):
    """The likelihood of observations, and how they come to the model."""

    likelihood: str
    reason: str
    scaling: Scaling | None
    """Of a Bernoulli model; of a Gaussian one it is to be found (:mod:`gmvae.data.scales.choice`)."""
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
    """The likelihood, and why.

    ``"auto"`` is Bernoulli where values are zeros and ones, or levels between them: all lie in [0, 1], some
    come near 1, they vary at least ``BINARITY`` times as much as zeros and ones of the same means, not every
    column goes from 0 to 1, as measurements do that were divided by their ranges, and rows neither add up to
    1, as shares of a total do, nor have length 1, as TF-IDF has. It is Bernoulli, too,
    where rows are images with values in [0, 1] of which one is at least ``DIMMEST``, or levels of uint8,
    which are divided by 255 unless they are zeros and ones. Else it is Gaussian, whatever the unit, and where
    a scale is asked for, which only a Gaussian model has.

    Raises:
        ValueError: where the values do not suit the likelihood, or rows the shape of the images.
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
        likelihood, why = "gaussian", f"scale {scale} was asked for, so likelihood auto is gaussian"
    elif likelihood == "auto":
        to = "levels of 0 to 255" if levels else "[0, 1]"
        likelihood, why = _suited(moments, name, image=image_shape is not None, levels=levels, to=to)
        why = f"{why}, so likelihood auto is {likelihood}"
    else:
        why = f"likelihood {likelihood} was asked for"
    if likelihood == "gaussian":
        return Suited(likelihood, why, None, shape)
    if asked:
        raise ValueError(
            f"scale is {scale!r} and likelihood is 'bernoulli', which takes values in [0, 1] as they are: "
            "leave one of them out"
        )
    if not (levels or moments.unit_interval):
        raise ValueError(
            f"likelihood is 'bernoulli', but {name} has values from {low:g} to {high:g}: it must lie in "
            "[0, 1], so bring it there, or take likelihood gaussian"
        )
    return Suited(likelihood, why, dividing(width, 255.0 if levels else 1.0), shape)


def _suited(moments: Moments, name: str, *, image: bool, levels: bool, to: str) -> tuple[str, str]:
    """The likelihood that values suit, and why."""
    low, high = float(moments.minimum.min()), float(moments.maximum.max())
    if not levels and not moments.unit_interval:
        return "gaussian", f"{name} has values from {low:g} to {high:g}, outside of [0, 1]"
    if image:
        if levels or high >= DIMMEST:
            return "bernoulli", f"{name} has images with values in {to}"
        return "gaussian", f"{name} has images with values of at most {high:g}, which are far from 1"
    if moments.binary:
        return "bernoulli", f"{name} has only the values 0 and 1"
    if high < 1 - NEAR:
        return "gaussian", f"{name} lies in [0, 1] with no value near 1, but at most {high:g}"
    if moments.by_range:
        return "gaussian", f"{name} has columns of measurements that all go from 0 to 1, as scaled by ranges"
    if moments.shares:
        return "gaussian", f"{name} lies in [0, 1] and its rows {moments.shares}"
    much = f"{name} lies in [0, 1] and varies {moments.binarity:.0%} as much as zeros and ones would"
    return "bernoulli" if moments.binarity >= BINARITY else "gaussian", much
