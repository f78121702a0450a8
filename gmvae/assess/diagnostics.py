r"""Diagnostics of how a model uses its clusters and latents, computed without labels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gmvae.data.dataset import scaled
from gmvae.data.scales.moments import Moments
from gmvae.model.distributions import DiagonalGaussian
from gmvae.model.inference import BATCH, evaluating
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.rules import renamed

ACTIVE = 0.01
"""A unit is active if the variance of its mean over the data is above this."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Diagnostics:
    """The diagnostics of a model. Entropies and information are in nats, at most ln K."""

    occupancy: tuple[float, ...]
    """Share of the observations whose most probable cluster is this one, for each cluster, (K,)."""
    z_entropy: float
    r"""Mean of :math:`H(q(z|y))`: how uncertain assignments are."""
    z_information: float
    r"""Mutual information of z and y, :math:`H(\overline{q(z|y)}) - \overline{H(q(z|y))}`."""
    active_x: int
    """Number of active units of x: the variance of their mean over the data is above 0.01 (Burda et al.,
    arXiv 1509.00519)."""
    active_w: int
    """Number of active units of w, by the same rule."""
    agreement: float
    """Share of the observations to which q(z | y), and p(z | x, w) at the means of x and w, give the same
    cluster."""
    confused: tuple[tuple[int, int, float], ...]
    """Pairs of clusters j < k that overlap, and their confusion under q(z | y) or p(z | x, w), whichever is
    greater: at least 0.01, the greatest first."""
    smallest_variance: float
    """The smallest variance of a Gaussian p(y | x) among the numbers of y, each averaged over the
    observations; 1 for a Bernoulli likelihood."""

    def scalars(self) -> dict[str, float]:
        """The diagnostics that go into the record of an epoch."""
        keys = ("z_entropy", "z_information", "active_x", "active_w", "agreement")
        return {key: getattr(self, key) for key in keys}

    def to_json(self) -> dict[str, Any]:
        """The diagnostics as JSON values."""
        return asdict(self)

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(renamed(state))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The diagnostics that :meth:`to_json` wrote."""
        pairs = tuple((int(j), int(k), float(shared)) for j, k, shared in values["confused"])
        return cls(**{**renamed(values), "occupancy": tuple(values["occupancy"]), "confused": pairs})


def __getattr__(name: str) -> Any:
    """``Signs``, the earlier name of ``Diagnostics``, which pickled estimators refer to."""
    if name != "Signs":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"{name} is now called Diagnostics", FutureWarning, stacklevel=2)
    return Diagnostics


class Examination:
    """Computes the diagnostics of a model from batches of observations. It is deterministic: it uses means in
    place of samples.

    Arguments:
        model: The model.

    Attributes:
        probabilities: q(z | ...) of the batches so far, each of shape (B, K).
    """

    def __init__(self, model: GaussianMixtureVAE) -> None:
        self.model, self.probabilities = model, list[Floats]()
        size = model.config
        self._x, self._w = Moments(size.x_size), Moments(size.w_size)
        self._entropy, self._agree = 0.0, 0
        self._variance: Floats = np.zeros(1)
        self._q, self._p = Shared(size.clusters), Shared(size.clusters)

    def add(self, y: Tensor) -> None:
        """Add observations of shape (N, *y_shape)."""
        with evaluating(self.model):
            for batch in y.split(BATCH):
                self._add(scaled(batch))

    def _add(self, y: Tensor) -> None:
        q_x, q_w, q_z = self.model.recognition(y)
        p_z = self.model.generative.p_z_given(q_x.mean, self.model.generative.p_x(q_w.mean))
        q_z = p_z if q_z is None else q_z
        q, p, x, w = (_floats(tensor) for tensor in (q_z.probs, p_z.probs, q_x.mean, q_w.mean))
        self._x.add(x)
        self._w.add(w)
        self._q.add(q)
        self._p.add(p)
        self._entropy += float(_entropy(q).sum())
        self._agree += int((q.argmax(1) == p.argmax(1)).sum())
        # of the decoder, only a Gaussian's variance is needed
        decoded = self.model.config.likelihood == "gaussian"
        p_y = self.model.generative.p_y(q_x.mean) if decoded else None
        variance = _floats(p_y.variance.mean(0)) if isinstance(p_y, DiagonalGaussian) else np.ones(1)
        self._variance = self._variance + len(y) * variance
        self.probabilities.append(q)

    def diagnostics(self) -> Diagnostics:
        """The diagnostics from all observations so far."""
        q, count = self._q, sum(map(len, self.probabilities))
        clusters = np.concatenate([part.argmax(1) for part in self.probabilities])
        entropy = self._entropy / count
        return Diagnostics(
            occupancy=tuple((np.bincount(clusters, minlength=len(q.totals)) / count).tolist()),
            z_entropy=entropy,
            z_information=max(0.0, float(_entropy(q.totals / count)) - entropy),
            active_x=int((self._x.deviation**2 > ACTIVE).sum()),
            active_w=int((self._w.deviation**2 > ACTIVE).sum()),
            agreement=self._agree / count,
            confused=_pairs(q, self._p),
            smallest_variance=float(np.min(self._variance) / count),
        )


def examine(model: GaussianMixtureVAE, y: Tensor) -> tuple[Diagnostics, Floats]:
    """The diagnostics from observations of shape (N, *y_shape), and q(z | ...) of each, (N, K)."""
    found = Examination(model)
    found.add(y)
    return found.diagnostics(), np.concatenate(found.probabilities)


class Shared:
    """Sums of cluster probabilities and of their products, and how often each cluster is the most
    probable."""

    def __init__(self, clusters: int) -> None:
        self.totals, self.products = np.zeros(clusters), np.zeros((clusters, clusters))
        self.first = np.zeros(clusters, dtype=np.int64)

    def add(self, q: Floats) -> None:
        self.totals += q.sum(0)
        self.first += np.bincount(q.argmax(1), minlength=len(self.first))
        self.products += q.T @ q


def confusion(*posteriors: Floats) -> tuple[tuple[int, int, float], ...]:
    r"""Pairs of clusters that share observations, the most confused first.

    The confusion of clusters j and k under probabilities q of shape (N, K) is
    :math:`\sum_n q_{nj} q_{nk} \,/\, \min(\sum_n q_{nj}, \sum_n q_{nk})`. It is 0 if no observation belongs
    to both, and 1/2 for two halves of one cluster. With several posteriors the greatest value counts. Empty
    clusters are in no pair: those that are never the most probable one, and have less than a tenth of an
    equal share.
    """
    sums = [Shared(q.shape[1]) for q in posteriors]
    for shared, q in zip(sums, posteriors, strict=True):
        shared.add(q)
    return _pairs(*sums)


def _pairs(*posteriors: Shared) -> tuple[tuple[int, int, float], ...]:
    found = np.zeros_like(posteriors[0].products)
    for q in posteriors:
        shared = q.products / np.maximum(np.minimum.outer(q.totals, q.totals), 1e-12)
        empty = (q.first == 0) & (q.totals < 0.1 * q.totals.sum() / len(q.totals))
        shared[empty] = shared[:, empty] = 0
        found = np.maximum(found, shared)
    pairs = [
        (j, k, round(float(found[j, k]), 4)) for j in range(len(found)) for k in range(j + 1, len(found))
    ]
    return tuple(sorted((pair for pair in pairs if pair[2] >= 0.01), key=lambda pair: -pair[2]))


def _floats(tensor: Tensor) -> Floats:
    return tensor.cpu().double().numpy()


def _entropy(q: Floats) -> Floats:
    return -(q * np.log(np.maximum(q, 1e-300))).sum(-1)
