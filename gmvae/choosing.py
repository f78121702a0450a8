"""The number of clusters of observations, where nobody says it."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from gmvae import embedding
from gmvae.config import ModelConfig, TrainingConfig
from gmvae.data import scaled
from gmvae.model import GMVAE
from gmvae.rounds import MANIFOLD_FROM, RECONSTRUCTING, features
from gmvae.stability import LOOKED_AT, Choice, arcs, choose, groups, means
from gmvae.teaching import Told, reconstruct
from gmvae.training import Observations
from gmvae.views import views

MEANS, LAYOUTS = 20, 6
"""Samples of rows that are parted by k-means, and along their manifold."""
EMBEDDING = 0.5
"""Share of the work that an auto-encoder is, as far as its progress says."""


def choose_clusters(
    y: Observations,
    some: Tensor,
    config: ModelConfig,
    training: TrainingConfig,
    *,
    seed: int,
    told: Told = lambda _: None,
) -> Choice:
    """Choose the number of clusters by how stable clusters are (:mod:`gmvae.stability`).

    Rows of small tables are parted by k-means; those of larger ones along their own manifold, and along that
    of an auto-encoder's features; images along the latter.

    Arguments:
        y: The observations.
        some: Those that are looked at, in any order: the first ``LOOKED_AT`` of them.
        config: The model but for the number of clusters, of which ``most_clusters`` is the greatest to try.
        training: ``augment``.
        seed: Seed of samples, layouts and mixtures; the auto-encoder's is torch's.
        told: Called with the share of this that is done.

    Raises:
        ValueError: where there are too few rows for two clusters.
    """
    some, image = some[:LOOKED_AT], len(some.shape) == 4
    rows = scaled(some).flatten(1).float().cpu().numpy()
    if len(rows) < MANIFOLD_FROM:
        return choose([(means, rows, MEANS)], config.most_clusters, seed, told)
    view = views(training.augment, tuple(some.shape[1:]))

    def embedded(share: float) -> None:
        told(EMBEDDING * share)

    if image and view is None:
        found = embedding.code(y, some, embedded)
    else:
        model = GMVAE(tuple(some.shape[1:]), replace(config, clusters=2)).to(some.device)
        reconstruct(model, y, view, RECONSTRUCTING, embedded)
        found = features(model, some)
    looked_at = [(groups, found, LAYOUTS)] if image else [(arcs, rows, LAYOUTS), (groups, found, LAYOUTS)]
    return choose(
        looked_at, config.most_clusters, seed, lambda share: told(EMBEDDING + (1 - EMBEDDING) * share)
    )
