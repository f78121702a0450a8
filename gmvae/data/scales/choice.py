"""Choose the scale of a table's columns for a Gaussian model, with a reason."""

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
    """The scale of the columns, with a reason.

    Arguments:
        scaling: From the data to the model's units.
        moments: Moments of the values before they are standardised: of the data, or of the warped data.
        reason: Why it was chosen, in a sentence; empty if nothing is special.
        heavy: Columns with heavy tails that the scale does not tame.
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
    """Choose the scale that is asked for, or the one that suits the data (``auto``).

    - ``standard``: each column to mean 0 and standard deviation 1.
    - ``robust``: the same, but with the mean and the deviation of the values near the median. Values further
      out than ``KNEE`` deviations are brought nearer, to less than ``KNEE`` + 1.
    - ``log``: the logarithm of each column without negative values, log(1 + y / s) with its smallest positive
      value s (1 for counts); then standard.
    - ``unit``: each row to length 1, so that nearest neighbours are those by cosine; then common.
    - ``common``: one scale for all columns, which keeps the ratios of distances.
    - ``none``: no scaling.
    - ``auto``: unit if all rows have the same length already, common if the columns are principal components
      or levels of one scale, such as pixels, and otherwise standard, with two exceptions. Columns in which a
      few values hide all others are robust. If at least half of all columns are skewed, the skewed ones are
      log.

    Arguments:
        scale: One of these.
        traits: Traits of the columns, from a sample of the rows.
        moments: Moments of the columns.
        measure: Gives the moments of the columns after a scaling's map g.
        every: Whether constant columns are kept.
        name: Name of the data in messages.

    Raises:
        ValueError: if the values do not allow this scale.
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
            raise ValueError(f"scale is 'log', but every column of {name} has values below 0: choose another")
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
            f"rows of {name} all have the same length, so scale=auto chose unit: neighbours are by cosine",
        )
    if traits.components:
        return "common", (
            f"columns of {name} are uncorrelated and in the order of their spread, as principal components "
            "are, so scale=auto chose common: distances keep their proportions"
        )
    if traits.levels:
        return "common", (
            f"many columns of {name} have the same smallest and greatest value, as pixels do, so scale=auto "
            "chose common: distances keep their proportions"
        )
    return "standard", ""


def _warp(traits: Traits, moments: Moments, logs: NDArray[np.bool_], robust: NDArray[np.bool_]) -> Warp:
    """A logarithm for some columns, a robust scale for others, and no change for the rest."""
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
