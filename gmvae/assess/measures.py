"""Measures of a model in each epoch: agreement with labels, bounds, and the doctor's diagnostics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.diagnostics import Diagnostics
from gmvae.assess.moment import Moment
from gmvae.data.observations import Observations
from gmvae.data.prepare import Prepared
from gmvae.model.inference import agreement

Labels = NDArray[np.int64]


class Measures:
    """Measures a model on its data and on test data, if there are any.

    Arguments:
        data: The data that the model is fitted to.
        labels: The true classes of its rows, (N,), unknown below 0, used for measuring only.
        test: Test data, and their labels.
        mc_samples: Number of samples of each observation in the bound on test data.
        levels: Whether the data are levels of images. If so, bounds are also reported in bits.
    """

    def __init__(
        self,
        data: Prepared,
        labels: Labels | None,
        test: tuple[Observations, Labels | None] | None,
        mc_samples: int,
        levels: bool,
    ) -> None:
        self.data, self.labels, self.test, self.mc_samples = data, labels, test, mc_samples
        self.bits_from = math.prod(data.y_shape) if levels and data.likelihood == "bernoulli" else 0
        self.diagnostics: Diagnostics | None = None
        self._before: Labels | None = None

    def remember(self, moment: Moment, count: int) -> None:
        """Remember the current clusters, so that the next measures can report how many have ``moved``."""
        self._before = moment.clusters(self.data.everything.spaced(count))

    def of(self, moment: Moment, count: int | None = None) -> dict[str, float]:
        """Measure a model.

        On training data: agreement with labels (:func:`gmvae.model.inference.agreement`), scalar diagnostics
        and ``moved``, the share of observations whose cluster has changed since the last time. On test data,
        as ``test_acc`` and so on: agreement and the bound.

        Arguments:
            moment: The model.
            count: Maximum number of observations, each of training and test data, evenly spaced; all by
                default.
        """
        rows = self.data.everything.spaced(count)
        self.diagnostics, probabilities = moment.examine(rows)
        found = agreement(probabilities, None if self.labels is None else self.labels[rows.order])
        found |= self.diagnostics.scalars()
        if self._before is not None and len(self._before) == len(probabilities):
            now = probabilities.argmax(1)
            found["moved"] = float((self._before != now).mean())
            self._before = now
        if self.test is not None:
            test, labels = self.test[0].spaced(count), self.test[1]
            values = agreement(moment.probabilities(test), None if labels is None else labels[test.order])
            values["elbo"] = moment.bound(test, self.mc_samples)
            found |= {f"test_{key}": value for key, value in values.items()}
        return found

    def bits(self, record: Mapping[str, Any]) -> dict[str, float]:
        r"""The bounds in a record as bits per number of an image, :math:`-\mathrm{nats} / (D \ln 2)`."""
        if not self.bits_from:
            return {}
        bounds = {key: record[key] for key in ("elbo", "test_elbo") if key in record}
        scale = self.bits_from * math.log(2)
        return {key.replace("elbo", "bits_per_dimension"): -nats / scale for key, nats in bounds.items()}
