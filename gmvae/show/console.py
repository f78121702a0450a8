"""Progress on the console: a bar in a terminal, and otherwise a line now and then."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence, Sized
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gmvae.assess.doctor import Finding
from gmvae.assess.holdout import Holdout
from gmvae.assess.moment import Moment
from gmvae.data.dataset import Dataset
from gmvae.data.files.columns import listing
from gmvae.fit.observer import Fit, Observer
from gmvae.fit.resolve import parameters
from gmvae.fit.result import Result
from gmvae.fit.state import Record
from gmvae.model import objective
from gmvae.partition.stability import Choice
from gmvae.start.begin import Start
from gmvae.store.writer import Writer

Batch = TypeVar("Batch", bound=Sized)
LINES = 10
"""Minimum number of lines for a whole run without a terminal."""
SECONDS = 30
"""After this many seconds without a line, another one is printed."""
LONG = 60
"""After this many seconds, the doctor's warnings are also shown before the end of a run, without advice."""
STAGES = {
    "clusters": "choosing the number of clusters",
    "length": "choosing the number of epochs",
    "start": "start",
    "stability": "starts from other samples",
}


class Screen(Observer):
    """Shows the progress of a run on standard output.

    Arguments:
        data: Its data.
        writer: The observer that writes its folder.
    """

    def __init__(self, data: Dataset, writer: Writer) -> None:
        self.data, self.writer = data, writer
        self.console = Console(highlight=False, soft_wrap=True)
        columns = (
            TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        self.bar = Progress(*columns, console=self.console, disable=not self.console.is_terminal)
        self.start = self.said = time.monotonic()
        self.reported = set[str]()

    def begin(self, fit: Fit) -> None:
        self.fit = fit
        self.console.print(header(fit, self.data, self.writer), markup=False)
        first = self.first = self.writer.saved
        self.task = self.bar.add_task("", total=fit.epochs, completed=first, epoch=first)
        self.bar.start()

    def progress(self, stage: str, done: float) -> None:
        if stage == "epochs":
            self.bar.update(self.task, completed=done)
            return
        self.bar.update(self.task, description=f"{STAGES[stage]} {done:.0%}")
        if self._due():
            self.console.print(f"{STAGES[stage]} {done:.0%}")

    def chosen(self, choice: Choice) -> None:
        self.console.print(f"chosen  K = {choice.clusters}: {chosen(choice)}", markup=False)

    def searched(self, holdout: Holdout) -> None:
        self.console.print(
            f"epochs  {holdout.epochs} of {holdout.full}, found with {holdout.rows} held-out rows",
            markup=False,
        )

    def started(self, restart: int, start: Start) -> None:
        self.bar.update(self.task, completed=0, epoch=0)
        many = len(self.fit.seeds)
        of = f"restart {restart} of {many}: " if many > 1 else ""
        starts = {start["restart"]: start for start in self.writer.folder.read_starts()}
        if start.init != "random":
            seconds = starts.get(restart, {"seconds": 0.0})["seconds"]
            self.console.print(f"start   {of}{start.reason}{rounds(start, seconds)}", markup=False)

    def epoch(self, record: Record, moment: Moment) -> None:  # noqa: ARG002
        epoch, last = record["epoch"], self.fit.epochs
        line = status(record, self.fit.config.model.clusters)
        if last < (self.bar.tasks[0].total or 0):
            self.console.print(f"epochs  {last} are enough: what is learned hardly changes", markup=False)
        self.bar.update(self.task, completed=epoch, epoch=epoch, total=last, description=line)
        over = self.fit.over
        due = (
            epoch % max(1, math.ceil((last - self.first) / LINES)) == 0
            or over
            or time.monotonic() - self.said > SECONDS
        )
        if due and not self.console.is_terminal:
            self.said = time.monotonic()
            many = len(self.fit.seeds)
            which = f"restart {record['restart']}/{many}  " if many > 1 else ""
            self.console.print(f"{which}epoch {epoch}/{last}  {line}")
        if due and not over:
            for finding in self._news(epoch):
                line = f"doctor  {finding.severity} so far: {finding.message}"
                self.console.print(line, markup=False)

    def arrived(self, restart: int, start: Start | None, records: list[Record], moment: Moment) -> None:  # noqa: ARG002
        epochs, line = len(records), status(records[-1], self.fit.config.model.clusters)
        self.console.print(f"restart {restart}/{len(self.fit.seeds)}  epoch {epochs}/{epochs}  {line}")

    def finished(self, result: Result) -> None:
        self.bar.stop()
        self.console.print(footer(result, self.data, self.writer), markup=False)

    def stopped(self) -> None:
        """Print how to resume a run that was interrupted."""
        self.bar.stop()
        command = os.environ.get("GMVAE_COMMAND", "gmvae")
        line = f"continue after epoch {self.writer.saved} with: {command} resume {self.writer.folder.path}"
        self.console.print(line, markup=False)

    def _due(self) -> bool:
        if self.console.is_terminal or time.monotonic() - self.said <= SECONDS:
            return False
        self.said = time.monotonic()
        return True

    def _news(self, epoch: int) -> list[Finding]:
        """Warnings that have not been reported yet, in a long run, once all weights are full. A short run has
        them at the end only, as it always has moving clusters."""
        if time.monotonic() - self.start < LONG or min(self.fit.config.objective.warmth(epoch)) < 1:
            return []
        known = self.reported | {"moving", "unstable"}
        fresh = [f for f in self.writer.findings() if f.severity == "warning" and f.name not in known]
        self.reported |= {finding.name for finding in fresh}
        return fresh


def counting(batches: Iterator[Batch], total: int | None, name: str) -> Iterator[Batch]:
    """Yield batches as they come, with a bar on standard error in a terminal. ``total`` is the number of
    rows, if known."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(name, total=total)
        for batch in batches:
            yield batch
            progress.advance(task, len(batch))


def rounds(start: Start, seconds: float) -> str:
    """The number of rounds of the manifold in a start, in words; empty without any."""
    count = len(start.rounds)
    return f"; {count} round{'s'[: count > 1]} in {seconds:.0f} s" if count else ""


def chosen(choice: Choice) -> str:
    """How the number of clusters was chosen, in words."""
    return f"{'' if choice.sure else 'not sure: '}{choice.reason}"


def header(fit: Fit, data: Dataset, writer: Writer) -> str:
    """The lines before training: data, model, loss and folder."""
    c, training = fit.config.model, fit.config.training
    held_out = "" if data.test is None else f" and {len(data.test):,} held out"
    labels = "" if data.labels is None else ", with labels (for measuring only)"
    folder = "" if data.folder is None else f", from {data.folder}"
    shape = fit.data.y_shape
    streamed = " from disk" if data.rows else ""
    views = training.augment in ("image", "table") or training.init == "manifold"
    loss = objective.formula(fit.config.objective, c.assignment, views=views)
    k = c.clusters or "to be chosen"
    choice = "" if fit.choice is None else f"        {chosen(fit.choice)}\n"
    return (
        f"data    {data.name}: {data.rows or len(data):,} observations{streamed}{held_out} of shape "
        f"{shape}{labels}{folder}\n"
        f"{prepared(fit, data)}"
        f"model   K = {k}, x {c.x_size}, w {c.w_size}, hidden {c.hidden_size}, {c.network}, "
        f"{c.likelihood}, {c.assignment}: {parameters(shape, c):,} parameters on {fit.rows.device}\n"
        f"{choice}"
        f"loss    {loss}\n"
        f"folder  {writer.folder.path}"
    )


def prepared(fit: Fit, data: Dataset) -> str:
    """The lines about how a file was read and prepared; empty without a file."""
    origin = data.origin
    if origin is None:
        return ""
    lines = f"        {fit.data.reason}\n"
    if fit.data.scale_reason:
        lines += f"        {fit.data.scale_reason}\n"
    if data.labels is not None:
        lines += f"        {classes(data.labels, origin.classes)}\n"
    if origin.index:
        lines += f"        left out as an index of the rows: {', '.join(origin.index)}\n"
    if origin.counting:
        lines += (
            f"warning columns that only count the rows are features ({len(origin.counting)}): "
            f"{listing(origin.counting)}; leave them out with --drop, or name one with --id-column\n"
        )
    names = origin.schema.features or tuple(map(str, range(len(fit.data.scaling.mean))))
    constant = [names[column] for column in fit.data.constants]
    if constant and fit.config.model.likelihood == "gaussian":
        lines += (
            f"warning columns with only one value as 64-bit floats are left out ({len(constant)}): "
            f"{listing(constant)}\n"
        )
    return lines


def classes(labels: NDArray[np.int64], names: Sequence[str]) -> str:
    """The names of the labels, and how many rows have none."""
    known = labels[labels >= 0]
    called = list(names) or [str(label) for label in np.unique(known)]
    listed = f": {listing(called)}" if called else ""
    without = len(labels) - len(known)
    lacking = f"; {without:,} row{'s'[: without > 1]} without a label" if without else ""
    return f"{len(called)} class{'es'[: 2 * (len(called) != 1)]}{listed}{lacking}"


def status(record: dict[str, Any], clusters: int) -> str:
    """A summary of an epoch in a few words."""
    prefix = "test_" if "test_acc" in record else ""
    scores = "".join(
        f"  {key} {record[key]:.3f}" for key in (f"{prefix}acc", f"{prefix}nmi") if key in record
    )
    return f"bound {record['elbo']:.3f}  {record['clusters_used']} of {clusters} clusters in use{scores}"


def footer(result: Result, data: Dataset, writer: Writer) -> str:
    """The lines after a run: results, the doctor's findings, and files."""
    command = os.environ.get("GMVAE_COMMAND", "gmvae")
    folder = writer.folder
    wanted = dict.fromkeys((*writer.config.run.plots, "stability"))
    drawn = [name for name in wanted if (folder.plots / f"{name}.png").exists()]
    many = len(result.restarts)
    kept = f"restart {result.kept + 1} of {many} is kept: " if many > 1 else ""
    return "\n".join(
        [f"done    {kept}{status({**writer.summary, 'elbo': result.elbo}, result.config.model.clusters)}"]
        + [f"doctor  {finding.in_shell()}" for finding in writer.findings(result)]
        + [f"summary {folder.path / 'summary.json'}"]
        + ([f"plots   {folder.plots}: {', '.join(drawn)}"] if drawn else [])
        + ([f"next    {command} predict {folder.path} [FILE] -o clusters.csv"] if data.origin else [])
    )
