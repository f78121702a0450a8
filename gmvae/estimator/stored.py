"""Save a fitted estimator to a model file, and make one from it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from gmvae.assess.confidence import Confidence
from gmvae.assess.diagnostics import Diagnostics
from gmvae.assess.doctor import Finding
from gmvae.assess.outliers import Limits
from gmvae.data.schema import Schema
from gmvae.estimator.fitted import Fitted
from gmvae.model.isolation import isolated
from gmvae.partition.relabelling import Relabelling
from gmvae.rules import renamed
from gmvae.store.model_file import ModelFile, plain

OF_FIT = (
    "likelihood_reason", "scale_reason", "choice", "holdout", "start", "n_iter", "elbo", "n_clusters_used",
    "history", "restarts",
)  # fmt: skip
"""Attributes of a fitted estimator, without their underscore, that a model file keeps as they are."""


class Stored(Fitted):
    """The part of the estimator that is written to a file and read from it."""

    findings_: list[Finding]
    diagnostics_: Diagnostics
    n_clusters_: int
    constant_features_: NDArray[np.int64]
    _fingerprint: str
    _n_features_out: int

    @property
    def signs_(self) -> Diagnostics:
        """The earlier name of ``diagnostics_``."""
        warnings.warn("signs_ is now called diagnostics_", FutureWarning, stacklevel=2)
        return self.diagnostics_

    @isolated
    def save(self, path: str | Path) -> None:
        """Write the whole fitted model as one safetensors file, for :func:`load`: weights, scaling, names of
        columns, parameters, and results of the fit. ``labels_`` are left out, since there is one for each
        row. An existing file is replaced once the new one is complete."""
        check_is_fitted(self)
        about = {name: getattr(self, f"{name}_") for name in OF_FIT}
        about |= {
            "binary": self._binary,
            "constants": self._constants,
            "weights": self.weights_.tolist(),
            "parameters": self._parameters,
            "diagnostics": self.diagnostics_.to_json(),
            "findings": [finding.to_json() for finding in self.findings_],
            "data": {"sha256": self._fingerprint},
            "relabelled": self.relabelled_.to_json(),
            "limits": None if self._limits is None else self._limits.to_json(),
            "resampling": self._resampling,
        }
        schema = self.schema_ or self._schema(self._y_shape)
        ModelFile(self.model_, self._scaling, schema, plain(about)).save(Path(path))

    def _schema(self, y_shape: tuple[int, ...]) -> Schema:
        """The schema of rows like those of X."""
        names = tuple(map(str, getattr(self, "feature_names_in_", ())))
        return Schema(y_shape if len(y_shape) == 3 else (self.n_features_in_,), names)

    @property
    def _parameters(self) -> dict[str, Any]:
        """The parameters as JSON values; a random generator, which is not JSON, becomes ``None``."""
        given = self.get_params()
        if isinstance(self.random_state, np.random.RandomState):
            given["random_state"] = None
        shape = self.image_shape if self.image_shape is None else [int(side) for side in self.image_shape]
        return given | {"run_dir": None, "device": str(self.device), "image_shape": shape}

    @classmethod
    def of_file(cls, file: ModelFile, device: str = "auto") -> Self:
        """Make the estimator from a model file that was read, or that a run would write."""
        about, known = file.about, cls().get_params()
        given = {"n_clusters": file.model.config.clusters, "random_state": about["parameters"].get("seed")}
        given |= {"image_shape": file.model.y_shape if len(file.model.y_shape) == 3 else None}
        asked = {name: value for name, value in renamed(about["parameters"]).items() if name in known}
        given |= {name: value for name, value in asked.items() if (name, value) != ("image_shape", None)}
        # settings that a run leaves open are 0 in its configuration
        given |= {name: "auto" for name in ("rounds", "epochs", "learning_rate") if given.get(name) == 0}
        if file.schema.impute:
            given["missing"] = "impute"
        if file.schema.categories:
            given["text"] = "one-hot"
        if given["image_shape"] is not None:
            given["image_shape"] = tuple(given["image_shape"])
        model = cls(**{**given, "device": device})
        for name in OF_FIT:
            setattr(model, f"{name}_", about.get(name, "" if name.endswith("reason") else None))
        model.model_, model._scaling, model.schema_ = file.model, file.scaling, file.schema
        model.n_clusters_ = file.model.config.clusters
        model._y_shape, model._n_features_out = file.model.y_shape, file.model.config.x_size
        model._binary, model._fingerprint = about["binary"], about["data"]["sha256"]
        model.likelihood_, model.weights_ = file.model.config.likelihood, np.array(about["weights"])
        model.diagnostics_ = Diagnostics.from_json(about["diagnostics"])
        model.findings_ = [Finding(**finding) for finding in about["findings"]]
        model.relabelled_ = Relabelling.of(
            about.get("relabelled", {}), model.n_clusters_, model.model_.config.x_size
        )
        if limits := about.get("limits"):
            model._limits = Limits.from_json(limits)
        if found := about.get("resampling"):
            model._resampling, model.cluster_stability_ = found, np.array(found["clusters"])
            model._confidence = Confidence.from_json(found["confidence"])
        model.n_features_in_ = len(file.scaling.mean)
        model._constants = {int(column): value for column, value in about.get("constants", {}).items()}
        left_out = np.setdiff1d(np.arange(model.n_features_in_), file.scaling.kept)
        model.constant_features_ = np.union1d(left_out, list(model._constants)).astype(np.int64)
        if file.schema.features:
            model.feature_names_in_ = np.array(file.schema.features, dtype=object)
        return model
