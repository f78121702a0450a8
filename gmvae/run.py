"""A run: from a configuration to a run folder, epoch by epoch, and on again after a break."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from gmvae import evaluation, plots
from gmvae.config import Config, DataConfig, ModelConfig
from gmvae.data import Dataset, load
from gmvae.files import (
    RunFolder,
    read_arrays,
    read_tensors,
    save_model,
    versions,
    write_arrays,
    write_tensors,
    write_whole,
)
from gmvae.model import GMVAE
from gmvae.snapshot import Snapshot, snapshot
from gmvae.training import RandomStream, Trainer, cpu_threads, pick_device, pick_threads

SHOWN = 5000
"""Observations in the pictures, at most."""


class Run:
    """A training run and its folder. Begin one with :meth:`new`, go on with one by :meth:`resume`.

    Example::

        run = Run.new("spiral", experiment("spiral"))
        for record in run.train():
            print(record["epoch"], record["elbo"], record["clusters_used"])
        print(run.summary()["nmi"])
    """

    folder: RunFolder

    def __init__(self, name: str, config: Config, data: Dataset) -> None:
        self.name, self.config, self.data = name, config, data
        self.device = pick_device(config.training.device)
        self.history: list[dict[str, Any]] = []
        stream = RandomStream(config.training.seed, self.device)
        with stream.use():
            self.model = GMVAE(data.y_shape, config.model).to(self.device)
        self.trainer = Trainer(self.model, config.objective, config.training, stream)
        self.saved = 0  # epochs in the last checkpoint

    @classmethod
    def new(cls, name: str, config: Config) -> Run:
        """Begin a run called ``name`` in the folder that the configuration names.

        Raises:
            ValueError: where data, device or folder are not what they should be. Nothing is written then.
            OSError: where a file cannot be read or written.
        """
        config = replace(config, data=_absolute(config.data))
        data = load(**asdict(config.data))
        _check_fit(data, config.model)
        run = cls(name, config, data)
        about = {
            "name": name,
            "config": config.to_json(),
            "data": {
                "name": data.name,
                "shape": data.y.shape,
                "labels": data.labels is not None,
                "folder": None if data.folder is None else str(Path(data.folder).resolve()),
                "test": None if data.test is None else len(data.test),
                "sha256": data.fingerprint(),
            },
            "versions": versions(),
        }
        run.folder = RunFolder.create(config.run.run_dir or _fresh_name(name), about)
        return run

    @classmethod
    def resume(cls, path: str | Path, epochs: int | None = None, device: str | None = None) -> Run:
        """Go on with the run in a folder from its last checkpoint, as if it had never stopped.

        Arguments:
            path: The run folder.
            epochs: A new number of epochs in all, where it is to be longer than first asked for.
            device: Another device than before.

        Raises:
            ValueError: where the folder holds no run, or the data are not those that it began with.
            OSError: where a file cannot be read.
        """
        run = cls._restored(path, epochs=epochs, device=device)
        done, last = run.trainer.epoch, run.config.training.epochs
        if done > last:
            raise ValueError(f"{path} has {done} epochs already: it cannot end after {last}")
        run.history = run.folder.rewind(run.trainer.epoch)
        return run

    @classmethod
    def open(cls, path: str | Path, device: str = "auto") -> Run:
        """The run in a folder as its last checkpoint has it, to look at: nothing is written.

        Raises:
            ValueError: as :meth:`resume`, or where there is no checkpoint yet.
            OSError: where a file cannot be read.
        """
        run = cls._restored(path, device=device)
        if not run.trainer.epoch:
            raise ValueError(f"{path} has no checkpoint yet: wait for it, or begin with gmvae resume {path}")
        run.history = run.folder.history()
        return run

    @classmethod
    def _restored(cls, path: str | Path, **changes: Any) -> Run:
        folder = RunFolder(path)
        about = folder.about()
        config = Config.from_json(about["config"])
        changes = {name: value for name, value in changes.items() if value is not None}
        config = replace(config, training=replace(config.training, **changes))
        data = load(**asdict(config.data) | {"data_dir": about["data"]["folder"]})
        if data.fingerprint() != about["data"]["sha256"]:
            raise ValueError(f"{data.name} has changed since the run in {path} began: start a new run")
        run = cls(about["name"], config, data)
        run.folder = folder
        if folder.checkpoint.exists():
            run.trainer.restore(*read_tensors(folder.checkpoint))
        run.saved = run.trainer.epoch
        return run

    def train(self, told: Callable[[float], object] = lambda _: None) -> Iterator[dict[str, Any]]:
        """Train to the end, writing the run folder on the way.

        Arguments:
            told: Called after each step with the number of epochs done, of which the last is a part.

        Yields:
            The record of each epoch that metrics.jsonl gets.
        """
        model, training = self.config.model, self.config.training
        work = training.batch_size * self.config.objective.mc_samples * model.hidden_size**2
        with cpu_threads(pick_threads(training.threads, work)):
            yield from self._train(told)

    def _train(self, told: Callable[[float], object]) -> Iterator[dict[str, Any]]:
        began, saved_at = time.perf_counter(), -math.inf
        for record in self.trainer.epochs(self.data.tensor(self.device), told):
            last = record["epoch"] == self.config.training.epochs
            measured = self.config.run
            record |= self.measures(None if last else measured.measure_most, labelled=measured.measure)
            record |= self._bits(record)
            record["wall_seconds"] = time.perf_counter() - began
            began += record["wall_seconds"]
            self.history.append(record)
            self.folder.append(record)
            every = self.config.run.plot_every
            if every and (record["epoch"] % every == 0 or record["epoch"] == 1 or last):
                self.draw()
            if last or time.monotonic() - saved_at >= self.config.run.checkpoint_every:
                write_tensors(self.folder.checkpoint, *self.trainer.state())
                saved_at, self.saved = time.monotonic(), self.trainer.epoch
            if last:
                if self.config.run.save_model:
                    save_model(self.folder.model, self.model)
                self.folder.write_summary(self.summary())
            yield record

    def measures(self, most: int | None = None, *, labelled: bool = True) -> dict[str, float]:
        """What :func:`gmvae.evaluation.measure` finds on training data and, as ``test_acc`` and so on, on
        test data, where the bound is computed, too.

        Arguments:
            most: Observations of each to measure on, evenly spaced; all unless given.
            labelled: Whether to compare with labels, where there are any.
        """
        parts = {"": self.data} | ({"test_": self.data.test} if self.data.test else {})
        found: dict[str, float] = {}
        for prefix, data in parts.items():
            y = data.tensor(self.device, most)
            labels = data.labels if labelled else None
            values = evaluation.measure(self.model, y, None if labels is None else labels[data.spaced(most)])
            if prefix:
                bound = evaluation.bound(self.model, y, self.config.objective.mc_samples)
                values["elbo"] = float(bound.mean())
            found |= {prefix + key: value for key, value in values.items()}
        return found

    def evaluate(self, samples: int = 0) -> dict[str, float]:
        """Every measure on all data: those of :meth:`measures`, the bound on the training data, and an
        estimate of log p(y) with so many samples (0 for none) on test data or, without them, training data.
        """
        y = self.data.tensor(self.device)
        found = self.measures()
        found["elbo"] = float(evaluation.bound(self.model, y, self.config.objective.mc_samples).mean())
        if samples:
            prefix, data = ("test_", self.data.test) if self.data.test else ("", self.data)
            log_p = evaluation.log_likelihood(self.model, data.tensor(self.device), samples)
            found[f"{prefix}log_likelihood"] = float(log_p.mean())
        return found | self._bits(found)

    def _bits(self, record: dict[str, Any]) -> dict[str, float]:
        """The bounds in a record in bits per number, where the data are images' levels as probabilities."""
        if self.data.y.dtype != np.uint8 or self.config.model.likelihood != "bernoulli":
            return {}
        bounds = {key: record[key] for key in ("elbo", "test_elbo") if key in record}
        return {
            key.replace("elbo", "bits_per_dimension"): evaluation.bits_per_dimension(self.model, nats)
            for key, nats in bounds.items()
        }

    def draw(self) -> None:
        """Draw the pictures that the configuration asks for into the run folder."""
        wanted = self.config.run.plots
        if any(name in plots.OF_SNAPSHOT for name in wanted):
            self.take_snapshot()
        for name in wanted:
            if name != "scores" or "acc" in self.history[-1]:
                draw_plot(self.folder, name)

    def take_snapshot(self) -> None:
        """Write what the pictures of the model show."""
        shown = snapshot(self.model, self.data.tensor(self.device, SHOWN))
        write_arrays(self.folder.snapshot, asdict(shown))

    def summary(self) -> dict[str, Any]:
        """What summary.json holds: the last record, the epoch with the best bound, and the speed."""
        last = self.history[-1]
        best = max(self.history, key=lambda record: record["elbo"])
        seconds = sum(record["seconds"] for record in self.history)
        observations = min(self.config.training.epoch_size or len(self.data), len(self.data))
        return {
            "name": self.name,
            "epochs": last["epoch"],
            **{key: value for key, value in last.items() if key not in ("epoch", "seconds", "wall_seconds")},
            "best_elbo": {key: best[key] for key in ("epoch", "elbo", "clusters_used")},
            "clusters": self.config.model.clusters,
            "seconds": seconds,
            "wall_seconds": sum(r.get("wall_seconds", r["seconds"]) for r in self.history),
            "samples_per_second": observations * len(self.history) / seconds,
            "device": str(self.device),
        }


