"""Repeat a start on other samples of the rows, to see how their clusters vary."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.neighbors import NearestNeighbors

from gmvae.partition.communities import Clusters
from gmvae.partition.neighbours import neighbours
from gmvae.progress import Progress
from gmvae.start.candidates import centres, density, embedded, mixtures, spectral, trees
from gmvae.start.candidates.base import Method, Rows
from gmvae.start.embedding import partition

SAMPLED = 0.8
"""Share of the rows in a sample."""


def resampled(
    rows: Rows, chosen: str, count: int, *, image: bool = False, progress: Progress = lambda _: None
) -> list[Clusters]:
    """The clusters that one method finds in samples of the rows. A row that is not in a sample gets the
    cluster of the nearest row that is.

    Arguments:
        rows: The rows.
        chosen: The method, by the name of its candidate, or ``"manifold"``.
        count: The number of samples.
        image: Whether the rows are learned features of images.
        progress: Called with the share of the samples that is done.

    Returns:
        At most ``count`` partitions of all rows, (n,) each. A sample in which the method finds no partition
        is left out.
    """
    found, size = [], max(rows.clusters, round(SAMPLED * len(rows.values)))
    for number in range(count):
        rng = np.random.default_rng((rows.seed, number))
        taken = np.sort(rng.permutation(len(rows.values))[:size])
        weights = None if rows.weights is None else rows.weights[taken]
        sample = Rows(rows.values[taken], rows.clusters, rows.seed + number, weights)
        clusters = next((c for name, c in _by(chosen, sample, image) if name == chosen), None)
        if clusters is not None:
            clusters = np.unique(clusters, return_inverse=True)[1]
            nearest = NearestNeighbors(n_neighbors=1).fit(sample.values)
            found.append(clusters[nearest.kneighbors(rows.values, return_distance=False)[:, 0]])
        progress((number + 1) / count)
    return found


def _by(chosen: str, rows: Rows, image: bool) -> Iterator[tuple[str, Clusters]]:
    if chosen == "manifold":
        values = rows.values.astype(np.float32)
        yield chosen, partition(values, neighbours(values), rows.clusters, rows.seed, joined=image)
        return
    method: Method = embedded.at_several_scales if image else embedded.candidates
    known: dict[str, Method] = {
        "k-means": centres.candidates,
        "full mixture": mixtures.candidates,
        "tied mixture": mixtures.candidates,
        "Ward": trees.candidates,
        "single linkage": trees.candidates,
        "spectral": spectral.candidates,
        "HDBSCAN": density.candidates,
    }
    yield from known.get(chosen, method)(rows)
