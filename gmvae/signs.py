r"""Signs of how a model uses its clusters and its latents, from observations alone: no label is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gmvae.data import scaled
from gmvae.distributions import DiagonalGaussian
from gmvae.evaluation import BATCH, evaluating
from gmvae.model import GMVAE

ACTIVE = 0.01
"""Variance over the data that the mean of an active unit has at least."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Signs:
    """What observations show of a model. Entropies and information are in nats, at most ln K."""

    occupancy: tuple[float, ...]
    """Share of the observations that each cluster is the most probable one of, (K,)."""
    z_entropy: float
    r"""Mean of :math:`H(q(z|y))`: how undecided assignments are."""
    z_information: float
    r"""Information between z and y, :math:`H(\overline{q(z|y)}) - \overline{H(q(z|y))}`."""
    active_x: int
    """Units of x whose mean moves with the data: its variance is above 0.01 (Burda et al., arXiv
    1509.00519)."""
    active_w: int
    """Units of w, likewise."""
    agreement: float
    """Share of observations that q(z | y) and p(z | x, w), at the means of x and w, give the same cluster."""
    confused: tuple[tuple[int, int, float], ...]
    """Pairs of clusters j < k that share observations, and how much: the greatest first, those above 0."""
    least_variance: float
    """The least variance that p(y | x) gives a number on average, where it is Gaussian, else 1."""

    def scalars(self) -> dict[str, float]:
        """What the record of an epoch gets of them."""
        keys = ("z_entropy", "z_information", "active_x", "active_w", "agreement")
        return {key: getattr(self, key) for key in keys}

    def to_json(self) -> dict[str, Any]:
        """The signs as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The signs that :meth:`to_json` wrote."""
        pairs = tuple((int(j), int(k), float(shared)) for j, k, shared in values["confused"])
        return cls(**{**values, "occupancy": tuple(values["occupancy"]), "confused": pairs})


def examine(model: GMVAE, y: Tensor) -> tuple[Signs, Floats]:
    """The signs that observations of shape (N, *y_shape) show, and q(z | ...) of each, (N, K). There is no
    chance in it: means stand for samples."""
    parts = []
    with evaluating(model):
        for batch in y.split(BATCH):
            q_x, q_w, q_z = model.recognition(scaled(batch))
            p_z = model.generative.p_z_given(q_x.mean, model.generative.p_x(q_w.mean))
            p_y = model.generative.p_y(q_x.mean)
            variance = p_y.variance.mean(0) if isinstance(p_y, DiagonalGaussian) else torch.ones(1)
            q_z = p_z if q_z is None else q_z
            found = (q_z.probs, p_z.probs, q_x.mean, q_w.mean, variance.expand(len(batch), -1))
            parts.append([tensor.cpu().double() for tensor in found])
    q, p, x, w, variances = (torch.cat(tensors).numpy() for tensors in zip(*parts, strict=True))
    clusters, entropy = q.argmax(1), _entropy(q).mean()
    signs = Signs(
        occupancy=tuple((np.bincount(clusters, minlength=q.shape[1]) / len(q)).tolist()),
        z_entropy=float(entropy),
        z_information=float(max(0.0, _entropy(q.mean(0)) - entropy)),
        active_x=int((x.var(0) > ACTIVE).sum()),
        active_w=int((w.var(0) > ACTIVE).sum()),
        agreement=float((clusters == p.argmax(1)).mean()),
        confused=confusion(q, p),
        least_variance=float(variances.mean(0).min()),
    )
    return signs, q


def confusion(*posteriors: Floats) -> tuple[tuple[int, int, float], ...]:
    r"""Pairs of clusters that share observations, the most confused first.

    The confusion of clusters j and k under probabilities q of shape (N, K) is
    :math:`\sum_n q_{nj} q_{nk} \,/\, \min(\sum_n q_{nj}, \sum_n q_{nk})`: 0 where no observation is of both,
    1/2 for two halves of one cluster. Of several posteriors the greatest counts. Clusters that hold less
    than a tenth of an equal share are in no pair.
    """
    found = np.zeros((posteriors[0].shape[1],) * 2)
    for q in posteriors:
        held = q.sum(0)
        shared = q.T @ q / np.maximum(np.minimum.outer(held, held), 1e-12)
        empty = held < 0.1 * len(q) / len(held)
        shared[empty] = shared[:, empty] = 0
        found = np.maximum(found, shared)
    pairs = [
        (j, k, round(float(found[j, k]), 4)) for j in range(len(found)) for k in range(j + 1, len(found))
    ]
    return tuple(sorted((pair for pair in pairs if pair[2] >= 0.01), key=lambda pair: -pair[2]))


def _entropy(q: Floats) -> Floats:
    return -(q * np.log(np.maximum(q, 1e-300))).sum(-1)
