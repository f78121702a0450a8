"""A run on the screen: a bar in a terminal, now and then a line elsewhere."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gmvae import objective
from gmvae.run import Run

LINES = 10
"""Lines for a whole run where there is no terminal."""


def watch(run: Run) -> None:
    """Train a run to its end, and say how it goes on standard output."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(header(run), markup=False)
    first, last = run.trainer.epoch, run.config.training.epochs
    columns = (
        TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    every = max(1, math.ceil((last - first) / LINES))
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=last, completed=first)
        try:
            for record in run.train():
                progress.update(task, completed=record["epoch"], description=status(run, record))
                told = record["epoch"] % every == 0 or record["epoch"] == last
                if told and not console.is_terminal:
                    console.print(f"epoch {record['epoch']}/{last}  {status(run, record)}")
        except KeyboardInterrupt:
            progress.stop()
            console.print(f"go on with: gmvae resume {run.folder.path}", markup=False)
            raise
    console.print(footer(run), markup=False)


def header(run: Run) -> str:
    """What is about to be trained."""
    c, data = run.config.model, run.data
    count = sum(p.numel() for p in run.model.parameters())
    labels = "" if data.labels is None else ", with labels (for measuring only)"
    loss = objective.formula(run.config.objective, c.assignment)
    return (
        f"data    {data.name}: {len(data):,} observations of shape {data.y_shape}{labels}\n"
        f"model   K = {c.clusters}, x {c.x_size}, w {c.w_size}, hidden {c.hidden_size}, {c.network}, "
        f"{c.likelihood}, {c.assignment}: {count:,} parameters on {run.device}\n"
        f"loss    {loss}\n"
        f"folder  {run.folder.path}"
    )


def status(run: Run, record: dict[str, Any]) -> str:
    """An epoch in a few words."""
    nmi = f"  nmi {record['nmi']:.3f}" if "nmi" in record else ""
    clusters = f"{record['clusters_used']} of {run.config.model.clusters} clusters in use"
    return f"bound {record['elbo']:.3f}  {clusters}{nmi}"


def footer(run: Run) -> str:
    """Where to look after a run."""
    pictures = [run.folder.plots / f"{name}.png" for name in run.config.run.plots]
    drawn = [str(path) for path in pictures if path.exists()]
    return "\n".join(
        [f"done    {status(run, run.history[-1])}", f"figures {run.folder.path / 'summary.json'}"]
        + ([f"plots   {' '.join(drawn)}"] if drawn else [])
    )
