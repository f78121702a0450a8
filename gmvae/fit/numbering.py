"""Number clusters by size: number 0 is the largest, and empty clusters come last."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gmvae.data.observations import Observations
from gmvae.model.answers import AT_ONCE, precise
from gmvae.model.inference import assign
from gmvae.model.vae import GaussianMixtureVAE


def number(
    model: GaussianMixtureVAE, rows: Observations, distinct: Observations, *, by_size: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Number the clusters of a model by the total weight of their rows, the largest first.

    Arguments:
        model: The model, changed in place.
        rows: All rows of a table, (N, D).
        distinct: The distinct rows among them, with their weights.
        by_size: Whether clusters get new numbers, or keep their numbers.

    Returns:
        The cluster of each row, (N,), and the weighted means of q(z | ...), (K,).
    """
    exact, labels, sums = precise(model), [], np.zeros(model.config.clusters)
    weights = np.zeros(len(rows.order))
    weights[distinct.order] = distinct.weights
    for start, y in enumerate(rows.batches(AT_ONCE)):
        probabilities = assign(exact, y)
        labels.append(probabilities.argmax(1))
        sums += weights[start * AT_ONCE :][: len(y)] @ probabilities
    clusters = np.concatenate(labels)
    if not by_size:
        return clusters, sums / sums.sum()
    order = np.argsort(-np.bincount(clusters, weights, minlength=len(sums)), kind="stable")
    renumber(model, order)
    return np.argsort(order)[clusters], sums[order] / sums.sum()


def renumber(model: GaussianMixtureVAE, order: NDArray[np.int64]) -> None:
    """Give the clusters of a model new numbers: the new number k is the old number ``order[k]``."""
    size = model.config
    prior = model.generative.prior[2]  # type: ignore[index]
    with torch.no_grad():
        for parameter in (prior.weight, prior.bias):
            heads = parameter.unflatten(0, (2, size.clusters, size.x_size))
            parameter.copy_(heads[:, order].flatten(0, 2))
        if isinstance(model.recognition.z, nn.Linear):
            for parameter in model.recognition.z.parameters():
                parameter.copy_(parameter[order])
