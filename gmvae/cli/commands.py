"""The commands: their flags, and what they call."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import tyro

from gmvae.cli.answers import Describe, Embed, FilePath, Predict, RunPath, Sample, warn
from gmvae.cli.file_format import FileFormat
from gmvae.cli.relabel import Relabel
from gmvae.cli.report import Report, gather
from gmvae.cli.update import Update
from gmvae.cli.watch import Watch
from gmvae.config import Plot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from gmvae.run import Run

OfHistory = Literal["curves"]
MorePlot = Literal["map", "profiles", "prototypes", "confusion", "overlap", "reliability"]


@dataclass(frozen=True)
class Resume:
    """Resume a run that stopped from its last checkpoint, as if it had never stopped."""

    run: RunPath
    """The run folder."""
    epochs: int | None = None
    """A new total number of epochs, to train a finished run for longer."""
    device: str | None = None
    """The device, if it is not the same as before: auto (a GPU if there is one), cpu, cuda, cuda:1, ... or
    mps."""

    def __call__(self) -> None:
        from gmvae.cli.workers import follow_resumed
        from gmvae.run import Run
        from gmvae.training.workers import start_workers

        workers = start_workers(self.device or "auto")
        if workers.rank:
            follow_resumed(self.run, workers, epochs=self.epochs, device=self.device)
            workers.end()
            return
        run = Run.resume(self.run, self.epochs, self.device, workers=workers)
        if run.finished:
            done = run.epoch
            print(f"{self.run} has finished its {done} epochs: to train longer, give a larger --epochs")
        else:
            watch(run)
        workers.end()


@dataclass(frozen=True)
class DrawPlot:
    """Draw a picture of a run, finished or in progress, into its folder, another file, or a window."""

    plot: Annotated[Literal[Plot, OfHistory, MorePlot], tyro.conf.Positional]
    """Which picture; curves shows the whole course of the fit. Map, profiles, prototypes, confusion, overlap
    and reliability show all the data, and so does stability if the fit had --resamples."""
    run: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[RUN]")] = None
    """The run folder; the newest in runs/ by default."""
    live: bool = False
    """Open a window that follows the run in progress (by default the newest), with a picture at most two
    seconds old."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """File to draw into: .png, .svg or .pdf; plots/PLOT.png in the run folder by default."""

    def __call__(self) -> None:
        from gmvae.run import take_missing_snapshot
        from gmvae.store.run_folder import RunFolder, newest_run

        def find() -> RunFolder:
            return newest_run() if self.run is None else RunFolder(self.run)

        from gmvae.apply.apply import check_out
        from gmvae.show.pictures import FORMATS, save_figure
        from gmvae.show.run_figures import draw_plot, rows_resampled
        from gmvae.store.tables import check_ending

        folder = find()
        if self.out is not None:
            check_ending(self.out, FORMATS)
            check_out(self.out, folder.path)
        of_rows = self.plot == "stability" and not self.live and rows_resampled(folder)
        if of_rows or self.plot in get_args(MorePlot):
            if self.live:
                raise ValueError(f"{self.plot} shows all data, and cannot follow a run: leave --live out")
            out = self.out or folder.plots / f"{self.plot}.png"
            print(save_figure(self._of_all_data(folder.path, out), out))
            return
        take_missing_snapshot(folder)
        if self.live:
            from gmvae.show.window import Followed, follow

            follow(Followed(self.plot, find))
        else:
            print(draw_plot(folder, self.plot, out=self.out))

    def _of_all_data(self, run: Path, out: Path) -> Figure:
        from gmvae.estimator.reporting import content_of
        from gmvae.show.portraits import OF_CONTENT

        with waiting(f"drawing {self.plot}"):
            return OF_CONTENT[self.plot](content_of(*gather(run, None, out)))


@dataclass(frozen=True)
class Evaluate:
    """Measure a run on all of its data, or a model on another file, and print the results as JSON: agreement
    with labels, the bound in nats per observation and, for images, in bits per number. Keys with test_ are
    for held-out data. A run's own file is measured like any other file."""

    run: RunPath
    """The run folder."""
    file: FilePath = None
    """Another file or folder of data, read in the same way as the training data, with or without labels."""
    samples: int = 0
    """Samples for an importance-weighted estimate of log p(y); 0 leaves it out, 100 is usual."""
    label_column: str | None = None
    """Column of the file's labels, if its name is not the same as in the training data."""
    labels_path: Path | None = None
    """File with a whole number for each row (.npy or .t7), as labels in place of a column."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1, ... or mps."""
    file_format: FileFormat = field(default_factory=FileFormat)

    def __call__(self) -> None:
        if self.samples < 0:
            raise ValueError(f"samples is {self.samples}: it must be a whole number of at least 0")
        from gmvae.run import Run

        run = Run.open(self.run, self.device) if self.file is None else None
        if run is not None and run.config.data.path is None:
            with waiting(f"measuring on {run.data.name}"):
                found = run.everything(self.samples) | self._relabelled(run)
        else:
            found = self._of_file(run)
        print(json.dumps(found, indent=2))

    def _relabelled(self, run: Run) -> dict[str, float]:
        """Agreement with labels after merging and splitting clusters; empty without such edits."""
        from gmvae.estimator.loading import load
        from gmvae.model.inference import agreement

        if not run.folder.model.exists():
            return {}
        model = load(self.run, self.device)
        if not (model.relabelled_.merge or model.relabelled_.split):
            return {}
        found: dict[str, float] = {}
        for prefix, data in (("", run.data), ("test_", run.data.test)):
            if data is not None:
                measured = agreement(model.predict_proba(data.table), data.labels)
                found |= {f"{prefix}{key}": value for key, value in measured.items()}
        return found

    def _of_file(self, run: Run | None) -> dict[str, Any]:
        """The measures on a file, either another one or that of the run itself."""
        from gmvae.apply.apply import asked, evaluation, labels_of, opened
        from gmvae.data.files.labels import read_labels
        from gmvae.estimator.gmvae import GMVAE
        from gmvae.estimator.loading import load

        if run is not None and not run.folder.model.exists():
            model = GMVAE.of_file(run.model_file(), self.device)
        else:
            model = load(self.run, self.device)
        source, schema = opened(model, self.run, self.file)
        schema = self.file_format.of(schema)
        schema = asked(source, schema, label_column=self.label_column)
        path = self.labels_path
        if path is None and self.label_column is None:
            path = labels_of(self.run, self.file)
        with waiting(f"measuring on {source.path.name}"):
            labels = None if path is None else read_labels(str(path))
            found = evaluation(model, source, schema, labels, self.samples)
        warn(source)
        return found


