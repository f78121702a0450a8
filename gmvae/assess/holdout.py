"""What rows say of a fit that were held out from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

TRIMMED = 0.1
"""Share of the held-out rows with the greatest bounds, and of those with the least, that do not count."""


@dataclass(frozen=True)
class Trial:
    """A fit to the rows that were not held out: its epochs, and its bounds in nats per observation."""

    epochs: int
    elbo: float
    """On rows that it was fitted to."""
    held_out_elbo: float
    """On those that were held out."""
    trimmed: float
    """On those that were held out, but for outliers (:func:`trimmed_mean`): what decides."""

    @classmethod
    def of(
        cls, epochs: int, seen: Array, unseen: Array, weights: Array | None, unseen_weights: Array
    ) -> Self:
        """From the bounds of rows that a fit has seen, (n,), of others, (m,), and the weights of both."""
        means = float(np.average(seen, weights=weights)), float(np.average(unseen, weights=unseen_weights))
        return cls(epochs, *means, trimmed_mean(unseen, unseen_weights))


@dataclass(frozen=True)
class Holdout:
    """What rows say that were held out."""

    rows: int
    """How many they are."""
    epochs: int
    """Those of the trial that was chosen, or of the fit itself, where it stopped early."""
    full: int
    """The epochs without any of this."""
    columns: int
    """Numbers of an observation."""
    trials: tuple[Trial, ...]
    """The fits that were tried, of growing lengths."""

    @property
    def chosen(self) -> Trial:
        """The trial of ``epochs``."""
        return next(trial for trial in self.trials if trial.epochs == self.epochs)

    def shifted(self, nats: float) -> Self:
        """The same with so much more in each bound, for densities in other units."""
        bounds = ("elbo", "held_out_elbo", "trimmed")
        shifted = (replace(t, **{name: getattr(t, name) + nats for name in bounds}) for t in self.trials)
        return replace(self, trials=tuple(shifted))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"trials": [asdict(trial) for trial in self.trials]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """What :meth:`to_json` wrote."""
        return cls(**{**values, "trials": tuple(Trial(**trial) for trial in values["trials"])})


def trimmed_mean(values: Array, weights: Array) -> float:
    """The weighted mean of values, (n,), without ``TRIMMED`` of the weight at either end."""
    order = np.argsort(values)
    share = weights[order] / weights.sum()
    ends = np.cumsum(share)
    kept = np.clip(ends, TRIMMED, 1 - TRIMMED) - np.clip(ends - share, TRIMMED, 1 - TRIMMED)
    return float(kept @ values[order] / kept.sum())
