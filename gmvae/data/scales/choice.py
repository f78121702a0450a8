"""The scale of a table's columns: what is done to them before a Gaussian model sees them, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gmvae.data.scales.moments import Floats, Moments
from gmvae.data.scales.scaling import Scaling, dividing, standardising, together
from gmvae.data.scales.traits import KNEE, Traits
from gmvae.data.scales.warp import Warp


@dataclass(frozen=True)
class Scaled:
    """What is done to the columns, and why.

    Arguments:
        scaling: From the data to the model's units.
        moments: Of what is standardised: of the data, or of what a warp makes of them.
        reason: Why, in a sentence; empty where nothing is special.
        heavy: Columns with heavy tails, which the scale does not tame.
    """

    scaling: Scaling
    moments: Moments
    reason: str = ""
    heavy: tuple[int, ...] = ()


def choose_scale(
    scale: str,
    traits: Traits,
    moments: Moments,
    measure: Callable[[Scaling], Moments],
    *,
    every: bool = False,
    name: str = "X",
) -> Scaled:
    """The scale that is asked for, or that suits the data (``auto``).

    - ``standard``: each column to mean 0 and standard deviation 1.
    - ``robust``: likewise, by the mean and the deviation of the values near its median; those further out
      than ``KNEE`` deviations are brought nearer, by at most 1 beyond.
    - ``log``: the logarithm of each column without negative values, log(1 + y / s) with its least positive
      value s (which is 1 for counts); then standard.
    - ``unit``: each row to length 1, so that nearest neighbours are those of the cosine; then common.
    - ``common``: one scale for all columns, which leaves distances as they are.
    - ``none``: nothing.
    - ``auto``: unit where all rows have the same length already, common where the columns are principal
      components, and standard otherwise, but for columns with a few values that hide all others, which are
      robust, and for skewed ones where these are at least half of all: of them it takes the logarithm.

    Arguments:
        scale: One of these.
        traits: What a sample of the rows says of the columns.
        moments: Of the columns.
        measure: The moments of the columns once a scaling has shaped them.
        every: Whether constant columns are kept.
        name: What messages call the data.

    Raises:
        ValueError: where the values do not allow it.
    """
    if scale == "none":
        moments.check_digits(name)
        return Scaled(dividing(len(moments.mean)), moments, heavy=_numbers(traits.heavy | traits.skewed))
    kind, reason = scale, ""
    logs = robust = np.zeros(len(moments.mean), dtype=bool)
    if scale == "auto":
        kind, reason = _suited(traits, name)
        if 2 * np.count_nonzero(traits.skewed) >= len(traits.skewed):
            logs = traits.skewed
        robust = traits.absurd & ~logs
        if kind != "standard":
            logs = robust = np.zeros_like(logs)
    elif scale == "log":
        logs = traits.positive & ~moments.constant
        if not logs.any():
            raise ValueError(f"scale is 'log', but every column of {name} has values below 0: take another")
    elif scale == "robust":
        robust = ~moments.constant
    if kind != "unit" and not logs.any() and not robust.any():
        found = standardising(moments, every=every, name=name)
        found = together(found, moments) if kind == "common" else found
        heavy = () if kind == "common" else _numbers(traits.heavy | traits.skewed)
        return Scaled(found, moments, reason, heavy)
    shaping = replace(dividing(len(moments.mean)), unit_rows=kind == "unit")
    if logs.any() or robust.any():
        shaping = replace(shaping, warp=_warp(traits, moments, logs, robust))
    shaped = measure(shaping)
    found = standardising(shaped, every=every, name=name)
    if kind == "unit":
        found = together(found, shaped)
    found = replace(
        found,
        mean=np.where(robust, 0.0, found.mean),
        scale=np.where(robust, 1.0, found.scale),
        warp=shaping.warp,
        unit_rows=shaping.unit_rows,
    )
    if scale == "auto" and kind == "standard":
        reason = _of_tails(name, _numbers(logs), _numbers(robust))
    return Scaled(
        found,
        shaped,
        reason,
        _numbers((traits.heavy | traits.skewed) & ~logs & ~robust) if kind != "unit" else (),
    )


def _suited(traits: Traits, name: str) -> tuple[str, str]:
    if traits.unit_rows:
        return (
            "unit",
            f"rows of {name} all have the same length, so scale auto is unit: neighbours are those of the "
            "cosine",
        )
    if traits.components:
        return "common", (
            f"columns of {name} are uncorrelated and in the order of their spread, as principal components "
            "are, so scale auto is common: distances stay what they are"
        )
    return "standard", ""


def _warp(traits: Traits, moments: Moments, logs: NDArray[np.bool_], robust: NDArray[np.bool_]) -> Warp:
    """A logarithm of some columns, a robust scale of others, and nothing to the rest."""
    origin: Floats = np.where(robust, traits.centre, 0.0)
    unit: Floats = np.where(robust, traits.spread, np.where(logs, traits.smallest, 1.0))
    knee: Floats = np.where(robust, KNEE, 0.0)
    power: Floats = np.where(robust, -1.0, np.where(logs, 0.0, 1.0))
    warp = Warp(origin, unit, knee, power, np.zeros_like(knee))
    return warp.reaching(moments.minimum, moments.maximum)


def _of_tails(name: str, logs: tuple[int, ...], robust: tuple[int, ...]) -> str:
    counted = [f"{len(columns)} column{'s'[: len(columns) > 1]}" for columns in (logs, robust)]
    done = [f"takes the logarithm of {counted[0]}"] * bool(logs)
    done += [f"brings far values nearer in {counted[1]}"] * bool(robust)
    return f"{name} has columns with heavy tails, so scale auto {' and '.join(done)}"


def _numbers(chosen: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(chosen).tolist())
