"""Prepare rows or a data set for a fit: observations in the model's units, and how they were made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch

from gmvae.data.dataset import Dataset
from gmvae.data.likelihood import choose
from gmvae.data.observations import Observations
from gmvae.data.oddities import NOTHING_ODD, Oddities
from gmvae.data.scales.choice import Scaled, choose_scale
from gmvae.data.scales.moments import Floats, Moments
from gmvae.data.scales.scaling import Scaling, dividing
from gmvae.data.survey import Survey, weighed

AVERAGED = 10_000
"""Maximum number of rows in a mean over the data."""


@dataclass(frozen=True)
class Prepared:
    """Observations in the model's units.

    Arguments:
        rows: The rows to fit, each with its weight.
        everything: All rows of the data in their own order, including copies and rows without weight.
        scaling: From the data to the observations.
        likelihood: The likelihood, as requested or chosen.
        reason: Why it was chosen, in a sentence.
        binary: Whether every value is 0 or 1.
        edges: The minimum and the maximum of each number of an observation, (size of y,) each.
        constants: The value of each column that has only one value.
        fingerprint: SHA-256 of the data, 64 hexadecimal digits.
        own: Whether these are the user's own data: distinct rows with weights, whose order makes no
            difference, and clusters numbered by size. The paper's experiments keep each row as it is.
        scale_reason: Why the columns have their scale, in a sentence; empty if nothing is special.
        oddities: Unusual properties of the table.
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
    scale_reason: str = ""
    oddities: Oddities = NOTHING_ODD

    @property
    def y_shape(self) -> tuple[int, ...]:
        """Shape of an observation."""
        return self.rows.y_shape

    @cached_property
    def log_det(self) -> float:
        """The mean log-determinant of the scaling, in nats: what must be added to a log-density of
        observations to get one in the units of the data."""
        if not self.own or self.likelihood != "gaussian":
            return 0.0
        if self.scaling.affine:
            return float(self.scaling.log_dets(np.zeros((1, len(self.scaling.kept))))[0])
        rows = self.rows.at_hand.sample(AVERAGED)
        return float(np.average(rows.log_dets(self.scaling), weights=rows.weights))


def prepare(
    X: Any,
    weights: Any = None,
    *,
    likelihood: str = "auto",
    image_shape: Sequence[int] | None = None,
    scale: str = "auto",
    device: torch.device,
    name: str = "X",
    names: Sequence[str] = (),
    scaling: Scaling | None = None,
) -> Prepared:
    """The user's own rows as observations.

    Arguments:
        X: The rows, (N, D): an array, a memmap or a sparse matrix.
        weights: Weights of the rows, (N,); equal by default.
        likelihood: The likelihood that is asked for, or ``"auto"``.
        image_shape: (height, width) or (channels, height, width) of rows that are images.
        scale: How the columns are scaled for a Gaussian model: see
            :func:`gmvae.data.scales.choice.choose_scale`.
        device: Device of the batches.
        name: Name of the data in messages.
        names: Names of the columns.
        scaling: The scaling of an earlier fit that this one continues.

    Raises:
        ValueError: if the values do not suit the likelihood, the scale or the shape, or the weights are not
            valid.
    """
    weights = weighed(X, weights)
    survey = Survey.of(X, weights)
    shape = None if image_shape is None else tuple(image_shape)
    likelihood, reason, given, shape = choose(survey.moments, X.dtype, likelihood, shape, name, scale)
    scaled = Scaled(scaling or given or dividing(X.shape[1]), survey.moments)
    oddities = Oddities(int(np.count_nonzero(weights)), len(survey.order), X.shape[1], names=tuple(names))
    if scaling is not None:
        scaled = Scaled(scaling, survey.measure(X, scaling))
    elif given is None:
        traits = survey.traits(X)
        measure = partial(survey.measure, X)
        scaled = choose_scale(scale, traits, survey.moments, measure, every=shape is not None, name=name)
        oddities = oddities.of_columns(scaled.heavy, traits.rare)
    suited, moments = scaled.scaling, scaled.moments
    y_shape = shape or (len(suited.kept),)
    survey = survey.arranged(X, suited)
    rows = Observations(X, suited, y_shape, device, survey.order, survey.weights)
    everything = Observations(X, suited, y_shape, device)
    return Prepared(
        rows, everything, suited, likelihood, reason, survey.moments.binary, edges(suited, moments),
        constants(suited, survey.moments, moments), survey.fingerprint, True, scaled.reason,
        oddities if shape is None else NOTHING_ODD,
    )  # fmt: skip


def edges(scaling: Scaling, moments: Moments) -> tuple[Floats, Floats]:
    """The minimum and the maximum of each number of an observation, from the moments of the values before
    they are standardised."""
    ends = np.stack((moments.minimum, moments.maximum))
    low, high = scaling.grained(scaling.standardised(ends)).astype(np.float64)
    return low, high


def constants(scaling: Scaling, moments: Moments, shaped: Moments) -> dict[int, float]:
    """The value of each column that has only one: in the data or, if rows are scaled to length 1, after
    that."""
    of = shaped if scaling.unit_rows else moments
    same = of.constant
    return dict(zip(np.flatnonzero(same).tolist(), of.minimum[same].tolist(), strict=True))


def as_it_is(data: Dataset, likelihood: str, device: torch.device) -> Prepared:
    """A data set of the paper as observations: every row counts once, in its own order and unit.

    Raises:
        ValueError: if its values do not suit the likelihood, or float32 cannot hold them.
    """
    width = math.prod(data.y_shape)
    bytes_, levels = data.y.dtype == np.uint8, data.y.dtype == np.uint8 and bool((data.y > 1).any())
    source, reason = data.table, f"likelihood {likelihood} was asked for"
    if likelihood == "auto":
        likelihood = "bernoulli" if bytes_ else "gaussian"
        reason = f"{data.name} has {'bytes' if bytes_ else 'numbers'}, so likelihood=auto chose {likelihood}"
    ends = np.zeros(width), np.ones(width)
    if not levels:
        moments = Moments(width)
        moments.add(source.astype(np.float64, copy=False))
        moments.check_digits(data.name)
        low, high = float(moments.minimum.min()), float(moments.maximum.max())
        if likelihood == "bernoulli" and not moments.unit_interval:
            raise ValueError(
                f"{data.name} has numbers from {low:g} to {high:g}, but likelihood bernoulli is for "
                "numbers from 0 to 1: scale them, or choose --likelihood gaussian"
            )
        source, ends = source.astype(np.float32, copy=False), (moments.minimum, moments.maximum)
    scaling = dividing(width, 255.0 if levels else 1.0)
    rows = Observations(source, scaling, data.y_shape, device, resident=True)
    return Prepared(rows, rows, scaling, likelihood, reason, False, ends, {}, data.fingerprint(), own=False)
