"""A run: a fit with a folder of its own, which can be resumed after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gmvae.assess.doctor import Finding
from gmvae.assess.holdout import Holdout
from gmvae.assess.measures import Measures
from gmvae.config import Config
from gmvae.data.dataset import Dataset
from gmvae.data.prepare import Prepared, as_it_is
from gmvae.data.schema import Schema
from gmvae.fit.engine import Engine
from gmvae.fit.observer import Observer
from gmvae.fit.result import Result
from gmvae.fit.state import Record
from gmvae.inputs import absolute, check_apart, gather, in_memory, prepared_for
from gmvae.model.isolation import isolated
from gmvae.partition.stability import Choice
from gmvae.show.drawing import Drawing, take_snapshot
from gmvae.show.watching import Watched
from gmvae.store.files import versions
from gmvae.store.longer import check_longer
from gmvae.store.model_file import ModelFile
from gmvae.store.rows import keep
from gmvae.store.run_folder import RunFolder, asked, fresh_folder
from gmvae.store.tracker import TensorBoard, check_tracker
from gmvae.store.writer import Writer
from gmvae.training.devices import pick_device
from gmvae.training.workers import ALONE, Workers


class Run:
    """A fit and its folder. Start one with :meth:`new`; continue one with :meth:`resume`.

    Example::

        run = Run.new("spiral", experiment("spiral"))
        for record in run.train():
            print(record["epoch"], record["elbo"], record["clusters_used"])
        print(run.summary()["nmi"])

    Attributes:
        name: Its name.
        data: Its data.
        folder: Its folder.
        engine: The engine of its fit.
    """

    def __init__(
        self,
        name: str,
        config: Config,
        data: Dataset,
        choice: Choice | None = None,
        holdout: Holdout | None = None,
        reason: str | None = None,
        prepared: Prepared | None = None,
        workers: Workers = ALONE,
    ) -> None:
        self.name, self.data, self.device = name, data, pick_device(config.training.device)
        if prepared is None:
            prepared = prepared_for(config, data, self.device)
        if reason is not None:  # a resumed run has its likelihood already; keep the reason
            prepared = replace(prepared, reason=reason)
        self.engine = Engine(config, prepared, (), None, choice, holdout, workers)
        test = None
        if data.test is not None:
            test = as_it_is(data.test, prepared.likelihood, self.device).rows, data.test.labels
        wanted = self.config.run.measure
        self.measures = Measures(
            prepared,
            data.labels if wanted else None,
            test if wanted or test is None else (test[0], None),
            self.config.objective.mc_samples,
            levels=data.y.dtype == "uint8",
        )

    @classmethod
    @isolated
    def new(cls, name: str, config: Config, workers: Workers = ALONE) -> Run:
        """Start a run called ``name`` in the folder that the configuration names. Of several ``workers``, the
        first has the run and the others follow it.

        Raises:
            ValueError: if data, device or folder are not valid. Nothing is written then.
            OSError: if a file cannot be read or written.
        """
        config = replace(config, data=absolute(config.data))
        check_apart(config)
        config, data, prepared = gather(config, pick_device(config.training.device), workers)
        create = lambda path, about: RunFolder.create(path, about | workers.about)  # noqa: E731
        return cls(name, config, data, prepared=prepared, workers=workers)._begin(create)

    @classmethod
    @isolated
    def of(
        cls,
        config: Config,
        data: Dataset,
        prepared: Prepared,
        parameters: Mapping[str, Any],
        *,
        keep_data: bool = True,
    ) -> Run:
        """Start a run on rows in memory.

        Arguments:
            config: The configuration, which names the folder.
            data: The rows.
            prepared: The rows as observations.
            parameters: Those of the estimator, for the model file.
            keep_data: Whether to write the rows into the folder, so that the run can be resumed without
                giving them again.

        Raises:
            ValueError: if the folder cannot be used for a new run. Nothing is written then.
            OSError: if it cannot be written.
        """
        run = cls("data", config, data, prepared=prepared)
        given: dict[str, Any] = {
            "parameters": dict(parameters),
            "schema": None if data.origin is None else data.origin.schema.to_json(),
            "image_shape": data.image_shape,
        }

        def create(path: str | Path, about: dict[str, Any]) -> RunFolder:
            folder = RunFolder.create(path, about | {"python": given})
            if keep_data:
                given["rows"] = keep(folder.path, data.table, data.weights)
                folder.write_about(about | {"python": given})
            return folder

        return run._begin(create)

    def _begin(self, create: Callable[[str | Path, dict[str, Any]], RunFolder]) -> Run:
        """Make the folder of a new run."""
        check_tracker(self.engine.config)
        data, name, prepared, config = self.data, self.name, self.engine.data, self.engine.config
        self.engine.build()
        about = {
            "name": name,
            # until the number of epochs is known, what depends on it stays open too
            "config": (self.engine.asked if self.engine.seeks else config).to_json(),
            "data": {
                "name": data.name,
                "shape": (data.rows or len(data), *data.y.shape[1:]),
                "labels": data.labels is not None,
                "folder": None if data.folder is None else str(Path(data.folder).resolve()),
                "test": None if data.test is None else len(data.test),
                "likelihood_reason": prepared.reason,
                "sha256": prepared.fingerprint,
                **({} if data.origin is None else data.origin.names()),
            },
            "choice": None,
            "holdout": None,
            "versions": versions(),
        }
        self._in(create(config.run.run_dir or fresh_folder(name), about))
        return self

    @classmethod
    def resume(
        cls,
        path: str | Path,
        epochs: int | None = None,
        device: str | None = None,
        rows: tuple[Any, Any] | None = None,
        workers: Workers = ALONE,
    ) -> Run:
        """Continue the run in a folder from its last checkpoint, as if it had never stopped.

        A run that is :attr:`finished` has nothing left to do, unless it is given more epochs.

        Arguments:
            path: The run folder.
            epochs: A new total number of epochs, to make the run longer. The folder keeps it, in case the run
                stops again.
            device: The device, if it is not the same as before.
            rows: The rows of a run started with :meth:`of`, and their weights or ``None``. Needed if the run
                has not kept them.
            workers: The processes that continue it together.

        Raises:
            ValueError: if the folder holds no run, another process trains it, the data are not those it
                started with, or its records do not match the checkpoint.
            OSError: if a file cannot be read or written.
        """
        if epochs is not None and epochs < 1:
            raise ValueError(f"epochs is {epochs}: it must be a whole number of at least 1")
        folder = RunFolder(path)
        folder.about(whole=True)  # check that there is a run
        with folder.locked():  # else the records of a process that trains it would be dropped
            return cls._resumed(path, epochs, device, rows, workers)

    @classmethod
    def _resumed(
        cls,
        path: str | Path,
        epochs: int | None,
        device: str | None,
        rows: tuple[Any, Any] | None,
        workers: Workers,
    ) -> Run:
        run = cls._restored(path, rows, workers, epochs=epochs, device=device)
        done, last = run.epoch, run.config.training.epochs
        if done > last:
            raise ValueError(f"{path} has {done} epochs already: it cannot end after {last}")
        engine, about = run.engine, run.folder.about()
        longer = epochs is not None and about["config"]["training"]["epochs"] != last
        if longer:
            check_longer(run.folder, run.config.training)
        over = [outcome.history[-1]["epoch"] for outcome in engine.outcomes]
        run.writer.history = run.folder.rewind(over if engine.current is None else [*over, done])
        if longer:
            about["config"]["training"]["epochs"] = last
            run.folder.write_about(about)
        starts = [(o.start, i) for i, o in enumerate(engine.outcomes, 1)]
        if engine.current is not None:
            starts.append((engine.current.start, len(starts) + 1))
        known = {start["restart"]: start for start in run.folder.read_starts()}
        wanted = [
            known.get(number, start.to_json() | {"restart": number, "seconds": 0.0})
            for start, number in starts
            if start is not None and start.init != "random"
        ]
        # a run that was killed after the checkpoint has not written them
        if wanted and wanted != run.folder.read_starts():
            run.folder.write_starts(wanted)
        return run

    @classmethod
    def open(cls, path: str | Path, device: str = "auto") -> Run:
        """Open the run in a folder at its last checkpoint, for reading only: nothing is written.

        Raises:
            ValueError: as :meth:`resume`, or if there is no checkpoint yet.
            OSError: if a file cannot be read.
        """
        run = cls._restored(path, whole=False, device=device)
        if not run.epoch and not run.engine.outcomes:
            raise ValueError(f"{path} has no checkpoint yet: wait for it, or start with gmvae resume {path}")
        run.writer.history = run.folder.history()
        return run

    @classmethod
    @isolated
    def _restored(
        cls,
        path: str | Path,
        rows: tuple[Any, Any] | None = None,
        workers: Workers = ALONE,
        *,
        whole: bool = True,
        **changes: Any,
    ) -> Run:
        folder = RunFolder(path)
        about = folder.began(whole=whole)
        if "restarts" not in about["config"]["training"]:
            raise ValueError(f"{path} was started by an older version of gmvae: start a new run")
        config, choice, holdout = asked(folder, about)
        changes = {name: value for name, value in changes.items() if value is not None}
        config = replace(config, training=replace(config.training, **changes))
        prepared = None
        if "python" in about:
            data = in_memory(folder, about["python"], rows)
        elif rows is None:
            device = pick_device(config.training.device)
            config, data, prepared = gather(config, device, workers, about["data"]["folder"])
        else:
            raise ValueError(f"{path} is a run of gmvae train, which reads its data itself: leave X out")
        reason = about["data"]["likelihood_reason"]
        run = cls(about["name"], config, data, choice, holdout, reason, prepared, workers)
        if run.engine.data.fingerprint != about["data"]["sha256"]:
            raise ValueError(f"{data.name} has changed since the run in {path} started: start a new run")
        if folder.checkpoint.exists():
            try:
                run.engine.restore(folder.read_checkpoint(whole=whole))
            except ValueError as error:
                named = str(folder.path) in str(error)
                raise error if named else ValueError(f"{folder.checkpoint}: {error}") from error
            except (LookupError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
                raise ValueError(
                    f"{folder.checkpoint} is not a checkpoint of this run ({error}): put back the file that "
                    "belongs here, or start a new run"
                ) from error
        run._in(folder)
        return run

    def _in(self, folder: RunFolder) -> None:
        """Set the folder to write into."""
        self.folder, origin = folder, self.data.origin
        schema = Schema(self.data.y_shape) if origin is None else origin.schema
        classes = () if origin is None else origin.classes
        parameters = folder.about().get("python", {}).get("parameters")
        names = self.name, self.data.name
        self.writer = Writer(folder, self.config, self.measures, schema, names, classes, parameters)
        self.writer.fit, self.writer.saved = self.engine, self.epoch

    @property
    def config(self) -> Config:
        """Its configuration; settings may be open until they are resolved."""
        return self.engine.config

    @property
    def epoch(self) -> int:
        """Number of epochs done in the current restart."""
        return self.engine.epoch

    @property
    def history(self) -> list[Record]:
        """The records of all epochs so far."""
        return self.writer.history

    @property
    def finished(self) -> bool:
        """Whether all epochs are done and all final files are written."""
        if self.config.run.save_model and not self.folder.model.exists():
            return False
        summary, last = self.folder.read_summary(), self.config.training
        return (
            self.engine.over
            and summary is not None
            and (last.early_stopping or last.restarts > 1 or summary.get("epochs") == last.epochs)
        )

    def train(self, *observers: Observer) -> Generator[Record, None, None]:
        """Train to the end, writing the run folder on the way.

        Arguments:
            observers: Further observers.

        Yields:
            The record of each epoch that metrics.jsonl gets.
        """
        if self.finished:
            return
        run = self.config.run
        labels = self.data.labels
        drawing, watched = Drawing(self.folder, run, labels), Watched(self.folder, labels)
        tracked = () if run.tracker == "none" else (TensorBoard(self.folder, self.config),)
        self.engine.observers = (self.writer, *tracked, drawing, watched, *observers)
        with self.folder.locked():
            try:
                yield from self.engine.run()
            except (KeyboardInterrupt, GeneratorExit):
                self.writer.interrupted()
                raise
            finally:
                drawing.close()

    def finish(self, *observers: Observer) -> Result:
        """Train to the end and return the result."""
        for _ in self.train(*observers):
            pass
        return self.engine.result or self.engine.fit()

    def findings(self) -> list[Finding]:
        """The doctor's findings on the fit so far."""
        return self.writer.findings(self.engine.result)

    def summary(self) -> dict[str, Any]:
        """The content of summary.json."""
        return self.writer.summary or self.folder.read_summary() or {}

    @isolated
    def everything(self, samples: int = 0) -> dict[str, float]:
        """All measures on all data: agreement with labels, diagnostics and the bound on the training data.

        With ``samples`` above 0 there is also an estimate of log p(y) with this number of samples, on the
        test data if there are any, else on the training data.
        """
        moment, rows = self.engine.moment(), self.engine.data.everything
        found = self.measures.of(moment)
        found["elbo"] = moment.bound(rows, self.config.objective.mc_samples)
        if samples:
            test = self.measures.test
            prefix, observed = ("", rows) if test is None else ("test_", test[0])
            found[f"{prefix}log_likelihood"] = moment.log_likelihood(observed, samples)
        return found | self.measures.bits(found)

    @isolated
    def model_file(self) -> ModelFile:
        """The whole model in its current state, even if the run has not ended."""
        return self.writer.model_file(self.engine.result or self.engine.conclude())

    @isolated
    def take_snapshot(self) -> None:
        """Write the arrays that the pictures of the model show."""
        take_snapshot(self.folder, self.engine.moment())


def take_missing_snapshot(folder: RunFolder) -> None:
    """Take the snapshot of a run that has drawn no picture yet, from its checkpoint if there is one."""
    if not folder.snapshot.exists() and folder.checkpoint.exists():
        Run.open(folder.path).take_snapshot()
