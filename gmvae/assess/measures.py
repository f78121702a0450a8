"""What is measured of a model, epoch after epoch: agreement with labels, bounds, and what the doctor
reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.diagnostics import Signs
from gmvae.assess.moment import Moment
from gmvae.data.observations import Observations
from gmvae.data.prepare import Prepared
from gmvae.model.inference import agreement

Labels = NDArray[np.int64]


class Measures:
    """Measures a model on its data and, where there are any, on data held out from the start.

    Arguments:
        data: What the model is fitted to.
        labels: The true classes of its rows, (N,), unknown below 0; they only ever measure.
        test: Held-out data, and their labels.
        mc_samples: Samples of each observation in the bound of held-out data.
        levels: Whether the data are levels of images, whose bounds are reported in bits, too.
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
        self.signs: Signs | None = None
        self._before: Labels | None = None

    def remember(self, moment: Moment, count: int) -> None:
        """Remember the clusters of now, so that the next measures tell how many have ``moved``."""
        self._before = moment.clusters(self.data.everything.spaced(count))

    def of(self, moment: Moment, count: int | None = None) -> dict[str, float]:
        """On training data agreement with labels (:func:`gmvae.model.inference.agreement`), scalar
        diagnostics and ``moved``, the share of observations whose cluster is another than the last time; on
        test data, as ``test_acc`` and so on, agreement and the bound.

        Arguments:
            moment: The model.
            count: Observations of each to measure on, at most, evenly spaced; all unless given.
        """
        rows = self.data.everything.spaced(count)
        self.signs, probabilities = moment.examine(rows)
        found = agreement(probabilities, None if self.labels is None else self.labels[rows.order])
        found |= self.signs.scalars()
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
