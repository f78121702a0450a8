"""The arrays that a report shows of a model and rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gmvae.assess.diagnostics import Shared
from gmvae.assess.snapshot import generated
from gmvae.data.dataset import scaled
from gmvae.data.observations import Observations
from gmvae.model import objective
from gmvae.model.answers import AT_ONCE, batch_terms, precise
from gmvae.model.inference import evaluating
from gmvae.model.isolation import isolated
from gmvae.model.vae import GaussianMixtureVAE

Array = NDArray[np.floating]
COSTLY = 20_000_000
"""If rows have more numbers than this in total, results are in 32 bits, and log densities use one draw."""
AGAIN = 200
"""For this many rows, the least likely ones, log densities are then computed again with all draws in 64
bits."""
DRAWS = 16
"""Number of samples of x and w for the log density of a row, as in the estimator's ``score_samples``."""


@dataclass(frozen=True)
class Portrait:
    """A fitted model and N rows."""

    probabilities: Array
    """q(z | ...), (N, K)."""
    p_clusters: NDArray[np.int64]
    """The most probable cluster by p(z | x, w), at the means of x and w, (N,)."""
    density: Array
    """The lower bound on log p(y) in nats, (N,), for observations in the model's units."""
    x: Array
    """Means of q(x | y), (N, x_size)."""
    samples: Array
    """Generated observations of each cluster, in the model's units: (K, at most SAMPLES, size of y)."""
    styles: Array
    """The same along the two numbers of w with the greatest effect: (2, K, at most STEPS, size of y)."""

    @property
    def clusters(self) -> NDArray[np.int64]:
        """The most probable cluster of each row, (N,)."""
        return self.probabilities.argmax(1)


@isolated
def portrait(model: GaussianMixtureVAE, rows: Observations, share: float | None = None) -> Portrait:
    """Make a :class:`Portrait` of a model and of rows. Each row occurs once, in the given order.

    Arguments:
        model: The model.
        rows: The rows.
        share: For a model that is still being trained, whose portrait is made often: as in
            :func:`gmvae.assess.snapshot.glance`. Results are then in 32 bits, and log densities use one draw.
    """
    costly = share is not None or len(rows.order) * math.prod(rows.y_shape) > COSTLY
    straight = rows.scaling.affine
    parts = (
        [_of_batch(model, batch, 1, straight) for batch in _batches(rows)]
        if costly
        else _exactly(model, rows)
    )
    probabilities, p_clusters, density, x = (np.concatenate(part) for part in zip(*parts, strict=True))
    if costly and share is None:
        worst = np.sort(np.argsort(density, kind="stable")[:AGAIN])
        density[worst] = np.concatenate([part[2] for part in _exactly(model, rows.part(worst))])
    samples, styles = generated(model, rows.device, 1.0 if share is None else share)
    return Portrait(probabilities, p_clusters, density, x, samples[1], styles)


def overlap(probabilities: Array) -> Array:
    r"""The overlap of each pair of clusters, (K, K):
    :math:`\sum_n q_{nj} q_{nk} \,/\, \min(\sum_n q_{nj}, \sum_n q_{nk})`, and 0 on the diagonal.

    It is 0 if no row belongs to both, and 1/2 for two halves of one cluster.
    """
    shared = Shared(probabilities.shape[1])
    shared.add(probabilities.astype(np.float64))
    found = shared.products / np.maximum(np.minimum.outer(shared.totals, shared.totals), 1e-12)
    np.fill_diagonal(found, 0)
    return found


def _batches(rows: Observations) -> Iterator[Tensor]:
    places = range(0, len(rows.order), AT_ONCE)
    return (rows.part(np.arange(i, min(i + AT_ONCE, len(rows.order)))).tensor() for i in places)


def _exactly(model: GaussianMixtureVAE, rows: Observations) -> list[tuple[Array, ...]]:
    exact = precise(model)
    return [_of_batch(exact, batch, DRAWS, rows.scaling.affine) for batch in rows.batches(AT_ONCE // DRAWS)]


def _of_batch(model: GaussianMixtureVAE, batch: Tensor, draws: int, straight: bool) -> tuple[Array, ...]:
    y = scaled(batch)
    with evaluating(model):
        q_x, q_w, q_z = model.recognition(y)
        p_z = model.generative.p_z_given(q_x.mean, model.generative.p_x(q_w.mean))
        q_z = p_z if q_z is None else q_z
        density = objective.elbo(batch_terms(model, y, draws, straight=straight))
    return tuple(part.cpu().numpy() for part in (q_z.probs, p_z.probs.argmax(-1), density, q_x.mean))
