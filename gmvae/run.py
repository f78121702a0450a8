"""A run: from a configuration to a run folder, epoch by epoch, and on again after a break."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from gmvae.assess.measures import Measuring
from gmvae.assess.snapshot import Snapshot, glance, snapshot
from gmvae.config import Config
from gmvae.data.dataset import Dataset
from gmvae.data.files.open import open_source
from gmvae.data.load import load
from gmvae.fit.holdout import Holdout
from gmvae.fit.resolve import absolute, choice_for, edges, holdout_for, settle
from gmvae.model import inference
from gmvae.model.isolation import isolated, within
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.progress import Told
from gmvae.show import figures
from gmvae.show.run_figures import draw_plot
from gmvae.show.watching import Answers
from gmvae.start.begin import SHOWN as SEARCHED
from gmvae.start.begin import begin
from gmvae.store.files import read_tensors, versions, write_arrays, write_tensors
from gmvae.store.model_file import ModelFile, of_run, plain
from gmvae.store.run_folder import RunFolder
from gmvae.training.devices import cpu_threads, pick_device, pick_threads
from gmvae.training.loop import Trainer
from gmvae.training.random import RandomStream

SHOWN = 5000
"""Observations in the pictures, at most."""


TIMES = ("seconds", "wall_seconds")
"""What a record says of time, which no two runs share."""


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
        self.model = fresh(lambda: GaussianMixtureVAE(data.y_shape, config.model), stream.cpu).to(self.device)
        self._take_range()
        self.trainer = Trainer(self.model, config.objective, config.training, stream)
        self.measuring = Measuring(self.model, data, config, self.device)
        self.saved = 0  # epochs in the last checkpoint
        self.start: dict[str, Any] | None = (
            None  # what start.json holds, where the checkpoint is of the start
        )

    def _take_range(self) -> None:
        """Tell the model how far the data go."""
        if self.config.model.likelihood == "gaussian":
            self.model.recognition.take_range(*edges(self.data))

    @classmethod
    @isolated
    def new(
        cls,
        name: str,
        config: Config,
        told: Told = lambda _: None,
        trying: Told = lambda _: None,
    ) -> Run:
        """Begin a run called ``name`` in the folder that the configuration names.

        Arguments:
            name: Its name.
            config: Its configuration.
            told: Called with the share that is done of choosing the number of clusters, where that is open.
            trying: Called with the share that is done of choosing the number of epochs, where rows are held
                out for that.

        Raises:
            ValueError: where data, device or folder are not what they should be. Nothing is written then.
            OSError: where a file cannot be read or written.
        """
        config = replace(config, data=absolute(config.data))
        _check_apart(config)
        data = load(**asdict(config.data), likelihood=config.model.likelihood)
        asked = config
        config, choice, holdout = settle(asked, data), None, None
        if not config.model.clusters:
            choice = choice_for(config, data, told)
            config = replace(config, model=replace(config.model, clusters=choice.clusters))
        if not asked.training.epochs:
            holdout = holdout_for(config, data, asked.objective, trying)
        if holdout is not None:
            holdout = holdout.shifted(data.log_det)
            training = replace(config.training, epochs=holdout.epochs)
            config = replace(config, objective=asked.objective.settled(holdout.epochs), training=training)
        run = cls(name, config, data)
        run.measuring.holdout = holdout
        about = {
            "name": name,
            "config": config.to_json(),
            "data": {
                "name": data.name,
                "shape": data.y.shape,
                "labels": data.labels is not None,
                "folder": None if data.folder is None else str(Path(data.folder).resolve()),
                "test": None if data.test is None else len(data.test),
                "likelihood_reason": None if data.preparation is None else data.preparation.reason,
                "sha256": data.fingerprint(),
            },
            "choice": None if choice is None else choice.to_json(),
            "holdout": None if holdout is None else holdout.to_json(),
            "versions": versions(),
        }
        run.folder = RunFolder.create(config.run.run_dir or _fresh_name(name), about)
        if choice is not None:
            draw_plot(run.folder, "stability")
        return run

    @classmethod
    @isolated
    def resume(cls, path: str | Path, epochs: int | None = None, device: str | None = None) -> Run:
        """Go on with the run in a folder from its last checkpoint, as if it had never stopped.

        A run that is :attr:`finished` has nothing left to do, unless it is given more epochs.

        Arguments:
            path: The run folder.
            epochs: A new number of epochs in all, where it is to be longer than first asked for. The folder
                keeps it, so that a run which stops once more still knows where it ends.
            device: Another device than before.

        Raises:
            ValueError: where the folder holds no run, the data are not those that it began with, or there are
                fewer records than epochs.
            OSError: where a file cannot be read or written.
        """
        if epochs is not None and epochs < 1:
            raise ValueError(f"epochs is {epochs}: it must be a whole number of at least 1")
        run = cls._restored(path, epochs=epochs, device=device)
        done, last = run.trainer.epoch, run.config.training.epochs
        if done > last:
            raise ValueError(f"{path} has {done} epochs already: it cannot end after {last}")
        run.history = run.folder.rewind(done)
        if run.start is not None and not run.folder.start.exists():
            run.folder.write_start(run.start)  # killed between the checkpoint of the start and this
        about = run.folder.about()
        if about["config"]["training"]["epochs"] != last:
            about["config"]["training"]["epochs"] = last
            run.folder.write_about(about)
        return run

    @classmethod
    @isolated
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
        if not {"name", "config", "data"} <= about.keys():
            raise ValueError(f"{path} holds no run: its config.json is not one that gmvae train wrote")
        config = Config.from_json(about["config"])
        changes = {name: value for name, value in changes.items() if value is not None}
        config = replace(config, training=replace(config.training, **changes))
        given = {"data_dir": about["data"]["folder"], "likelihood": config.model.likelihood}
        data = load(**asdict(config.data) | given)
        if data.fingerprint() != about["data"]["sha256"]:
            raise ValueError(f"{data.name} has changed since the run in {path} began: start a new run")
        if data.preparation is not None:  # the likelihood is settled by now; why, is not forgotten
            reason = about["data"]["likelihood_reason"]
            data = replace(data, preparation=replace(data.preparation, reason=reason))
        run = cls(about["name"], config, data)
        run.folder = folder
        if found := about.get("holdout"):
            run.measuring.holdout = Holdout.from_json(found)
        if folder.checkpoint.exists():
            tensors, state = read_tensors(folder.checkpoint)
            run.trainer.restore(tensors, state)
            run._take_range()  # a checkpoint of an earlier version has none
            run.start = state.get("start")
        run.saved = run.trainer.epoch
        return run

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, and everything is written that a run ends with."""
        last, folder = self.config.training.epochs, self.folder
        if self.trainer.epoch < last or (self.config.run.save_model and not folder.model.exists()):
            return False
        summary = folder.read_summary()
        return summary is not None and summary.get("epochs") == last

    def train(
        self,
        told: Callable[[float], object] = lambda _: None,
        starting: Told = lambda _: None,
    ) -> Iterator[dict[str, Any]]:
        """Train to the end, writing the run folder on the way.

        Arguments:
            told: Called after each step with the number of epochs done, of which the last is a part.
            starting: Called with the share of the start that is done, where there is one before the epochs.

        Yields:
            The record of each epoch that metrics.jsonl gets.
        """
        model, training = self.config.model, self.config.training
        work = training.batch_size * self.config.objective.mc_samples * model.hidden_size**2
        threads = partial(cpu_threads, pick_threads(training.threads, work))
        return within(threads, self._train(told, starting))

    @isolated
    def _train(
        self, told: Callable[[float], object], starting: Told
    ) -> Generator[dict[str, Any], None, None]:
        y = self.data.tensor(self.device)
        if not self.trainer.epoch and not self.folder.start.exists():
            self._start(y, starting)
        began, saved_at = time.perf_counter(), -math.inf
        if self.trainer.epoch == self.config.training.epochs:
            if not self.finished:  # killed between the last checkpoint and the summary
                self._finish()
            return
        self.folder.touch()
        self.measuring.begin()
        answers = Answers(self.folder, tuple(figures.OF_SNAPSHOT), self._glance)

        def stepped(done: float) -> None:
            told(done)
            answers.look()

        for record in self.trainer.epochs(y, stepped):
            record |= self.measuring.in_units(record)
            last = record["epoch"] == self.config.training.epochs
            measured = self.config.run
            record |= self.measuring.measures(None if last else measured.measure_most)
            record |= self.measuring.bits(record)
            record["wall_seconds"] = time.perf_counter() - began
            began += record["wall_seconds"]
            self.history.append(record)
            self.folder.append(record)
            every, keep = self.config.run.plot_every, self.config.run.keep_every
            kept = bool(keep) and record["epoch"] % keep == 0
            if kept or (every and (record["epoch"] % every == 0 or record["epoch"] == 1 or last)):
                self.draw(keep=kept)
            if last or time.monotonic() - saved_at >= self.config.run.checkpoint_every:
                write_tensors(self.folder.checkpoint, *self.trainer.state())
                saved_at, self.saved = time.monotonic(), self.trainer.epoch
            if last:
                self._finish()
            yield record

    def _finish(self) -> None:
        """Write what a run ends with; the summary comes last, and says that the rest is there."""
        if self.config.run.save_model:
            self.model_file().save(self.folder.model)
        self.folder.write_summary(self.summary())

    def _start(self, y: Tensor, told: Told) -> None:
        """Bring the new model to its start, and keep that: it may have taken minutes."""
        training, some = self.config.training, self.data.tensor(self.device, SEARCHED)
        began, seed = time.perf_counter(), training.seed % 2**31  # from which it counts on, below 2**32
        stream = self.trainer.stream
        start = begin(
            self.model, y, some, self.config.objective, training, seed=seed, stream=stream, told=told
        )
        if start.init == "random":
            return
        if start.init == "manifold":
            self.trainer.hold()
        tensors, state = self.trainer.state()
        self.start = start.to_json() | {"seconds": time.perf_counter() - began}
        # with the start in the checkpoint, a run that is killed here does not start from a started model
        write_tensors(self.folder.checkpoint, tensors, state | {"start": self.start})
        self.folder.write_start(self.start)

    @isolated
    def model_file(self) -> ModelFile:
        """The whole model, with what the run came to."""
        last, config, start = self.history[-1], self.config, self.folder.read_start()
        probabilities = inference.assign(self.model, self.data.tensor(self.device))
        parameters = {**asdict(config.model), **asdict(config.objective), **asdict(config.training)}
        data = {"name": self.data.name, "rows": len(self.data), "sha256": self.data.fingerprint()}
        about = {
            "name": self.name,
            "likelihood_reason": f"likelihood {config.model.likelihood} was asked for",
            "binary": False,
            "weights": probabilities.mean(0, dtype=np.float64),
            "n_clusters_used": last["clusters_used"],
            "n_iter": last["epoch"],
            "elbo": last["elbo"],
            "history": [],
            "start": None if start is None else {k: v for k, v in start.items() if k not in TIMES},
            "choice": self.folder.about().get("choice"),
            "holdout": self.folder.about().get("holdout"),
            "restarts": [{"seed": config.training.seed, "loss": last["loss"], "n_iter": last["epoch"]}],
            "parameters": parameters,
            "data": data,
            "measures": {key: value for key, value in last.items() if key not in TIMES},
            "signs": self.measuring.signs.to_json(),
            "findings": [finding.to_json() for finding in self.measuring.findings(self.history)],
        }
        return of_run(self.model, self.data, plain(about))

    def draw(self, *, keep: bool = False) -> None:
        """Draw the pictures that the configuration asks for into the run folder; to ``keep`` them, once more
        under names with the epoch's number."""
        wanted = self.config.run.plots
        if any(name in figures.OF_SNAPSHOT for name in wanted):
            self.take_snapshot()
        without = {"scores"} if "acc" not in self.history[-1] else set()
        without |= {"stability"} if self.folder.about().get("choice") is None else set()
        for name in wanted:
            if name not in without:
                draw_plot(self.folder, name)
                if keep:
                    draw_plot(self.folder, name, f"-{self.trainer.epoch}")

    @isolated
    def take_snapshot(self) -> None:
        """Write what the pictures of the model show."""
        shown = snapshot(self.model, self.data.tensor(self.device, SHOWN))
        write_arrays(self.folder.snapshot, asdict(shown))

    def _glance(self, picture: str, share: float) -> Snapshot:
        """What one picture shows now, with a share of the work."""
        rows = max(50 if len(self.data.y_shape) == 1 else 10, round(share * SHOWN))
        return glance(self.model, self.data.tensor(self.device, rows), picture, share)

    def summary(self) -> dict[str, Any]:
        """What summary.json holds: the last record, the epoch with the best bound, and the speed."""
        last = self.history[-1]
        best = max(self.history, key=lambda record: record["elbo"])
        seconds = sum(record["seconds"] for record in self.history)
        observations = min(self.config.training.epoch_size or len(self.data), len(self.data))
        return {
            "name": self.name,
            "epochs": last["epoch"],
            **{key: value for key, value in last.items() if key not in ("epoch", *TIMES)},
            "best_elbo": {key: best[key] for key in ("epoch", "elbo", "clusters_used")},
            "clusters": self.config.model.clusters,
            "choice": self.folder.about().get("choice"),
            "holdout": self.folder.about().get("holdout"),
            "start": self.folder.read_start(),
            "signs": self.measuring.signs.to_json(),
            "findings": [finding.to_json() for finding in self.measuring.findings(self.history)],
            "seconds": seconds,
            "wall_seconds": sum(r.get("wall_seconds", r["seconds"]) for r in self.history),
            "samples_per_second": observations * len(self.history) / seconds,
            "device": str(self.device),
        }


def take_missing_snapshot(folder: RunFolder) -> None:
    """Take the snapshot of a run that has drawn no picture yet, from its checkpoint, where it has one."""
    if not folder.snapshot.exists() and folder.checkpoint.exists():
        Run.open(folder.path).take_snapshot()


def _check_apart(config: Config) -> None:
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


def _fresh_name(name: str) -> Path:
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    names = (Path("runs", stem if i == 1 else f"{stem}-{i}") for i in range(1, 1000))
    return next(path for path in names if not path.exists())
