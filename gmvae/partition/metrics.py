"""Agreement of clusters with labels, and the number of clusters used, from arrays.

Labels are any whole numbers, shape (N,). They are used for measuring only.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score


def hungarian_accuracy(labels: ArrayLike, clusters: ArrayLike) -> float:
    """Share of observations whose cluster is matched with their label, under the best one-to-one matching.

    Arguments:
        labels: Shape (N,).
        clusters: Shape (N,). If there are more clusters than labels, rows of unmatched clusters count as
            wrong.
    """
    counts = _contingency(labels, clusters)
    matched = linear_sum_assignment(counts, maximize=True)
    return float(counts[matched].sum() / counts.sum())


def aae_accuracy(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The paper's accuracy: each cluster takes the label of its most confident observation.

    Several clusters can take the same label, so more clusters make it easier.
    Source: Makhzani et al., "Adversarial Autoencoders", arXiv 1511.05644, section 6.

    Arguments:
        labels: Shape (N,).
        probabilities: q(z | ...), shape (N, K).
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    label_of_cluster = labels[probabilities.argmax(0)]
    return float(np.mean(label_of_cluster[probabilities.argmax(1)] == labels))


def clusters_used(clusters: ArrayLike) -> int:
    """Number of clusters that hold an observation, however few.

    Arguments:
        clusters: The most probable cluster of each observation, shape (N,).
    """
    return len(np.unique(np.asarray(clusters)))


def calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> float:
    r"""The expected calibration error of clusters as predictions of labels, from 0 to 1:

    .. math:: \sum_b \frac{n_b}{N}\,|\mathrm{accuracy}_b - \mathrm{confidence}_b|

    over bins b of equal width (Guo et al., arXiv 1706.04599). The confidence is the probability of the most
    probable cluster. A cluster is right if it is matched with the label in the best one-to-one matching.

    Arguments:
        labels: Shape (N,).
        probabilities: q(z | ...), shape (N, K).
        bins: The number of bins.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    clusters, confidence = probabilities.argmax(1), probabilities.max(1)
    counts = _contingency(labels, clusters)
    pairs = set(zip(*linear_sum_assignment(counts, maximize=True), strict=True))
    of_label = np.unique(labels, return_inverse=True)[1]
    of_cluster = np.unique(clusters, return_inverse=True)[1]
    right = np.array([pair in pairs for pair in zip(of_label, of_cluster, strict=True)], dtype=np.float64)
    which = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(which, right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def agreement(labels: ArrayLike, probabilities: ArrayLike) -> dict[str, float]:
    """The four measures against labels: ``acc`` (Hungarian), ``acc_aae``, ``nmi`` and ``ari``.

    Arguments:
        labels: Shape (N,).
        probabilities: q(z | ...), shape (N, K).

    Raises:
        ValueError: if there are not as many labels as rows of probabilities.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if labels.shape != probabilities.shape[:1]:
        raise ValueError(
            f"labels have shape {labels.shape}, probabilities {probabilities.shape}: "
            "there must be one label for each observation"
        )
    clusters = probabilities.argmax(1)
    return {
        "acc": hungarian_accuracy(labels, clusters),
        "acc_aae": aae_accuracy(labels, probabilities),
        "nmi": float(normalized_mutual_info_score(labels, clusters)),
        "ari": float(adjusted_rand_score(labels, clusters)),
    }


def agreements(partitions: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """The agreement of partitions of the same observations: their adjusted Rand indices, shape (R, R).

    Arguments:
        partitions: R lists of clusters, each of shape (N,).
    """
    found = np.eye(len(partitions))
    for (i, a), (j, b) in combinations(enumerate(partitions), 2):
        found[i, j] = found[j, i] = adjusted_rand_score(a, b)
    return found


def consensus(partitions: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """The agreement of each partition with the others: the mean of its adjusted Rand indices with them, shape
    (R,), and 0 for a partition with only one cluster.

    Clusters that many starts find are a property of the data. Clusters that only one start finds are a
    property of that start (von Luxburg, "Clustering stability: an overview", 2010).
    """
    mean = (agreements(partitions).sum(1) - 1) / max(1, len(partitions) - 1)
    mean[[len(np.unique(np.asarray(clusters))) == 1 for clusters in partitions]] = 0.0
    return mean


def _contingency(labels: ArrayLike, clusters: ArrayLike) -> NDArray[np.int64]:
    names, rows = np.unique(np.asarray(labels), return_inverse=True)
    kinds, columns = np.unique(np.asarray(clusters), return_inverse=True)
    counts = np.zeros((len(names), len(kinds)), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts
