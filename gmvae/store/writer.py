"""The observer that writes the run folder."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from gmvae.assess.doctor import Finding
from gmvae.assess.holdout import Holdout
from gmvae.assess.measures import Measures
from gmvae.assess.moment import Moment
from gmvae.config import Config
from gmvae.data.schema import Schema
from gmvae.fit.observer import Fit, Observer
from gmvae.fit.result import Result, ask_doctor
from gmvae.fit.state import CURRENT, Record, running
from gmvae.partition.stability import Choice
from gmvae.start.begin import Start
from gmvae.store.model_file import ModelFile, of_result
from gmvae.store.run_folder import RunFolder
from gmvae.training.recovery import Snapshot

TIMES = ("seconds", "wall_seconds")
"""Keys of times in a record. They differ between runs."""


class Writer(Observer):
    """Writes a run folder during a fit: records, checkpoints, starts and, at the end, model and summary.

    Arguments:
        folder: The folder, which already has its config.json.
        config: What is written, and how often.
        measures: The measures after each epoch.
        schema: How a file becomes rows.
        name: Names of the run and of its data in the model file.
        classes: Names of the labels, from label 0 on.
        parameters: Those of the estimator, if it started the fit.

    Attributes:
        history: The records of all epochs so far.
        saved: How many epochs of the restart in progress the last checkpoint has.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: Config,
        measures: Measures,
        schema: Schema,
        name: tuple[str, str],
        classes: tuple[str, ...] = (),
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder, self.config, self.measures = folder, config, measures
        self.schema, self.name, self.classes, self.parameters = schema, name, classes, parameters
        self.history: list[Record] = []
        self.summary: dict[str, Any] = {}
        self.saved = 0
        self._whole = Snapshot()
        self._saved_at = self._began = -math.inf
        self._started_at = math.inf

    def begin(self, fit: Fit) -> None:
        self.fit, self._began, self._started_at = fit, time.perf_counter(), time.monotonic()
        self.folder.touch()
        if fit.started:
            self.measures.remember(fit.moment(), self.config.run.measure_limit)

    def progress(self, stage: str, done: float) -> None:  # noqa: ARG002
        every, last = self.config.run.checkpoint_every, max(self._saved_at, self._started_at)
        if stage == "epochs" and every and time.monotonic() - last >= every:
            self._checkpoint()  # in the middle of an epoch, which can take hours

    def chosen(self, choice: Choice) -> None:
        about = self.folder.about()
        about["choice"], about["config"]["model"]["clusters"] = choice.to_json(), choice.clusters
        self.folder.write_about(about)

    def searched(self, holdout: Holdout) -> None:
        about = self.folder.about()
        about["holdout"], about["config"] = holdout.to_json(), self.fit.config.to_json()
        self.config = self.fit.config
        self.folder.write_about(about)

    def started(self, restart: int, start: Start) -> None:
        seconds, self._began = time.perf_counter() - self._began, time.perf_counter()
        if start.init != "random":
            self._checkpoint()  # before start.json: a run killed between the two resumes from here
            starts = [*self.folder.read_starts()[: restart - 1], start.to_json() | {"restart": restart}]
            starts[-1]["seconds"] = seconds
            self.folder.write_starts(starts)
        self.measures.remember(self.fit.moment(), self.config.run.measure_limit)

    def epoch(self, record: Record, moment: Moment) -> None:
        run, over = self.config.run, self.fit.over
        record |= self.measures.of(moment, None if over else run.measure_limit)
        record |= self.measures.bits(record)
        record["wall_seconds"] = time.perf_counter() - self._began
        self._began += record["wall_seconds"]
        self.folder.append(record)
        self.history.append(record)
        self._keep()
        if over or time.monotonic() - self._saved_at >= run.checkpoint_every:
            self._checkpoint()

    def arrived(self, restart: int, start: Start | None, records: list[Record], moment: Moment) -> None:
        for record in records:
            record["wall_seconds"] = 0.0  # in that of the restart that was followed
        records[-1] |= self.measures.of(moment)
        records[-1].pop("moved", None)
        records[-1] |= self.measures.bits(records[-1])
        if start is not None and start.init != "random":
            starts = [*self.folder.read_starts()[: restart - 1], start.to_json() | {"restart": restart}]
            self.folder.write_starts([*starts[:-1], starts[-1] | {"seconds": 0.0}])
        for record in records:
            self.folder.append(record)
        self.history += records
        if restart == self.fit.restart:  # the last one to arrive
            self._checkpoint()

    def _keep(self) -> None:
        """Keep a copy of the restarts in progress, after an epoch whose record is written."""
        tensors, about = running(self.fit.state())
        histories = {
            name: {**one["about"], "history": [*one["about"]["history"]]} for name, one in about.items()
        }
        self._whole.take(tensors, {name: {**one, "about": histories[name]} for name, one in about.items()})

    def interrupted(self) -> None:
        """Write a checkpoint of the last complete epoch, unless the last checkpoint has it already.

        An epoch is complete once its record is written. If a model is further by then, copies of all are
        written.
        """
        state = self.fit.state()
        if CURRENT not in state[1] or not self.fit.started:
            return
        current, restart = state[1][CURRENT], self.fit.restart
        done, before = current["trainer"]["epoch"], self.fit.epochs_before
        recorded = len([record for record in self.history if record["restart"] == restart])
        members = running(state)[1].values()
        epochs = [one["trainer"]["epoch"] for one in members]
        complete = [epoch - before for epoch in epochs] == [len(one["about"]["history"]) for one in members]
        together = self.fit.over or max(epochs) == done
        if not (complete and together and done - before == recorded):
            whole = self._whole.about.get(CURRENT, {})
            kept = whole.get("about", {}).get("history", ())
            if not kept or kept[-1]["restart"] != restart:
                return
            tensors, about = self._whole.copy()
            state = {**state[0], **tensors}, {**state[1], **about}
            done = whole["trainer"]["epoch"]
        if done > self.saved or (self.fit.over and self.fit.beside):
            self.folder.write_checkpoint(state)
            self.saved = done

    def finished(self, result: Result) -> None:
        self.summary = self._summary(result)
        about = self.folder.about()
        if not about["config"]["training"]["epochs"]:
            about["config"] = self.fit.config.to_json()
            self.folder.write_about(about)
        if self.config.run.save_model:
            self.model_file(result).save(self.folder.model)
        self.folder.write_summary(self.summary)  # written last, as a sign that everything else is there

    def model_file(self, result: Result) -> ModelFile:
        """The whole model, with the results of the run."""
        measures = {key: value for key, value in self._last(result).items() if key not in TIMES}
        findings = [finding.to_json() for finding in self.findings(result)]
        more: dict[str, Any] = {"measures": measures, "findings": findings, "classes": list(self.classes)}
        return of_result(result, self.schema, self.name, self.parameters, **more)

    def findings(self, result: Result | None = None) -> list[Finding]:
        """The doctor's findings on a result, or on the fit so far, from the last measures and all records."""
        restart = max(1, self.fit.restart) if result is None else result.kept + 1
        records = [record for record in self.history if record["restart"] == restart]
        if result is not None:
            return result.ask_doctor(records)
        fit, diagnostics = self.fit, self.measures.diagnostics
        return (
            [] if diagnostics is None else ask_doctor(fit.config, fit.data, diagnostics, records, fit.holdout)
        )

    def _last(self, result: Result) -> Record:
        """The last record of the restart that is kept."""
        return [record for record in self.history if record["restart"] == result.kept + 1][-1]

    def _checkpoint(self) -> None:
        self.folder.write_checkpoint(self.fit.state())
        self._saved_at = time.monotonic()
        self.saved = self.fit.epoch

    def _summary(self, result: Result) -> dict[str, Any]:
        """The content of summary.json: the last record of the restart that is kept, its epoch with the best
        bound, and the speed."""
        last = self._last(result)
        kept = [record for record in self.history if record["restart"] == result.kept + 1]
        best = max(kept, key=lambda record: record["elbo"])
        seconds = sum(record["seconds"] for record in self.history)
        rows = self.fit.rows
        observations = min(result.config.training.epoch_size or len(rows), len(rows))
        starts = self.folder.read_starts()
        return {
            "name": self.name[0],
            "epochs": last["epoch"],
            **{key: value for key, value in last.items() if key not in ("epoch", *TIMES)},
            "best_elbo": {key: best[key] for key in ("epoch", "elbo", "clusters_used") if key in best},
            "clusters": result.config.model.clusters,
            "choice": None if result.choice is None else result.choice.to_json(),
            "holdout": None if result.holdout is None else result.holdout.to_json(),
            "restarts": result.restarts,
            "resampling": None if result.resampling is None else result.resampling.to_json(),
            "start": next((start for start in starts if start["restart"] == result.kept + 1), None),
            "diagnostics": result.diagnostics.to_json(),
            "findings": [finding.to_json() for finding in self.findings(result)],
            "seconds": seconds,
            "wall_seconds": sum(record["wall_seconds"] for record in self.history),
            "samples_per_second": observations * len(self.history) / seconds,
            "device": str(rows.device),
            "gradient": "hand-written" if self.fit.hand_written else "autograd",
        }
