"""A model in the middle of a fit, as the arrays that observers ask for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.diagnostics import Diagnostics, examine
from gmvae.assess.overview import Overview, overview
from gmvae.assess.shown import Snapshot
from gmvae.assess.snapshot import glance, snapshot
from gmvae.data.observations import Observations
from gmvae.data.prepare import Prepared
from gmvae.model import inference
from gmvae.model.vae import GaussianMixtureVAE


class Moment:
    """The current state of a model. Nothing is computed until it is asked for.

    Arguments:
        model: The model.
        data: The data that it is fitted to.
    """

    def __init__(self, model: GaussianMixtureVAE, data: Prepared) -> None:
        self._model, self._data = model, data

    def examine(self, rows: Observations) -> tuple[Diagnostics, NDArray[np.float64]]:
        """The diagnostics from rows, and q(z | ...) of each row, (n, K)."""
        return examine(self._model, rows.tensor())

    def clusters(self, rows: Observations) -> NDArray[np.int64]:
        """The most probable cluster of each row, (n,)."""
        return self.probabilities(rows).argmax(1)

    def probabilities(self, rows: Observations) -> NDArray[np.float32]:
        """q(z | ...) of each row, (n, K)."""
        return inference.assign(self._model, rows.tensor())

    def bound(self, rows: Observations, mc_samples: int) -> float:
        """The mean lower bound on log p(y) of rows, nats per observation, in the units of the data."""
        return float(inference.bound(self._model, rows.tensor(), mc_samples).mean()) + self._data.log_det

    def log_likelihood(self, rows: Observations, samples: int) -> float:
        """The mean importance-weighted estimate of log p(y) of rows, in the same units."""
        found = inference.log_likelihood(self._model, rows.tensor(), samples)
        return float(found.mean()) + self._data.log_det

    def snapshot(self, count: int) -> Snapshot:
        """The arrays that pictures show, from at most ``count`` observations, evenly spaced."""
        return snapshot(self._model, self._data.everything.spaced(count).tensor())

    def glance(self, picture: str, count: int, share: float) -> Snapshot:
        """The arrays that one picture shows, from at most ``count`` observations, with a share of the
        work."""
        return glance(self._model, self._data.everything.spaced(count).tensor(), picture, share)

    def overview(
        self,
        count: int,
        share: float,
        labels: NDArray[np.int64] | None,
        epoch: tuple[int, int],
    ) -> Overview:
        """The arrays that a page shows, from at most ``count`` observations, with a share of the work, the
        labels of all rows of the data, the number of the restart, and that of its epochs."""
        return overview(self._model, self._data, count, share, labels, epoch)
