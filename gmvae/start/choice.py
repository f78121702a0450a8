"""Which of several partitions a fit starts from, without labels.

First the graph of nearest neighbours speaks: the clusters must come apart in it about as well as those of the
clearest candidate. Of the candidates that are left, which cut where rows are dense, the one counts whose
clusters are best described by a Gaussian each.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gmvae.partition.communities import Clusters
from gmvae.partition.conductance import conductance
from gmvae.partition.gaussians import criterion
from gmvae.progress import Progress
from gmvae.start.candidates import centres, density, embedded, mixtures, spectral, trees
from gmvae.start.candidates.base import Method, Rows

LINKS = (5, 10)
"""Neighbours of each row in the graphs that conductances are of: with few, arcs stay whole; with more, a
chance gap in an arc is bridged."""
CLOSE = 2.75
"""How many times the least mean conductance a partition's may be."""

OF_ROWS: tuple[Method, ...] = (
    centres.candidates, mixtures.candidates, trees.candidates, spectral.candidates, density.candidates,
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A partition, and what speaks for it."""

    name: str
    conductance: float
    """Mean over its clusters (:func:`gmvae.partition.conductance.conductance`) and over two graphs."""
    criterion: float | None
    """How well its clusters are Gaussians, nats per row (:func:`gmvae.partition.gaussians.criterion`); of
    images, and of partitions that are not close to the clearest, ``None``."""

    def to_json(self) -> dict[str, Any]:
        """The candidate as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Chosen:
    """The partition that a fit starts from."""

    name: str
    clusters: Clusters
    """The cluster of each row, (n,)."""
    candidates: tuple[Candidate, ...]
    """All that there were, the clearest first."""
    reason: str


def choose(rows: Rows, *, image: bool, progress: Progress = lambda _: None) -> Chosen:
    """Choose from the partitions of the rows that all methods find.

    Arguments:
        rows: The rows.
        image: Whether they are images, whose clusters no Gaussian of the pixels describes.
        progress: Called with the share of this that is done.
    """
    found: dict[str, Clusters] = {}
    clear: dict[str, float] = {}
    graphs = [rows.links(links)[0] for links in LINKS]
    methods = (*OF_ROWS, embedded.at_several_scales if image else embedded.candidates)
    for number, method in enumerate(methods):
        if method is methods[-1] and min(clear.values()) == 0:
            break  # clusters without an edge between them cannot be clearer
        for name, clusters in method(rows):
            clusters = np.unique(clusters, return_inverse=True)[1]
            if clusters.max() + 1 == rows.clusters or method is centres.candidates:
                found[name] = clusters
                clear[name] = float(np.mean([conductance(clusters, graph) for graph in graphs]))
        progress((number + 1) / len(methods))
    progress(1.0)
    names = sorted(found, key=lambda name: clear[name])
    close = [name for name in names if clear[name] <= CLOSE * clear[names[0]]]
    fit = {} if image else {name: criterion(rows.values, found[name]) for name in close}
    chosen = close[0] if image else max(close, key=lambda name: fit[name])
    reason = (
        f"{chosen} has a mean conductance of {clear[chosen]:.3g}, the least of {len(names)} candidates is "
        f"{clear[names[0]]:.3g}"
    )
    if len(close) > 1 and not image:
        reason += f", and of {len(close)} that are close to it its clusters are the best Gaussians"
    return Chosen(
        chosen,
        found[chosen],
        tuple(Candidate(name, clear[name], fit.get(name)) for name in names),
        reason,
    )
