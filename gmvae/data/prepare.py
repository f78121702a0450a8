"""From rows or a data set to what a fit takes: observations in the model's units, and how they came to be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gmvae.data.dataset import Dataset
from gmvae.data.observations import Observations
from gmvae.data.scaling import Floats, Moments, Scaling, choose, dividing
from gmvae.data.survey import Survey, weighed


@dataclass(frozen=True)
class Prepared:
    """Observations in the model's units.

    Arguments:
        rows: What is fitted to, each with its weight.
        everything: All rows of the data in their own order, copies and rows without weight among them.
        scaling: From the data to the observations.
        likelihood: The likelihood that suits them, or that was asked for.
        reason: Why, in a sentence.
        binary: Whether every value is 0 or 1.
        edges: The least and the greatest of each number of an observation, (size of y,) each.
        constants: The value of each column that has one value only.
        fingerprint: SHA-256 of the data, 64 hexadecimal digits.
        own: Whether they are somebody's own data: distinct rows with weights, whose order makes no
            difference, and clusters numbered by size. The paper's experiments keep each row as it is.
    """

    rows: Observations
    everything: Observations
    scaling: Scaling
    likelihood: str
    reason: str
    binary: bool
    edges: tuple[Floats, Floats]
    constants: dict[int, float]
    fingerprint: str
    own: bool

    @property
    def y_shape(self) -> tuple[int, ...]:
        """Shape of an observation."""
        return self.rows.y_shape

    @property
    def log_det(self) -> float:
        """What a density of observations lacks to be one in the units of the data, nats."""
        return self.scaling.log_det if self.own and self.likelihood == "gaussian" else 0.0


def prepare(
    X: Any,
    weights: Any = None,
    *,
    likelihood: str = "auto",
    image_shape: Sequence[int] | None = None,
    standardise: bool = True,
    device: torch.device,
    name: str = "X",
    scaling: Scaling | None = None,
) -> Prepared:
    """Somebody's own rows as observations.

    Arguments:
        X: The rows, (N, D): an array, a memmap or a sparse matrix.
        weights: What each row counts, (N,); all the same unless given.
        likelihood: The likelihood that is asked for, or ``"auto"``.
        image_shape: (height, width) or (channels, height, width) of rows that are images.
        standardise: Whether columns are brought to mean 0 and standard deviation 1 for a Gaussian.
        device: Where batches are wanted.
        name: What messages call the data.
        scaling: The scaling of an earlier fit that this one goes on with.

    Raises:
        ValueError: where the values do not suit the likelihood or the shape, or weights break a rule.
    """
    survey = Survey.of(X, weighed(X, weights))
    shape = None if image_shape is None else tuple(image_shape)
    likelihood, reason, suited, y_shape = choose(survey.moments, X.dtype, likelihood, shape, name)
    if likelihood == "gaussian" and not standardise:
        suited = dividing(X.shape[1])
        y_shape = y_shape if shape is not None else (X.shape[1],)
        survey.moments.check_digits(name)
    if scaling is not None:
        suited = scaling
        y_shape = y_shape if shape is not None else (len(scaling.kept),)
    survey = survey.arranged(X, suited)
    rows = Observations(X, suited, y_shape, device, survey.order, survey.weights)
    same = survey.moments.constant
    constants = dict(zip(np.flatnonzero(same).tolist(), survey.moments.minimum[same].tolist(), strict=True))
    everything = Observations(X, suited, y_shape, device)
    low, high = suited.rounded(np.stack((survey.moments.minimum, survey.moments.maximum))).astype(np.float64)
    return Prepared(
        rows, everything, suited, likelihood, reason, survey.moments.binary, (low, high), constants,
        survey.fingerprint, own=True,
    )  # fmt: skip


def as_it_is(data: Dataset, likelihood: str, device: torch.device) -> Prepared:
    """A data set of the paper as observations: every row counts once, in its own order and unit.

    Raises:
        ValueError: where its values do not suit the likelihood, or have no place in float32.
    """
    width = math.prod(data.y_shape)
    bytes_, levels = data.y.dtype == np.uint8, data.y.dtype == np.uint8 and bool((data.y > 1).any())
    source, reason = data.table, f"likelihood {likelihood} was asked for"
    if likelihood == "auto":
        likelihood = "bernoulli" if bytes_ else "gaussian"
        reason = f"{data.name} has {'bytes' if bytes_ else 'numbers'}, so likelihood auto is {likelihood}"
    edges = np.zeros(width), np.ones(width)
    if not levels:
        moments = Moments(width)
        moments.add(source.astype(np.float64, copy=False))
        moments.check_digits(data.name)
        low, high = float(moments.minimum.min()), float(moments.maximum.max())
        if likelihood == "bernoulli" and not moments.unit_interval:
            raise ValueError(
                f"{data.name} has numbers from {low:g} to {high:g}, but likelihood bernoulli is for "
                "numbers from 0 to 1: bring them there, or choose --likelihood gaussian"
            )
        source, edges = source.astype(np.float32, copy=False), (moments.minimum, moments.maximum)
    scaling = dividing(width, 255.0 if levels else 1.0)
    rows = Observations(source, scaling, data.y_shape, device, resident=True)
    return Prepared(rows, rows, scaling, likelihood, reason, False, edges, {}, data.fingerprint(), own=False)
