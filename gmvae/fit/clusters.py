"""Choose the number of clusters where it is not given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from gmvae.config import ModelConfig, TrainingConfig
from gmvae.data.dataset import scaled
from gmvae.model.isolation import isolated
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.partition.gap import TELLS, Beside
from gmvae.partition.stability import LOOKED_AT, Choice, Floats, choose
from gmvae.progress import Progress, part
from gmvae.start import autoencoder
from gmvae.start.rounds import MANIFOLD_FROM, RECONSTRUCTING, features
from gmvae.start.teaching import reconstruct
from gmvae.start.ways import arcs, groups, means
from gmvae.training.augmentation import views
from gmvae.training.loop import Indexable
from gmvae.training.random import RandomStream

MEANS, LAYOUTS = 20, 6
"""Samples of rows that are clustered by k-means, and along their manifold."""
EMBEDDINGS, LAYOUTS_EACH = 2, 3
"""Auto-encoders, so that what one of them alone sees is not stable, and samples of the features of each."""
EMBEDDING = 0.5
"""Share of the work that an auto-encoder is, as far as its progress says."""


@isolated
def choose_clusters(
    y: Indexable,
    subset: Tensor,
    config: ModelConfig,
    training: TrainingConfig,
    *,
    seed: int,
    stream: RandomStream,
    progress: Progress = lambda _: None,
) -> Choice:
    """Choose the number of clusters by how stable clusters are (:mod:`gmvae.partition.stability`).

    Few rows, images too, are clustered by k-means, and compared with one Gaussian
    (:mod:`gmvae.partition.gap`); those of larger tables along their own manifold, and along
    that of the features of auto-encoders; images along the latter.

    Arguments:
        y: The observations.
        subset: Those that are looked at, in any order: the first ``LOOKED_AT`` of them.
        config: The model but for the number of clusters, of which ``most_clusters`` is the greatest to try.
        training: ``augment``.
        seed: Seed of samples, layouts and mixtures.
        stream: Where the auto-encoders' chance comes from.
        progress: Called with the share of this that is done.

    Raises:
        ValueError: where there are too few rows for two clusters.
    """
    subset, image = subset[:LOOKED_AT], len(subset.shape) == 4
    rows = scaled(subset).flatten(1).float().cpu().numpy()
    if len(rows) < MANIFOLD_FROM:
        rows = measured(rows)
        beside = Beside(rows.astype(np.float64), seed)
        ways = [(means, [rows], MEANS)]
        return _unless_one(choose(ways, config.most_clusters, seed, progress, beside.worth), beside)
    each = EMBEDDING / EMBEDDINGS
    embedded = [
        _embedded(y, subset, config, training, stream, part(progress, i * each, each))
        for i in range(EMBEDDINGS)
    ]
    looked_at = [(arcs, [rows], LAYOUTS)] if not image else []
    looked_at.append((groups, embedded, LAYOUTS_EACH))
    return choose(looked_at, config.most_clusters, seed, part(progress, EMBEDDING, 1 - EMBEDDING))


def measured(rows: Floats) -> Floats:
    """The columns of rows, (n, D), that have more than two values, where these are at least half of all:
    one of two values parts any rows into two that are far apart, which says nothing of clusters."""
    low, high = rows.min(0), rows.max(0)
    two = ((rows == low) | (rows == high)).all(0)
    return rows if 2 * two.sum() > rows.shape[1] else rows[:, ~two]


def _unless_one(choice: Choice, beside: Beside) -> Choice:
    """The choice, or 1 where one Gaussian would have such clusters as well: in few dimensions the parts that
    k-means makes of it are stable, too."""
    if choice.clusters == 1:
        return choice
    apart = beside.departure(choice.clusters)
    if apart >= TELLS:
        return choice
    reason = (
        f"{choice.clusters} clusters would be the greatest number that are found again in other samples of "
        "the data, but they are no clearer than those that k-means makes of one Gaussian (by "
        f"{apart:.1f} standard deviations of the inertia, {TELLS} would tell), so there is 1, or there are "
        "clusters of another kind"
    )
    return replace(choice, clusters=1, sure=apart < 1, reason=reason)


def _embedded(
    y: Indexable,
    subset: Tensor,
    config: ModelConfig,
    training: TrainingConfig,
    stream: RandomStream,
    progress: Progress,
) -> Floats:
    """Some observations as a new auto-encoder sees them, as a start would."""
    y_shape = tuple(subset.shape[1:])
    view = views(training.augment, y_shape)
    if view is None and len(y_shape) == 3:
        return autoencoder.code(y, subset, stream, progress)
    model = fresh(lambda: GaussianMixtureVAE(y_shape, replace(config, clusters=2)), stream.cpu).to(
        subset.device
    )
    reconstruct(model, y, view, RECONSTRUCTING, stream, progress)
    return features(model, subset)