def draw_plot(folder: RunFolder, name: str) -> Path:
    """Draw one of a run's pictures from what the run wrote; the path of its PNG file.

    Raises:
        ValueError: where the run has not got to it yet.
    """
    figure = draw_on(folder, name)
    path = folder.plots / f"{name}.png"
    write_whole(path, lambda part: figure.savefig(part, format="png", dpi=120))
    return path


def draw_on(folder: RunFolder, name: str, figure: Figure | None = None) -> Figure:
    """Draw one of a run's pictures on a figure, or on a new one."""
    if name in plots.OF_SNAPSHOT:
        if not folder.snapshot.exists() and folder.checkpoint.exists():
            Run.open(folder.path).take_snapshot()
        if not folder.snapshot.exists():
            raise ValueError(f"{folder.path} has no checkpoint yet to draw {name} from: wait for it")
        shown = _read_snapshot(folder.snapshot)
        return plots.OF_SNAPSHOT[name](shown, figure)
    history = folder.history()
    if not history:
        raise ValueError(f"{folder.path} has no epoch yet to draw {name} from: wait for it")
    return plots.OF_HISTORY[name](history, figure)


def _read_snapshot(path: Path) -> Snapshot:
    arrays = read_arrays(path)
    if set(arrays) != {field.name for field in fields(Snapshot)}:
        raise ValueError(f"{path} was written by another version: delete it, and it is made anew")
    return Snapshot(**arrays)


def _check_fit(data: Dataset, model: ModelConfig) -> None:
    """``ValueError`` where a model is not one for these data."""
    with torch.device("meta"):
        GMVAE(data.y_shape, model)
    if model.likelihood == "bernoulli" and data.y.dtype != np.uint8:
        least, most = data.y.min(), data.y.max()
        if least < 0 or most > 1:
            raise ValueError(
                f"{data.name} has numbers from {least:g} to {most:g}, but likelihood bernoulli is for "
                "numbers from 0 to 1: bring them there, or choose --likelihood gaussian"
            )


def _absolute(config: DataConfig) -> DataConfig:
    """The same data, wherever the run is gone on with."""
    data, labels = (path and str(Path(path).resolve()) for path in (config.data_path, config.labels_path))
    return replace(config, data_path=data, labels_path=labels)


def _fresh_name(name: str) -> Path:
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    names = (Path("runs", stem if i == 1 else f"{stem}-{i}") for i in range(1, 1000))
    return next(path for path in names if not path.exists())
