"""The part of the estimator that takes rows in batches, which can be more than fit into memory."""

from __future__ import annotations

import math
import tempfile
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gmvae.config import Config
from gmvae.data import portions
from gmvae.data.iterables import is_stream
from gmvae.data.stream import prepare_stream
from gmvae.estimator.batches import Batches
from gmvae.estimator.intake import check_count, warn_of_counting
from gmvae.estimator.updating import Updated, update
from gmvae.fit.engine import Engine
from gmvae.fit.parameters import configuration
from gmvae.fit.result import Result
from gmvae.model.isolation import isolated
from gmvae.show.bar import followed
from gmvae.training.devices import pick_device


class Streaming(Updated):
    """An estimator that takes batches, too. They are shuffled, so it keeps no values for single rows."""

    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    missing: Any
    text: Any
    image_shape: tuple[int, ...] | None
    device: str
    verbose: int | str
    scale: str
    run_dir: str | Path | None
    warm_start: bool

    @abstractmethod
    def _take(self, result: Result, going_on: bool) -> None:
        """Take over the result of a fit."""

    @property
    def labels_(self) -> NDArray[np.int64]:
        """The cluster of each row of X, (N,), in the order of X; not known for rows that come in batches."""
        if "labels_" not in self.__dict__:
            raise AttributeError(
                "there are no labels_ of rows that came in batches, or of a model that was loaded: call "
                "predict with each batch or an array"
                if "model_" in self.__dict__
                else f"{type(self).__name__!r} object has no attribute 'labels_'"
            )
        found: NDArray[np.int64] = self.__dict__["labels_"]
        return found

    @labels_.setter
    def labels_(self, labels: NDArray[np.int64]) -> None:
        self.__dict__["labels_"] = labels

    def fit_predict(self, X: Any, y: object = None, **given: Any) -> NDArray[np.int64]:
        """Fit the model to the rows of X, (N, D), and return ``labels_``; ``y`` is ignored.

        Raises:
            ValueError: as :meth:`fit`; and if X comes in batches.
        """
        self._check_whole(X, "fit_predict", "predict")
        found: NDArray[np.int64] = super().fit_predict(X, y, **given)
        return found

    def fit_transform(self, X: Any, y: object = None, **given: Any) -> Any:
        """Fit the model to the rows of X, (N, D), and return :meth:`transform` of them; ``y`` is ignored.

        Raises:
            ValueError: as :meth:`fit`; and if X comes in batches.
        """
        self._check_whole(X, "fit_transform", "transform")
        return super().fit_transform(X, y, **given)

    @isolated
    def partial_fit(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        if not is_stream(X) or not hasattr(self, "model_"):
            return super().partial_fit(X, y, sample_weight)
        check_given({"sample_weight": sample_weight is not None, "run_dir": self.run_dir is not None})
        batches = Batches(X, self.image_shape)
        update(self, map(batches.joined, portions.portions(batches, portions.NUMBERS)))
        self._forget_rows()
        return self

    partial_fit.__doc__ = Updated.partial_fit.__doc__

    def _fit_stream(self, X: Any, sample_weight: ArrayLike | None) -> None:
        """Fit to rows that come in batches, through the disk."""
        configuration(self.get_params())  # parameters are checked before X is
        device = pick_device(self.device)
        check_given(
            {
                "sample_weight": sample_weight is not None,
                "run_dir": self.run_dir is not None,
                "warm_start": self.warm_start and hasattr(self, "model_"),
                f"missing={self.missing!r}": self.missing != "error",
                f"text={self.text!r}": self.text != "error",
            }
        )
        batches = Batches(X, self.image_shape)
        shape = batches.shape if len(batches.shape) == 3 else None
        config = configuration({**self.get_params(), "image_shape": shape}, self._seed())
        result = fit_stream(batches, config, device, self.verbose, self.scale)
        self.n_features_in_, self.schema_, self._labels = math.prod(batches.shape), None, batches.labels
        self.__dict__.pop("feature_names_in_", None)
        if batches.names and batches.labels is None:
            self.feature_names_in_ = np.array(batches.names, dtype=object)
        self._take(result, going_on=False)
        self._forget_rows()

    def _check_whole(self, X: Any, method: str, after: str) -> None:
        """Raise ``ValueError`` if X comes in batches, so that a result would not have the order of X."""
        if is_stream(X):
            raise ValueError(
                f"X comes in batches, which are shuffled, so {method} has no order to return: call fit, then "
                f"{after} with each batch or an array"
            )

    def _forget_rows(self) -> None:
        """Leave out what there is for each row, which would be in another order than X."""
        self.__dict__.pop("labels_", None)
        self.stability_ = None


def check_given(used: Mapping[str, bool]) -> None:
    """Raise ``ValueError`` if something is used that needs rows in memory."""
    for name in (name for name, given in used.items() if given):
        raise ValueError(
            f"X comes in batches, and {name} is given: that needs rows in memory, so leave it out"
        )


def fit_stream(
    batches: Batches, config: Config, device: torch.device, verbose: int | str, scale: str
) -> Result:
    """Fit to rows that come in batches.

    Arguments:
        batches: The rows.
        config: The configuration.
        device: The device.
        verbose: As the estimator's.
        scale: As the estimator's.

    Raises:
        ValueError: if the rows are not valid or fewer than the clusters, or the disk does not have enough
            room for them.
    """
    with followed(verbose) as observers, tempfile.TemporaryDirectory(prefix="gmvae-rows-") as folder:
        rows, data = prepare_stream(
            batches,
            batches.schema,
            Path(folder),
            likelihood=config.model.likelihood,
            scale=scale,
            device=device,
            name="X",
            seed=config.training.seed,
        )
        check_count(data.rows.source, None, max(2, config.model.clusters))
        if rows.origin is not None:
            warn_of_counting(rows.origin.counting)
        return Engine(config, data, observers).fit()
