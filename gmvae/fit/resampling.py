"""Stability of a fit's clusters: how they change when the fit starts from other samples of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.confidence import Confidence, stability
from gmvae.config import Config
from gmvae.data.dataset import scaled
from gmvae.data.prepare import Prepared
from gmvae.model.answers import probabilities
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.progress import Progress
from gmvae.start.begin import PARTITIONED, Start
from gmvae.start.candidates.base import Rows
from gmvae.start.resampling import resampled
from gmvae.start.rounds import features


@dataclass(frozen=True)
class Resampling:
    """The stability of a fit's clusters under resampling.

    Arguments:
        rows: The numbers of the rows for which it was measured, (n,).
        stability: The share of the starts in which each of these rows keeps its cluster, (n,).
        clusters: The mean stability of each cluster, (K,); 0 for a cluster without such rows.
        confidence: From q(z | y) to the probability that a row keeps its cluster.
        samples: The number of starts.
    """

    rows: NDArray[np.int64]
    stability: NDArray[np.float64]
    clusters: tuple[float, ...]
    confidence: Confidence
    samples: int

    def to_json(self) -> dict[str, Any]:
        """The stability of the clusters, and the calibration for new rows, as JSON values."""
        return {
            "samples": self.samples,
            "clusters": list(self.clusters),
            "confidence": self.confidence.to_json(),
        }


def resample(
    model: GaussianMixtureVAE, config: Config, data: Prepared, start: Start, progress: Progress
) -> Resampling:
    """Repeat the start on other samples of at most 5,000 rows, with the method that was chosen for it.

    Arguments:
        model: The fitted model.
        config: The resolved configuration.
        data: The data it was fitted to.
        start: The start of the fit.
        progress: Called with the share of the work that is done.
    """
    rows, training = data.rows.sample(PARTITIONED), config.training
    observed, image = rows.tensor(), len(data.y_shape) == 3
    if start.chosen == "manifold":
        values = features(model, observed).astype(np.float64)
    else:
        values = scaled(observed).flatten(1).cpu().double().numpy()
    size = config.model.clusters
    sample = Rows(values, min(size, len(values)), training.seed % 2**31, rows.weights)
    found = resampled(sample, start.chosen, training.resamples, image=image, progress=progress)
    q = probabilities(model, rows)
    clusters = q.argmax(1)
    # in a sample without K such clusters, no row keeps its cluster
    stable = stability(clusters, found) * (len(found) / training.resamples)
    sizes = np.bincount(clusters, minlength=size)
    means = np.bincount(clusters, stable, size) / np.maximum(sizes, 1)
    calibrated = Confidence.of(q, stable)
    return Resampling(rows.order, stable, tuple(means.tolist()), calibrated, training.resamples)
