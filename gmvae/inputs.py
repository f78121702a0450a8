"""The data of a run: where they are, how they are read, and how they become observations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from gmvae.config import Config, DataConfig
from gmvae.data.dataset import Dataset, Origin
from gmvae.data.files.open import open_source
from gmvae.data.load import load
from gmvae.data.prepare import Prepared, as_it_is, prepare
from gmvae.data.schema import Schema
from gmvae.store.kept import kept
from gmvae.store.run_folder import RunFolder


def read(config: DataConfig, folder: str | None = None) -> Dataset:
    """The data that a configuration names; ``folder`` is where published ones were found before."""
    given = {name: value for name, value in asdict(config).items() if name != "standardise"}
    return load(**given | ({} if folder is None else {"data_dir": folder}))


def prepared_for(config: Config, data: Dataset, device: torch.device) -> Prepared:
    """Data as a configuration wants them: somebody's own, or a data set of the paper as it is."""
    likelihood, standardise = config.model.likelihood, config.data.standardise
    if not standardise and config.data.dataset != "file":
        if data.weights is not None:
            raise ValueError(
                "weight column is for gmvae train data: the paper's experiments weigh all rows alike"
            )
        return as_it_is(data, likelihood, device)
    return prepare(
        data.table,
        data.weights,
        likelihood=likelihood,
        image_shape=data.y_shape if len(data.y_shape) == 3 else None,
        standardise=standardise,
        device=device,
        name=data.name,
    )


def in_memory(folder: RunFolder, about: Mapping[str, Any], given: tuple[Any, Any] | None) -> Dataset:
    """The data of a run that began in Python: those that are given, or else those that it has kept."""
    if given is None and "rows" not in about:
        raise ValueError(
            f"{folder.path} has not kept its data: go on with GMVAE.resume({str(folder.path)!r}, X) in Python"
        )
    rows, weights = kept(folder.path, about["rows"]) if given is None else given
    shape = about["image_shape"] and tuple(about["image_shape"])
    found = about.get("schema")
    schema = Schema.from_json(found) if found else Schema(shape or rows.shape[1:], tuple(about["columns"]))
    origin = Origin(schema)
    return Dataset("X", rows, weights=weights, origin=origin, image_shape=shape)


def absolute(config: DataConfig) -> DataConfig:
    """The same data, wherever the run is gone on with."""
    path, labels = (path and str(Path(path).resolve()) for path in (config.path, config.labels_path))
    return replace(config, path=path, labels_path=labels)


def check_apart(config: Config) -> None:
    """``ValueError`` where the pictures of a run would become some of the pictures that it is trained on."""
    data, folder = config.data.path, Path(config.run.run_dir or "runs")
    if (
        data is not None
        and Path(data).is_dir()
        and open_source(data).reads(folder / "run" / "plots" / "latent.png")
    ):
        raise ValueError(
            f"{folder} lies in {data}, which the run is trained on: name a --run-dir outside of it"
        )
