"""A run: from a configuration to a run folder, epoch by epoch, and on again after a break."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from gmvae import evaluation, plots
from gmvae.config import Config
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
from gmvae.training import RandomStream, Trainer, cpu_threads, pick_device, pick_threads


class Run:
    """A training run and its folder. Begin one with :meth:`new`, go on with one by :meth:`resume`.

    Example::

        run = Run.new("spiral", experiment("spiral"))
        for record in run.train():
            print(record["epoch"], record["elbo"], record["clusters_used"])
        print(run.summary()["nmi"])
    """

    def __init__(self, name: str, config: Config, data: Dataset, folder: RunFolder) -> None:
        self.name, self.config, self.data, self.folder = name, config, data, folder
        self.device = pick_device(config.training.device)
        self.history: list[dict[str, Any]] = []
        stream = RandomStream(config.training.seed, self.device)
        with stream.use():
            self.model = GMVAE(data.y_shape, config.model).to(self.device)
        self.trainer = Trainer(self.model, config.objective, config.training, stream)

    @classmethod
    def new(cls, name: str, config: Config) -> Run:
        """Begin a run called ``name`` in the folder that the configuration names.

        Raises:
            ValueError: where data, device or folder are not what they should be. Nothing is written then.
            OSError: where a file cannot be read or written.
        """
        data = load(**asdict(config.data))
        pick_device(config.training.device)
        about = {
            "name": name,
            "config": config.to_json(),
            "data": {
                "name": data.name,
                "shape": data.y.shape,
                "labels": data.labels is not None,
                "sha256": data.fingerprint(),
            },
            "versions": versions(),
        }
        folder = RunFolder.create(config.run.run_dir or _fresh_name(name), about)
        return cls(name, config, data, folder)

    @classmethod
    def resume(cls, path: str | Path, epochs: int | None = None) -> Run:
        """Go on with the run in a folder from its last checkpoint, as if it had never stopped.

        Arguments:
            path: The run folder.
            epochs: A new number of epochs in all, where it is to be longer than first asked for.

        Raises:
            ValueError: where the folder holds no run, or the data are not those that it began with.
            OSError: where a file cannot be read.
        """
        folder = RunFolder(path)
        about = folder.about()
        config = Config.from_json(about["config"])
        if epochs is not None:
            config = replace(config, training=replace(config.training, epochs=epochs))
        data = load(**asdict(config.data))
        if data.fingerprint() != about["data"]["sha256"]:
            raise ValueError(f"{data.name} has changed since the run in {path} began: start a new run")
        run = cls(about["name"], config, data, folder)
        if folder.checkpoint.exists():
            run.trainer.restore(*read_tensors(folder.checkpoint))
        run.history = folder.rewind(run.trainer.epoch)
        return run

    def train(self) -> Iterator[dict[str, Any]]:
        """Train to the end, writing the run folder on the way.

        Yields:
            The record of each epoch that metrics.jsonl gets.
        """
        model, training = self.config.model, self.config.training
        work = training.batch_size * self.config.objective.mc_samples * model.hidden_size**2
        with cpu_threads(pick_threads(training.threads, work)):
            yield from self._train()

    def _train(self) -> Iterator[dict[str, Any]]:
        y = self.data.tensor(self.device)
        labels = self.data.labels if self.config.run.measure else None
        saved = time.monotonic()
        for record in self.trainer.epochs(y):
            record |= evaluation.measure(self.model, y, labels)
            self.history.append(record)
            self.folder.append(record)
            every = self.config.run.plot_every
            last = record["epoch"] == self.config.training.epochs
            if every and (record["epoch"] % every == 0 or record["epoch"] == 1 or last):
                self.draw()
            if last or time.monotonic() - saved >= self.config.run.checkpoint_every:
                write_tensors(self.folder.checkpoint, *self.trainer.state())
                saved = time.monotonic()
            if last:
                if self.config.run.save_model:
                    save_model(self.folder.model, self.model)
                self.folder.write_summary(self.summary())
            yield record

    def draw(self) -> None:
        """Draw the pictures that the configuration asks for into the run folder."""
        wanted = self.config.run.plots
        if any(name in plots.OF_SNAPSHOT for name in wanted):
            shown = evaluation.snapshot(self.model, self.data.tensor(self.device))
            write_arrays(self.folder.snapshot, asdict(shown))
        for name in wanted:
            draw_plot(self.folder, name)

    def summary(self) -> dict[str, Any]:
        """What summary.json holds: the last record, the epoch with the best bound, and the speed."""
        last = self.history[-1]
        best = max(self.history, key=lambda record: record["elbo"])
        seconds = sum(record["seconds"] for record in self.history)
        return {
            "name": self.name,
            "epochs": last["epoch"],
            **{key: value for key, value in last.items() if key not in ("epoch", "seconds")},
            "best_elbo": {key: best[key] for key in ("epoch", "elbo", "clusters_used")},
            "clusters": self.config.model.clusters,
            "seconds": seconds,
            "samples_per_second": len(self.data) * len(self.history) / seconds,
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
        if not folder.snapshot.exists():
            raise ValueError(f"{folder.path} has no snapshot yet to draw {name} from: wait for it")
        shown = evaluation.Snapshot(**read_arrays(folder.snapshot))
        return plots.OF_SNAPSHOT[name](shown, figure)
    history = folder.history()
    if not history:
        raise ValueError(f"{folder.path} has no epoch yet to draw {name} from: wait for it")
    return plots.OF_HISTORY[name](history, figure)


def _fresh_name(name: str) -> Path:
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    names = (Path("runs", stem if i == 1 else f"{stem}-{i}") for i in range(1, 1000))
    return next(path for path in names if not path.exists())
