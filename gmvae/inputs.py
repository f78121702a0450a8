"""The data of a run: find them, read them, and make observations of them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gmvae.config import Config, DataConfig
from gmvae.data import allowance, scratch
from gmvae.data.dataset import Dataset, Origin
from gmvae.data.files.open import open_source
from gmvae.data.files.read import left_out
from gmvae.data.load import load
from gmvae.data.prepare import Prepared, as_it_is, prepare
from gmvae.data.schema import ReadOptions, Schema
from gmvae.data.stream import prepare_stream
from gmvae.store.rows import kept
from gmvae.store.run_folder import RunFolder
from gmvae.training.workers import ALONE, Workers

SHARE = 0.25
"""Share of the memory that this process may use above which rows are streamed."""


def gather(
    config: Config, device: torch.device, workers: Workers = ALONE, folder: str | None = None
) -> tuple[Config, Dataset, Prepared]:
    """The data that a configuration names, in memory or as a stream. The returned configuration says which.

    Arguments:
        config: The configuration.
        device: Device of the batches.
        workers: The processes that read the data together: one on each machine shuffles a stream.
        folder: Where published data were found before.
    """
    if not (config.data.stream or any(workers.gathered(large(config.data)))):
        data = read(config.data, folder)
        return config, data, prepared_for(config, data, device)
    config = replace(config, data=replace(config.data, stream=True))
    given = asdict(config.data)
    options = ReadOptions(**{one.name: given[one.name] for one in fields(ReadOptions)})
    source = open_source(str(config.data.path))
    schema = source.schema(options)
    place = stream_folder(Path(config.run.run_dir or Path("runs", "run")).parent, workers)
    first = workers.local == 0
    data, prepared = prepare_stream(
        lambda: source.blocks(schema),
        schema,
        place,
        likelihood=config.model.likelihood,
        scale=config.data.scale,
        device=device,
        name=source.path.name,
        seed=config.training.seed,
        writes=first,
        ready=workers.wait,
    )
    if data.origin is not None:
        data = replace(data, origin=replace(data.origin, index=left_out(source, schema)))
    return config, data, prepared


def stream_folder(parent: Path, workers: Workers = ALONE) -> Path:
    """A folder for the rows of a stream, removed when this process ends (:mod:`gmvae.data.scratch`). The
    processes of one machine share it. Other machines, and other runs, can use the same disk."""
    name = workers.meeting.name or uuid.uuid4().hex
    place = Path(os.environ.get("TMPDIR") or parent) / f".gmvae-rows-{name}-{workers.machine}"
    if workers.local == 0:
        scratch.take(place)
        workers.last.append(partial(scratch.remove, place))
    return place


def large(config: DataConfig) -> bool:
    """Whether the file of a configuration would take more than ``SHARE`` of the memory that this process may
    use (:func:`gmvae.data.allowance.memory`)."""
    if config.path is None or config.weight_column or config.labels_path:
        return False
    return open_source(config.path).size() > SHARE * allowance.memory()


def read(config: DataConfig, folder: str | None = None) -> Dataset:
    """Read the data that a configuration names; ``folder`` is where published data were found before."""
    given = {name: value for name, value in asdict(config).items() if name not in ("scale", "stream")}
    return load(**given | ({} if folder is None else {"data_dir": folder}))


def prepared_for(config: Config, data: Dataset, device: torch.device) -> Prepared:
    """Prepare data for a fit: the user's own as the configuration says, a data set of the paper as it is."""
    likelihood, scale = config.model.likelihood, config.data.scale
    if scale == "none" and config.data.dataset != "file":
        if data.weights is not None:
            raise ValueError(
                "--weight-column is for gmvae train data: the paper's experiments give all rows equal weight"
            )
        return as_it_is(data, likelihood, device)
    return prepare(
        data.table,
        data.weights,
        likelihood=likelihood,
        image_shape=data.y_shape if len(data.y_shape) == 3 else None,
        scale=scale,
        device=device,
        name=data.name,
        names=() if data.origin is None else data.origin.schema.features,
    )


def in_memory(folder: RunFolder, about: Mapping[str, Any], given: tuple[Any, Any] | None) -> Dataset:
    """The data of a run that was started in Python: those given, or else those kept in the run folder."""
    if given is None and "rows" not in about:
        raise ValueError(
            f"{folder.path} has not kept its data: run GMVAE.resume({str(folder.path)!r}, X) in Python"
        )
    rows, weights = kept(folder.path, about["rows"]) if given is None else given
    shape = about["image_shape"] and tuple(about["image_shape"])
    found = about.get("schema")
    schema = Schema.from_json(found) if found else Schema(shape or rows.shape[1:], tuple(about["columns"]))
    origin = Origin(schema)
    return Dataset("X", rows, weights=weights, origin=origin, image_shape=shape)


def absolute(config: DataConfig) -> DataConfig:
    """Return the same with absolute paths, so that the run can be resumed from any folder."""
    path, labels = (
        path if path is None or "://" in path else str(Path(path).resolve())
        for path in (config.path, config.labels_path)
    )
    return replace(config, path=path, labels_path=labels)


def check_apart(config: Config) -> None:
    """Raise ``ValueError`` if the pictures that a run draws would become part of its training data."""
    data, folder = config.data.path, Path(config.run.run_dir or "runs")
    if (
        data is not None
        and Path(data).is_dir()
        and open_source(data).reads(folder / "run" / "plots" / "latent.png")
    ):
        raise ValueError(
            f"{folder} lies in {data}, which the run is trained on: name a --run-dir outside of it"
        )
