"""A model in the middle of a fit and some rows, as the arrays that a page shows. With them, a map of the rows
and a description of each cluster can be drawn without the model and without the data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.contrast import borderline, least_likely, typical
from gmvae.assess.portrait import Portrait, portrait
from gmvae.data.chunks import dense
from gmvae.data.prepare import Prepared
from gmvae.model.vae import GaussianMixtureVAE

Array = NDArray[np.floating]
NUMBERS = 500_000
"""Maximum number of values in a table's rows; ``MINIMUM_ROWS`` rows are shown in any case."""
MINIMUM_ROWS = 100
PICTURES = 300
"""Maximum number of images besides those of typical, borderline and unlikely rows."""


@dataclass(frozen=True)
class Overview:
    """A model and N rows at one moment. For a table, all N rows have their values. For images, S of them have
    their pixels: those that cards show, and some that are evenly spaced. All values are in the units of the
    data."""

    y_shape: NDArray[np.int64]
    """Shape of an observation: (D,), or (channels, height, width) of an image with D numbers."""
    numbers: NDArray[np.int64]
    """The indices of the N rows in the data, (N,)."""
    probabilities: Array
    """q(z | ...), (N, K)."""
    p_clusters: NDArray[np.int64]
    """The most probable cluster by p(z | x, w), at the means of x and w, (N,)."""
    density: Array
    """The lower bound on log p(y) in nats, (N,)."""
    x: Array
    """Means of q(x | y), (N, x_size)."""
    samples: Array
    """Generated observations of each cluster: (K, at most SAMPLES, D)."""
    styles: Array
    """The same along the two numbers of w with the greatest effect: (2, K, at most STEPS, D)."""
    pictured: NDArray[np.int64]
    """Which of the N rows are in ``y``: their indices from 0 to N - 1, (S,)."""
    y: NDArray[np.generic]
    """Rows, (S, D)."""
    labels: NDArray[np.int64]
    """Their true classes, (N,), unknown below 0; (0,) without labels."""
    epoch: NDArray[np.int64]
    """The restart, from 1, and the number of its epochs that are done, (2,)."""


def overview(
    model: GaussianMixtureVAE,
    data: Prepared,
    count: int,
    share: float = 1.0,
    labels: NDArray[np.int64] | None = None,
    epoch: tuple[int, int] = (1, 0),
) -> Overview:
    """Make an :class:`Overview` of a model.

    Arguments:
        model: The model.
        data: The data that it is fitted to.
        count: Maximum number of rows, which are evenly spaced; fewer of a table with many columns.
        share: How much to decode, as a share of the usual work, above 0, at most 1.
        labels: The true class of each row of the data.
        epoch: The restart, and the number of its epochs that are done.
    """
    images, width = len(data.y_shape) == 3, len(data.scaling.mean)
    rows = data.everything.spaced(count if images else min(count, max(MINIMUM_ROWS, NUMBERS // width)))
    found = portrait(model, rows, share)
    numbers = np.asarray(rows.order)
    pictured = np.arange(len(numbers))
    if images:
        pictured = _worth_a_picture(found, max(1, round(PICTURES * share)))
    y = rows.source[numbers[pictured]]
    if data.likelihood == "gaussian":
        found.density[:] += rows.log_dets(data.scaling)
    return Overview(
        y_shape=np.array(data.y_shape if images else (width,)),
        numbers=numbers,
        probabilities=found.probabilities,
        p_clusters=found.p_clusters,
        density=found.density,
        x=found.x,
        samples=_undone(data, found.samples),
        styles=_undone(data, found.styles),
        pictured=pictured,
        y=y.reshape(len(y), -1) if isinstance(y, np.ndarray) else dense(y),
        labels=np.empty(0, dtype=np.int64) if labels is None else labels[numbers],
        epoch=np.array(epoch),
    )


def _worth_a_picture(found: Portrait, count: int) -> NDArray[np.int64]:
    """The places of the rows that cards show, and of ``count`` more, evenly spaced."""
    clusters = found.clusters
    used = np.unique(clusters)
    parts = [typical(found.x, clusters, k) for k in used]
    parts += [borderline(found.probabilities, k) for k in used]
    spaced = np.arange(0, len(clusters), -(-len(clusters) // count))
    return np.unique(np.concatenate([*parts, least_likely(found.density), spaced]))


def _undone(data: Prepared, y: Array) -> Array:
    """Observations (..., size of y) in the units of the data, (..., D), in 32 bits."""
    flat = data.scaling.undo(y.reshape(-1, y.shape[-1]).astype(np.float64))
    return flat.reshape(*y.shape[:-1], math.prod(flat.shape[1:])).astype(np.float32)
