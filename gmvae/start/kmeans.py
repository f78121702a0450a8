"""k-means: find its clusters, and guide the posterior form to them in the first steps of a fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.utils.extmath import randomized_svd
from torch import Tensor

from gmvae.config import TrainingConfig
from gmvae.data.dataset import scaled
from gmvae.data.transfer import rows_at
from gmvae.model import objective
from gmvae.start.material import Material
from gmvae.training.loop import descend
from gmvae.training.optimisers import optimiser
from gmvae.training.passes import batches

Floats = NDArray[np.float64]
GUIDED_STEPS, GUIDED_EPOCHS = 300, 20
"""The number of guided steps, rounded up to whole passes and limited by the number of epochs. With few rows
for each column the limit is at least the second number, since such a fit can have few epochs."""
ROWS_EACH, COMPONENTS = 10, 50
"""Number of rows for each column below which they are few, and the number of principal components that are
then computed."""
STARTS, STARTS_OF_FEW = 10, 30
"""Starts of k-means, and those with few rows; the one with the smallest inertia is kept. With 700 blood cells
10 starts do not always find the smallest inertia."""
GUIDE_WEIGHT = 5.0
"""Weight of the cross-entropy to the clusters of k-means during the k-means start."""


def guided_passes(count: int, training: TrainingConfig) -> int:
    """How many passes over ``count`` observations are guided by k-means."""
    return min(training.epochs, -(-GUIDED_STEPS // max(1, round(count / training.batch_size))))


def guide(given: Material) -> None:
    r"""Train a new model until its clusters are those of k-means.

    The loss is that of the bound plus :math:`-g \log q(z = c(y) | y)` with the k-means cluster c(y) of y. The
    components follow from the bound. The consistency violation has weight 0 here. The model is new, or has
    been trained as an autoencoder only.
    """
    model, y, stream, training = given.model, given.y, given.stream, given.training
    kmeans = k_means(_flat(given.subset), model.config.clusters, given.seed, given.weights)
    config = replace(given.objective, cv_weight=0.0, min_information=0.0, warm_up=0, cv_warm_up=0)
    steps = optimiser(training.optimiser, model.parameters(), training.learning_rate)
    model.train()
    passes = guided_passes(len(y), training)
    if kmeans.axes is not None:
        passes = max(passes, guided_passes(len(y), replace(training, epochs=GUIDED_EPOCHS)))

    def losses() -> Iterator[Tensor]:
        for _ in range(passes):
            for batch in batches(len(y), training.batch_size, generator=stream.cpu):
                observed = scaled(rows_at(y, batch))
                centre = torch.from_numpy(kmeans.predict(_flat(observed))).to(y.device)
                given = model.infer(observed, config.mc_samples, stream.local)
                terms = objective.terms_of(given, model, observed)
                log_probs = given.q_z.log_probs
                guess = F.nll_loss(log_probs.flatten(0, -2), centre.repeat(len(log_probs)))
                yield objective.weigh(terms, config, model.config.assignment).mean() + GUIDE_WEIGHT * guess

    for _ in descend(steps, losses()):
        pass


@dataclass(frozen=True)
class Means:
    """The clusters of k-means, on principal components or on the rows themselves."""

    found: KMeans
    centre: Floats
    axes: Floats | None

    @property
    def clusters(self) -> NDArray[np.int64]:
        """The clusters of the rows that k-means was fitted to, (n,)."""
        return self.found.labels_.astype(np.int64)

    def predict(self, values: Floats) -> NDArray[np.int64]:
        """The clusters of rows of shape (n, D)."""
        return self.found.predict(_projected(values, self.centre, self.axes)).astype(np.int64)


def k_means(values: Floats, clusters: int, seed: int, weights: Floats | None = None) -> Means:
    """Run k-means from several starts on rows of shape (n, D) with weights of shape (n,), and return the
    result with the smallest inertia. It has fewer clusters if there are fewer distinct rows.

    With fewer than ``ROWS_EACH`` rows for each column, distances are mostly noise, and each start ends in
    other clusters. Then k-means runs on the principal components before the elbow of their singular values
    (:func:`elbow`), among the first ``COMPONENTS``. The rows are in 64 bits: scikit-learn computes distances
    as differences of squares, which would round away small distances in 32 bits.
    """
    rows, columns = values.shape
    centre, axes = np.average(values, axis=0, weights=weights), None
    if min(rows, columns) > COMPONENTS and rows < ROWS_EACH * columns:
        spread = np.sqrt(np.ones(rows) if weights is None else weights / weights.mean())[:, None]
        _, singular, found = randomized_svd(spread * (values - centre), COMPONENTS, random_state=seed)
        axes = found[: max(2, elbow(singular))].T
    starts = STARTS if axes is None else STARTS_OF_FEW
    clusters = min(clusters, len(np.unique(values, axis=0)))
    means = KMeans(clusters, n_init=starts, random_state=seed)
    return Means(means.fit(_projected(values, centre, axes), sample_weight=weights), centre, axes)


def elbow(singular: Floats) -> int:
    r"""How many of the greatest singular values stand out: the q with the greatest profile likelihood

    .. math:: \max_{\mu_1, \mu_2, \sigma} \sum_{i \le q} \log \mathcal N(\log s_i; \mu_1, \sigma^2) +
        \sum_{i > q} \log \mathcal N(\log s_i; \mu_2, \sigma^2)

    (Zhu and Ghodsi, "Automatic dimensionality selection from the scree plot", 2006). It uses logarithms, so
    that a single very large value does not hide the others.

    Arguments:
        singular: The singular values, the greatest first, (n,), at least two.
    """
    values = np.log(np.maximum(singular, np.finfo(np.float64).tiny))
    spread = [values[:q].var() * q + values[q:].var() * (len(values) - q) for q in range(1, len(values))]
    return 1 + int(np.argmin(spread))


def _projected(values: Floats, centre: Floats, axes: Floats | None) -> Floats:
    return values if axes is None else (values - centre) @ axes


def _flat(y: Tensor) -> NDArray[np.float64]:
    return scaled(y).flatten(1).cpu().double().numpy()
