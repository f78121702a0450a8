"""Choose one of several partitions for the start of a fit, without labels.

First, the clusters of a partition must be separated in the nearest-neighbour graph about as well as those of
the best separated candidate. Among the remaining candidates, the one whose clusters are best described by one
Gaussian each is chosen.
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

NEIGHBOURS = (5, 10)
"""Numbers of neighbours in the two graphs for the conductance. With few neighbours, arcs stay in one piece;
with more, chance gaps in an arc are bridged."""
CLOSE = 2.75
"""Maximum mean conductance of a partition, as a multiple of the smallest one."""

OF_ROWS: tuple[Method, ...] = (
    centres.candidates, mixtures.candidates, trees.candidates, spectral.candidates, density.candidates,
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """The scores of a candidate partition."""

    name: str
    conductance: float
    """Mean over its clusters (:func:`gmvae.partition.conductance.conductance`) and over two graphs."""
    criterion: float | None
    """How well Gaussians describe its clusters, in nats per row
    (:func:`gmvae.partition.gaussians.criterion`); ``None`` for images, and for partitions that are not close
    to the best separated one."""

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
    """All candidates, the best separated first."""
    reason: str


def choose(rows: Rows, *, image: bool, progress: Progress = lambda _: None) -> Chosen:
    """Choose one of the partitions that all methods find.

    Arguments:
        rows: The rows.
        image: Whether they are images. Gaussians of the pixels do not describe clusters of images.
        progress: Called with the share of the work that is done.
    """
    found: dict[str, Clusters] = {}
    clear: dict[str, float] = {}
    graphs = [rows.neighbours(count)[0] for count in NEIGHBOURS]
    methods = (*OF_ROWS, embedded.at_several_scales if image else embedded.candidates)
    for number, method in enumerate(methods):
        if method is methods[-1] and min(clear.values()) == 0:
            break  # clusters without an edge between them cannot be separated better
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
    if len(close) > 1 and not image:
        reason = (
            f"{chosen}: {len(close)} of {len(names)} candidates have a mean conductance near the smallest, "
            f"{clear[names[0]]:.3g}, and of these, Gaussians describe the clusters of {chosen} best"
        )
    else:
        reason = f"{chosen} has the smallest mean conductance of {len(names)} candidates, {clear[chosen]:.3g}"
    return Chosen(
        chosen,
        found[chosen],
        tuple(Candidate(name, clear[name], fit.get(name)) for name in names),
        reason,
    )
