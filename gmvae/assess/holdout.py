"""What held-out rows show about a fit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

TRIMMED = 0.1
"""Share of the held-out rows with the greatest bounds, and of those with the smallest, that is ignored."""


@dataclass(frozen=True)
class Trial:
    """A fit to the rows that were not held out: its epochs, and its bounds in nats per observation."""

    epochs: int
    elbo: float
    """Bound on fitted rows."""
    held_out_elbo: float
    """Bound on held-out rows."""
    trimmed: float
    """Trimmed mean of the bound on held-out rows (:func:`trimmed_mean`), by which trials are compared."""

    @classmethod
    def of(
        cls, epochs: int, seen: Array, unseen: Array, weights: Array | None, unseen_weights: Array
    ) -> Self:
        """Make a trial from the bounds of fitted rows, (n,), of held-out rows, (m,), and the weights of
        both."""
        means = float(np.average(seen, weights=weights)), float(np.average(unseen, weights=unseen_weights))
        return cls(epochs, *means, trimmed_mean(unseen, unseen_weights))


@dataclass(frozen=True)
class Holdout:
    """What held-out rows show about the number of epochs."""

    rows: int
    """How many rows were held out."""
    epochs: int
    """Number of epochs of the chosen trial, or of the fit itself if it stopped early."""
    full: int
    """Number of epochs without held-out rows."""
    columns: int
    """How many numbers an observation has."""
    trials: tuple[Trial, ...]
    """The fits that were tried, of growing lengths."""

    @property
    def chosen(self) -> Trial:
        """The trial with ``epochs`` epochs."""
        return next(trial for trial in self.trials if trial.epochs == self.epochs)

    def shifted(self, nats: float) -> Self:
        """The same with ``nats`` added to each bound, for densities in other units."""
        bounds = ("elbo", "held_out_elbo", "trimmed")
        shifted = (replace(t, **{name: getattr(t, name) + nats for name in bounds}) for t in self.trials)
        return replace(self, trials=tuple(shifted))

    def to_json(self) -> dict[str, Any]:
        """The values as JSON."""
        return asdict(self) | {"trials": [asdict(trial) for trial in self.trials]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The object that :meth:`to_json` wrote."""
        return cls(**{**values, "trials": tuple(Trial(**trial) for trial in values["trials"])})


def trimmed_mean(values: Array, weights: Array) -> float:
    """The weighted mean of values, (n,), without ``TRIMMED`` of the weight at either end."""
    order = np.argsort(values)
    share = weights[order] / weights.sum()
    ends = np.cumsum(share)
    kept = np.clip(ends, TRIMMED, 1 - TRIMMED) - np.clip(ends - share, TRIMMED, 1 - TRIMMED)
    return float(kept @ values[order] / kept.sum())
