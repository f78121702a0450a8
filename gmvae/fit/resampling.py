"""How stable the clusters of a fit are: what becomes of them when it starts from other rows of the data."""

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
    """What starts from other samples say of the clusters of a fit.

    Arguments:
        rows: The numbers of the rows that it was measured of, (n,).
        stability: The share of the starts in which each of them keeps its cluster, (n,).
        clusters: The mean of that over each cluster, (K,); 0 for one without such rows.
        confidence: From q(z | y) to the probability that a row keeps its cluster.
        samples: How many starts there were.
    """

    rows: NDArray[np.int64]
    stability: NDArray[np.float64]
    clusters: tuple[float, ...]
    confidence: Confidence
    samples: int

    def to_json(self) -> dict[str, Any]:
        """What is known of clusters, and of rows to come, as JSON values."""
        return {
            "samples": self.samples,
            "clusters": list(self.clusters),
            "confidence": self.confidence.to_json(),
        }


def resample(
    model: GaussianMixtureVAE, config: Config, data: Prepared, start: Start, progress: Progress
) -> Resampling:
    """Start again from other samples of the rows, at most 5,000 of them, by the method that was chosen.

    Arguments:
        model: The fitted model.
        config: The resolved configuration.
        data: What it was fitted to.
        start: Where the fit started.
        progress: Called with the share of this that is done.
    """
    rows, training = data.rows.sample(PARTITIONED), config.training
    observed, image = rows.tensor(), len(data.y_shape) == 3
    if start.chosen == "manifold":
        values = features(model, observed).astype(np.float64)
    else:
        values = scaled(observed).flatten(1).cpu().double().numpy()
    size = config.model.clusters
    looked_at = Rows(values, min(size, len(values)), training.seed % 2**31, rows.weights)
    found = resampled(looked_at, start.chosen, training.resamples, image=image, progress=progress)
    q = probabilities(model, rows)
    clusters = q.argmax(1)
    # a sample without K such clusters keeps none
    stable = stability(clusters, found) * (len(found) / training.resamples)
    held = np.bincount(clusters, minlength=size)
    means = np.bincount(clusters, stable, size) / np.maximum(held, 1)
    calibrated = Confidence.of(q, stable)
    return Resampling(rows.order, stable, tuple(means.tolist()), calibrated, training.resamples)
