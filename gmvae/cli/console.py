"""Work on the screen: a bar in a terminal; for a run now and then a line elsewhere."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence, Sized
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gmvae.assess.doctor import Finding
from gmvae.config import Config
from gmvae.data.dataset import Dataset
from gmvae.data.files.columns import some
from gmvae.model import objective
from gmvae.run import Run

Batch = TypeVar("Batch", bound=Sized)
LINES = 10
"""Lines for a whole run where there is no terminal, at least ..."""
SECONDS = 30
"""... but one after so many seconds."""


def begin(name: str, config: Config) -> Run:
    """Begin a run, and say how far the choice of its number of clusters or of epochs has come, where that is
    open."""
    console = Console(highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("", total=1.0, visible=False)
        said = time.monotonic()

        def choosing(what: str, share: float) -> None:
            nonlocal said
            doing = f"choosing the number of {what}"
            progress.update(task, completed=share, visible=True, description=doing)
            if not console.is_terminal and time.monotonic() - said > SECONDS:
                said = time.monotonic()
                console.print(f"{doing} {share:.0%}")

        return Run.new(name, config, partial(choosing, "clusters"), partial(choosing, "epochs"))


def watch(run: Run) -> None:
    """Train a run to its end, and say how it goes on standard output."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(header(run), markup=False)
    first, last = run.trainer.epoch, run.config.training.epochs
    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    every = max(1, math.ceil((last - first) / LINES))
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=last, completed=first, epoch=first)
        said, told = time.monotonic(), set[str]()
        try:

            def starting(share: float) -> None:
                nonlocal said
                progress.update(task, description=f"start {share:.0%}")
                if not console.is_terminal and time.monotonic() - said > SECONDS:
                    said = time.monotonic()
                    console.print(f"start {share:.0%}")

            for record in run.train(lambda done: progress.update(task, completed=done), starting):
                epoch = record["epoch"]
                if epoch == 1 and (start := run.folder.read_start()):
                    console.print(f"start   {start['reason']}{rounds(start)}", markup=False)
                progress.update(task, completed=epoch, epoch=epoch, description=status(run, record))
                due = epoch % every == 0 or epoch == last or time.monotonic() - said > SECONDS
                if due and not console.is_terminal:
                    said = time.monotonic()
                    console.print(f"epoch {epoch}/{last}  {status(run, record)}")
                if due and epoch < last:
                    for finding in news(run, epoch, told):
                        console.print(f"doctor  {finding}", markup=False)
        except KeyboardInterrupt:
            progress.stop()
            command = os.environ.get("GMVAE_COMMAND", "gmvae")
            line = f"go on after epoch {run.saved} with: {command} resume {run.folder.path}"
            console.print(line, markup=False)
            raise
    console.print(footer(run), markup=False)


def counting(batches: Iterator[Batch], total: int | None, name: str) -> Iterator[Batch]:
    """The batches as they come, with a bar on standard error in a terminal; ``total`` rows, where known."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(name, total=total)
        for batch in batches:
            yield batch
            progress.advance(task, len(batch))


def rounds(start: dict[str, Any]) -> str:
    """How many rounds of the manifold a start had, or nothing."""
    count = len(start["rounds"])
    return f"; {count} round{'s'[: count > 1]} in {start['seconds']:.0f} s" if count else ""


def news(run: Run, epoch: int, told: set[str]) -> list[Finding]:
    """Warnings that have not been ``told`` yet, once all weights are full: that clusters still move is no
    news on the way."""
    if min(run.config.objective.warmth(epoch)) < 1:
        return []
    found = run.measuring.findings(run.history)
    fresh = [f for f in found if f.severity == "warning" and f.name not in told | {"moving", "unstable"}]
    told |= {finding.name for finding in fresh}
    return fresh


def header(run: Run) -> str:
    """What is about to be trained."""
    c, data = run.config.model, run.data
    count = sum(p.numel() for p in run.model.parameters())
    held_out = "" if data.test is None else f" and {len(data.test):,} held out"
    labels = "" if data.labels is None else ", with labels (for measuring only)"
    folder = "" if data.folder is None else f", from {data.folder}"
    training = run.config.training
    views = training.augment in ("image", "table") or training.init == "manifold"
    loss = objective.formula(run.config.objective, c.assignment, views=views)
    choice = run.folder.about().get("choice")
    chosen = "" if choice is None else f"        {'' if choice['sure'] else 'not sure: '}{choice['reason']}\n"
    return (
        f"data    {data.name}: {len(data):,} observations{held_out} of shape {data.y_shape}{labels}{folder}\n"
        f"{prepared(data)}"
        f"model   K = {c.clusters}, x {c.x_size}, w {c.w_size}, hidden {c.hidden_size}, {c.network}, "
        f"{c.likelihood}, {c.assignment}: {count:,} parameters on {run.device}\n"
        f"{chosen}"
        f"loss    {loss}\n"
        f"folder  {run.folder.path}"
    )


def prepared(data: Dataset) -> str:
    """What was done to a file, a line for each, or nothing."""
    made = data.preparation
    if made is None:
        return ""
    lines = f"        {made.reason}\n"
    if data.labels is not None:
        lines += f"        {classes(data.labels, made.classes)}\n"
    if made.index:
        lines += f"        left out, since it names the rows: {', '.join(made.index)}\n"
    if made.counting:
        lines += (
            f"warning columns that only count the rows are features ({len(made.counting)}): "
            f"{some(made.counting)}; leave them out with --drop, or name one with --id-column\n"
        )
    if made.constant:
        named = ", ".join(made.constant[:5]) + (", ..." if len(made.constant) > 5 else "")
        lines += f"warning columns with one value only are left out ({len(made.constant)}): {named}\n"
    return lines


def classes(labels: NDArray[np.int64], names: Sequence[str]) -> str:
    """What labels are called, and how many rows have none."""
    known = labels[labels >= 0]
    called = list(names) or [str(label) for label in np.unique(known)]
    listed = f": {some(called)}" if called else ""
    without = len(labels) - len(known)
    lacking = f"; {without:,} row{'s'[: without > 1]} without a label" if without else ""
    return f"{len(called)} class{'es'[: 2 * (len(called) != 1)]}{listed}{lacking}"


def status(run: Run, record: dict[str, Any]) -> str:
    """An epoch in a few words."""
    prefix = "test_" if "test_acc" in record else ""
    scores = "".join(
        f"  {key} {record[key]:.3f}" for key in (f"{prefix}acc", f"{prefix}nmi") if key in record
    )
    clusters = f"{record['clusters_used']} of {run.config.model.clusters} clusters in use"
    return f"bound {record['elbo']:.3f}  {clusters}{scores}"


def footer(run: Run) -> str:
    """Where to look after a run."""
    command = os.environ.get("GMVAE_COMMAND", "gmvae")
    plots = run.folder.plots
    wanted = dict.fromkeys((*run.config.run.plots, "stability"))
    drawn = [name for name in wanted if (plots / f"{name}.png").exists()]
    return "\n".join(
        [f"done    {status(run, run.history[-1])}"]
        + [f"doctor  {finding}" for finding in run.measuring.findings(run.history)]
        + [f"figures {run.folder.path / 'summary.json'}"]
        + ([f"plots   {plots}: {', '.join(drawn)}"] if drawn else [])
        + (
            [f"next    {command} predict {run.folder.path} [FILE] -o clusters.csv"]
            if run.data.preparation
            else []
        )
    )
