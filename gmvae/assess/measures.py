"""What is measured of a run: agreement with labels, bounds, and the signs that the doctor reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gmvae.assess import doctor
from gmvae.assess.diagnostics import Signs, examine
from gmvae.config import Config
from gmvae.data.dataset import Dataset
from gmvae.fit.holdout import Holdout
from gmvae.model import inference
from gmvae.model.isolation import isolated
from gmvae.model.vae import GaussianMixtureVAE


class Measuring:
    """Measures a model on its data, again and again.

    Arguments:
        model: The model.
        data: Its data.
        config: Of the run.
        device: Where the model is.
    """

    def __init__(
        self, model: GaussianMixtureVAE, data: Dataset, config: Config, device: torch.device
    ) -> None:
        self.model, self.data, self.config, self.device = model, data, config, device
        self.holdout: Holdout | None = None
        self._before: NDArray[np.int64] | None = None
        self._signs: Signs | None = None

    @property
    def signs(self) -> Signs:
        """What the last measures showed; without any yet, what all of the data show."""
        if self._signs is None:
            self._signs, _ = examine(self.model, self.data.tensor(self.device))
        return self._signs

    @isolated
    def begin(self) -> None:
        """Remember the clusters of now, so that the next measures tell how many have ``moved``."""
        y = self.data.tensor(self.device, self.config.run.measure_most)
        self._before = inference.assign(self.model, y).argmax(1)

    @isolated
    def measures(self, most: int | None = None) -> dict[str, float]:
        """On training data agreement with labels (:func:`gmvae.model.inference.agreement`), scalar signs
        (:class:`gmvae.assess.diagnostics.Signs`) and ``moved``, the share of observations whose cluster is
        another than the last time, after :meth:`begin`; on test data, as ``test_acc`` and so on, agreement
        and the bound.

        Arguments:
            most: Observations of each to measure on, evenly spaced; all unless given.
        """
        self._signs, probabilities = examine(self.model, self.data.tensor(self.device, most))
        found = inference.agreement(probabilities, self._labels(self.data, most))
        found |= self._signs.scalars() | self._moved(probabilities.argmax(1))
        if self.data.test:
            y = self.data.test.tensor(self.device, most)
            values = inference.agreement(inference.assign(self.model, y), self._labels(self.data.test, most))
            values["elbo"] = self._bound(y)
            found |= {f"test_{key}": value for key, value in values.items()}
        return found

    @isolated
    def everything(self, samples: int = 0) -> dict[str, float]:
        """Every measure on all data: :meth:`measures`, the bound on the training data, and an estimate of
        log p(y) with so many samples (0 for none) on test data or, without them, training data."""
        found = self.measures()
        found["elbo"] = self._bound(self.data.tensor(self.device))
        if samples:
            prefix, data = ("test_", self.data.test) if self.data.test else ("", self.data)
            log_p = inference.log_likelihood(self.model, data.tensor(self.device), samples)
            found[f"{prefix}log_likelihood"] = float(log_p.mean()) + self.data.log_det
        return found | self.bits(found)

    def findings(self, history: list[dict[str, Any]]) -> list[doctor.Finding]:
        """What the doctor says of the last measures, and of the records of all epochs."""
        return doctor.diagnose(
            self.signs, self.config.model, self.config.objective, history, holdout=self.holdout
        )

    def in_units(self, record: dict[str, Any]) -> dict[str, float]:
        """The values of a record that come from a density, in the units of the data."""
        signs = {"loss": -1, "elbo": 1, "reconstruction": 1}
        return {key: record[key] + sign * self.data.log_det for key, sign in signs.items()}

    def bits(self, record: dict[str, Any]) -> dict[str, float]:
        """The bounds in a record in bits per number, where the data are images' levels as probabilities."""
        if self.data.y.dtype != np.uint8 or self.config.model.likelihood != "bernoulli":
            return {}
        bounds = {key: record[key] for key in ("elbo", "test_elbo") if key in record}
        return {
            key.replace("elbo", "bits_per_dimension"): inference.bits_per_dimension(self.model, nats)
            for key, nats in bounds.items()
        }

    def _bound(self, y: torch.Tensor) -> float:
        bound = inference.bound(self.model, y, self.config.objective.mc_samples)
        return float(bound.mean()) + self.data.log_det

    def _labels(self, data: Dataset, most: int | None) -> NDArray[np.int64] | None:
        wanted = self.config.run.measure and data.labels is not None
        return data.labels[data.spaced(most)] if wanted and data.labels is not None else None

    def _moved(self, clusters: NDArray[np.int64]) -> dict[str, float]:
        if self._before is None:
            return {}
        if len(clusters) == len(self.data):
            clusters = clusters[self.data.spaced(self.config.run.measure_most)]
        before, self._before = self._before, clusters
        return {"moved": float((before != clusters).mean())}
