"""The part of the estimator that continues a fitted model on new rows."""

from __future__ import annotations

import copy
import numbers
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state

from gmvae.assess.doctor import Finding
from gmvae.assess.drift import drift
from gmvae.config import Config
from gmvae.data.prepare import Prepared
from gmvae.data.survey import weighed
from gmvae.estimator.reporting import Reported
from gmvae.fit.resolve import resolve
from gmvae.fit.restart import Before
from gmvae.fit.result import Result
from gmvae.model import inference
from gmvae.model.answers import AT_ONCE, precise
from gmvae.model.isolation import isolated
from gmvae.start.begin import teaches


class Updated(Reported):
    """An estimator that can be updated with new rows."""

    stability_: NDArray[np.float64] | None

    @abstractmethod
    def fit(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit from scratch, or continue with ``warm_start``."""

    @abstractmethod
    def _fit(self, X: Any, sample_weight: ArrayLike | None, *, renumber: bool = True) -> None:
        """Fit as :meth:`fit` does, but leave a half-fitted estimator if it fails."""

    @isolated
    def partial_fit(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Continue training with one pass over new rows, (N, D); the first call is :meth:`fit`.

        Scaling, clusters, their numbers, names and merges stay those of the first fit, and ``labels_`` are
        those of the new rows. If these differ from the rows that the model was fitted to, ``findings_`` has a
        ``drift`` (:mod:`gmvae.assess.drift`). The model gradually forgets what is not in the new rows, so mix
        old rows in. More than 2^26 numbers in batches are several updates, each with a random portion of the
        rows; the drift is that of the first portion.

        Raises:
            ValueError, FloatingPointError: as :meth:`fit`; and if clusters were split (:meth:`relabel`),
                since training moves x.
        """
        if not hasattr(self, "model_"):
            return self.fit(X, y, sample_weight)
        edits = self.relabelled_
        if edits.split:
            raise ValueError(
                f"cluster {edits.split[0].cluster} was split by a plane in x, which training moves: undo the "
                "split with relabel before you update the model"
            )
        outliers = None if self._limits is None else self.is_outlier(X)
        q = self._each(X, inference.assign)
        rows = None if sample_weight is None else weighed(q, sample_weight)
        finding = drift(outliers, q, self.weights_, rows)
        work = object.__new__(type(self))
        work.__dict__ = self.__dict__ | {"warm_start": True, "epochs": 1, "n_clusters": self.n_clusters_}
        work._fit(X, sample_weight, renumber=False)
        given = {name: self.__dict__[name] for name in ("warm_start", "epochs", "n_clusters")}
        self.__dict__ = work.__dict__ | given
        self.relabelled_ = edits
        self.findings_ = [*([] if finding is None else [finding]), *self.findings_]
        return self

    def _before(self, config: Config, data: Prepared, *, renumber: bool) -> Before:
        """The model to continue. It is a copy, since the fit can fail."""
        asked = resolve(config, data, data.rows).model
        if replace(self.model_.config, max_clusters=asked.max_clusters) != asked:
            raise ValueError(
                "warm_start would continue a model with other sizes or another likelihood than asked for: "
                "keep these, or set warm_start=False"
            )
        init = (getattr(self, "start_", None) or {"init": "random"})["init"]
        anchored = teaches(init, config.model.assignment)
        return Before(copy.deepcopy(self.model_).to(data.rows.device), self.n_iter_, anchored, renumber)

    def _seed(self) -> int:
        """The seed: ``random_state`` itself, or a number drawn from it."""
        rng = self.random_state
        if isinstance(rng, numbers.Integral):
            return int(rng)
        return int(check_random_state(rng).randint(2**31 - 1))

    def _take_stability(self, result: Result) -> None:
        """Take over the stability under resampling."""
        found, self.stability_ = result.resampling, None
        self.cluster_stability_ = self._confidence = self._resampling = None
        if found is None:
            return
        self._resampling = found.to_json()
        self.cluster_stability_, self._confidence = np.array(found.clusters), found.confidence
        rows = result.data.everything
        x = np.concatenate([inference.embed(precise(self.model_), y) for y in rows.batches(AT_ONCE)])
        nearest = NearestNeighbors(n_neighbors=1).fit(x[found.rows])
        self.stability_ = found.stability[nearest.kneighbors(x, return_distance=False)[:, 0]]


def update(model: Updated, parts: Iterable[Any]) -> None:
    """Update a model with random portions of the new rows, one after the other. The drift is that of the
    first, against the model as it was. If one fails, the model stays as it was."""
    work, found = object.__new__(type(model)), list[list[Finding]]()
    work.__dict__ = model.__dict__.copy()
    for rows in parts:
        Updated.partial_fit(work, rows)
        found.append(work.findings_)
    model.__dict__ = work.__dict__
    drifts = [finding for finding in found[0] if finding.name == "drift"]
    model.findings_ = [*drifts, *(finding for finding in found[-1] if finding.name != "drift")]
