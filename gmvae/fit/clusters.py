"""Choose the number of clusters if it is not given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from gmvae.config import ModelConfig, TrainingConfig
from gmvae.data.dataset import scaled
from gmvae.model.isolation import isolated
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.partition.gap import DEPARTURE, Comparison
from gmvae.partition.stability import MAXIMUM_ROWS, Choice, Floats, choose
from gmvae.progress import Progress, part
from gmvae.start import autoencoder
from gmvae.start.methods import arcs, groups, means
from gmvae.start.rounds import MANIFOLD_FROM, RECONSTRUCTING, features
from gmvae.start.teaching import reconstruct
from gmvae.training.augmentation import views
from gmvae.training.loop import Indexable
from gmvae.training.random import RandomStream

MEANS, MANIFOLDS = 20, 6
"""How many samples of rows are clustered by k-means, and along their manifold."""
AUTOENCODERS, MANIFOLDS_EACH = 2, 3
"""Number of autoencoders, and of samples of the features of each. With two, clusters that only one of them
finds do not count as stable."""
EMBEDDING = 0.5
"""Share of the work in the reported progress that training the autoencoders takes."""


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

    Few rows, including images, are clustered by k-means and compared with a single Gaussian and with a
    uniform distribution (:mod:`gmvae.partition.gap`). Larger tables are clustered along the manifold of their
    rows and along that of the features of autoencoders; images only along the latter.

    Arguments:
        y: The observations.
        subset: The observations to cluster, in any order; only the first ``MAXIMUM_ROWS`` are used.
        config: The model, with an open number of clusters. ``max_clusters`` is the greatest number to try.
        training: ``augment``.
        seed: Seed of samples, embeddings and mixtures.
        stream: Source of the autoencoders' randomness.
        progress: Called with the share of the work that is done.

    Raises:
        ValueError: if there are too few rows for two clusters.
    """
    subset, image = subset[:MAXIMUM_ROWS], len(subset.shape) == 4
    rows = scaled(subset).flatten(1).float().cpu().numpy()
    if len(rows) < MANIFOLD_FROM:
        rows = measured(rows)
        comparison = Comparison(rows.astype(np.float64), seed)
        methods = [(means, [rows], MEANS)]
        return _unless_one(
            choose(methods, config.max_clusters, seed, progress, comparison.preferred), comparison
        )
    each = EMBEDDING / AUTOENCODERS
    embedded = [
        _embedded(y, subset, config, training, stream, part(progress, i * each, each))
        for i in range(AUTOENCODERS)
    ]
    methods = [(arcs, [rows], MANIFOLDS)] if not image else []
    methods.append((groups, embedded, MANIFOLDS_EACH))
    return choose(methods, config.max_clusters, seed, part(progress, EMBEDDING, 1 - EMBEDDING))


def measured(rows: Floats) -> Floats:
    """Drop the columns of rows, (n, D), with at most two values, if these are no more than half of all. Such
    a column splits any rows into two distant groups, which says nothing about clusters."""
    low, high = rows.min(0), rows.max(0)
    two = ((rows == low) | (rows == high)).all(0)
    return rows if 2 * two.sum() > rows.shape[1] else rows[:, ~two]


def _unless_one(choice: Choice, comparison: Comparison) -> Choice:
    """The choice, or 1 if rows without groups have such clusters as well: in few dimensions, the clusters
    that k-means makes of a Gaussian or of a box are stable, too."""
    if choice.clusters == 1:
        return choice
    if comparison.clear(choice.clusters):
        return choice
    apart = comparison.departure(choice.clusters)
    reason = (
        f"{choice.clusters} clusters would be the greatest number that is found again in other samples of "
        "the data, but they are no clearer than those that k-means finds in rows without groups (the inertia "
        f"differs by {apart:.1f} standard deviations; {DEPARTURE} is the minimum), so the answer is 1, "
        "unless there are clusters of another kind"
    )
    return replace(choice, clusters=1, sure=False, reason=reason)


def _embedded(
    y: Indexable,
    subset: Tensor,
    config: ModelConfig,
    training: TrainingConfig,
    stream: RandomStream,
    progress: Progress,
) -> Floats:
    """The features of some observations from a new autoencoder, trained as in a start."""
    y_shape = tuple(subset.shape[1:])
    view = views(training.augment, y_shape)
    if view is None and len(y_shape) == 3:
        return autoencoder.code(y, subset, stream, progress)
    model = fresh(lambda: GaussianMixtureVAE(y_shape, replace(config, clusters=2)), stream.cpu).to(
        subset.device
    )
    reconstruct(model, y, view, RECONSTRUCTING, stream, progress)
    return features(model, subset)