@dataclass(frozen=True)
class Info:
    """Summarise a run or a model file on a card: model, data, clusters, measures, findings, versions."""

    run: RunPath
    """A run folder or a model file."""

    def __call__(self) -> None:
        from gmvae.store.card import card

        print(card(self.run))


@dataclass(frozen=True)
class Export:
    """Write a model's encoder and decoder as ONNX, for programs without Python or PyTorch."""

    run: RunPath
    """A run folder or a model file."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")] = Path("onnx")
    """Folder to write encoder.onnx and decoder.onnx to."""

    def __call__(self) -> None:
        from gmvae.apply.apply import check_out
        from gmvae.estimator.loading import load
        from gmvae.store.onnx import FILES, export

        if self.out.is_file():
            raise ValueError(f"{self.out} is a file: name a folder for {' and '.join(FILES)} with -o")
        for name in FILES:
            check_out(self.out / name, self.run)
        for path in export(load(self.run), self.out):
            print(path)


COMMANDS: dict[str, tuple[Callable[..., Any], str]] = {
    "resume": (Resume, "resume a run that stopped, or train it for longer"),
    "info": (Info, "summarise a run: model, data, clusters, measures, and what is wrong with it"),
    "predict": (Predict, "predict the cluster of each row of a file, with its probability and outlier score"),
    "describe": (Describe, "describe what distinguishes each cluster, column by column"),
    "embed": (Embed, "compute the latent x of each row of a file"),
    "sample": (Sample, "draw new observations, of one cluster or all, as a table, an array or a picture"),
    "evaluate": (Evaluate, "measure a run on its data, or on another file"),
    "plot": (DrawPlot, "draw a picture of a run, or follow a run in a window"),
    "watch": (Watch, "follow runs in a browser while they train: table, curves, map, clusters"),
    "update": (Update, "train a model further with one pass over new data, and report drift"),
    "report": (Report, "explain a fit in one HTML file: map, clusters, outliers, curves, doctor"),
    "relabel": (Relabel, "name, merge and split clusters, from a file that a report exports, or undo that"),
    "export": (Export, "export encoder and decoder as ONNX"),
}


def watch(run: Run) -> None:
    """Train a run to its end, and show its progress."""
    from gmvae.show.console import Screen

    screen = Screen(run.data, run.writer)
    try:
        with closing(run.train(screen)) as records:
            for _ in records:
                pass
    except KeyboardInterrupt:
        screen.stopped()
        raise
    finally:
        screen.bar.stop()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show a status line in a terminal within the block."""
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield
