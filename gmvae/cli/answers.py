"""The commands that apply a model to files: their flags, and what they call."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from gmvae.cli.file_format import FileFormat
from gmvae.cli.wording import STANDARD_INPUT

if TYPE_CHECKING:
    from gmvae.data.files.base import Source
    from gmvae.data.schema import Schema
    from gmvae.estimator.gmvae import GMVAE

RunPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
FilePath = Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[FILE]")]
OutPath = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]


@dataclass(frozen=True)
class Predict:
    """Predict the cluster of each row of a file: its number, its probability, the probabilities of all
    clusters, and the bound on log p(y) as an outlier score (the lower, the less like the training data). Rows
    are read and written piece by piece, so a file can be larger than memory."""

    run: RunPath
    """A run folder or a model file."""
    file: FilePath = None
    """A file or folder of data, read in the same way as the training data, or - for a .csv at standard input;
    by default the training data themselves."""
    out: OutPath = Path("predictions.csv")
    """File to write: .csv, .tsv, each also .gz, .parquet, .arrow, .feather or, numbers only, .npy; - for
    standard output; for an .h5ad file also .h5ad, a copy with the results in obs and obsm."""
    id_column: str | None = None
    """Column to copy beside the results, if it is not that of the training data."""
    scores: bool = True
    """Whether to compute the outlier score, which takes most of the time."""
    outliers: Literal["keep", "label"] = "keep"
    """Whether rows that belong to no cluster get the number of their most probable one (keep), or -1
    (label)."""
    keep_columns: bool = False
    """Write all columns of the file before the results; of an .h5ad file, the names of its observations and
    all columns of its obs."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1, ... or mps."""
    file_format: FileFormat = field(default_factory=FileFormat)

    def __call__(self) -> None:
        from gmvae.apply.apply import asked, embeddings, predictions

        model, source, schema = _applied(self.run, self.file, self.device, self.file_format)
        schema = asked(source, schema, id_column=self.id_column)
        model.set_params(outliers=self.outliers)
        answers = [predictions(model, source, schema, scores=self.scores)]
        if self.out.suffix == ".h5ad":  # a copy keeps all columns anyway
            answers.append(embeddings(model, source, schema))
        else:
            source.keeps_columns = self.keep_columns
        _write(self.out, self.run, source, *answers)


@dataclass(frozen=True)
class Describe:
    """Describe each cluster: its size, its mean probability and, the most distinctive columns first, the mean
    and spread of each column within it, and the mean of the other rows."""

    run: RunPath
    """A run folder or a model file."""
    file: FilePath = None
    """A file of data, read in the same way as the training data, or - for a .csv at standard input; by
    default the training data themselves."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """File to write the whole table to: .csv, .tsv, each also .gz, .parquet, .arrow or .feather; - for
    standard output, in place of the printed summary."""
    top: int = 5
    """Number of columns of each cluster to print."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1, ... or mps."""
    file_format: FileFormat = field(default_factory=FileFormat)

    def __call__(self) -> None:
        from gmvae.apply.apply import check_out, describe
        from gmvae.show.tables import clusters_table
        from gmvae.store.tables import STANDARD, check_ending

        if self.out is not None:
            check_ending(self.out)
        model, source, schema = _applied(self.run, self.file, self.device, self.file_format)
        if self.out is not None:
            check_out(self.out, self.run, source)
        found = describe(model, source, schema)
        if self.out != STANDARD:
            print(clusters_table(found.to_pylist(), self.top))
        if self.out is not None:
            _write(self.out, self.run, source, iter(found.to_batches()))


@dataclass(frozen=True)
class Embed:
    """Embed each row of a file as its latent x: the means of q(x | y)."""

    run: RunPath
    """A run folder or a model file."""
    file: FilePath = None
    """A file or folder of data, read in the same way as the training data, or - for a .csv at standard input;
    by default the training data themselves."""
    out: OutPath = Path("embedding.csv")
    """File to write: .csv, .tsv, each also .gz, .parquet, .arrow, .feather or, numbers only, .npy; - for
    standard output; for an .h5ad file also .h5ad, a copy with x in obsm."""
    id_column: str | None = None
    """Column to copy beside the results, if it is not that of the training data."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1, ... or mps."""
    file_format: FileFormat = field(default_factory=FileFormat)

    def __call__(self) -> None:
        from gmvae.apply.apply import asked, embeddings

        model, source, schema = _applied(self.run, self.file, self.device, self.file_format)
        schema = asked(source, schema, id_column=self.id_column)
        _write(self.out, self.run, source, embeddings(model, source, schema))


@dataclass(frozen=True)
class Sample:
    """Draw new observations from a model, as a table, an array or a picture."""

    run: RunPath
    """A run folder or a model file."""
    out: OutPath = Path("samples.csv")
    """File to write: .csv, .tsv, each also .gz, .parquet, .arrow, .feather, .npy or, for a picture, .png; -
    for standard output."""
    count: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 100
    """Number of observations."""
    cluster: int | None = None
    """The cluster to draw from; by default each cluster in proportion to its share of the data."""
    seed: int = 1
    """Seed of the draws."""

    def __call__(self) -> None:
        from gmvae.apply.apply import write_samples
        from gmvae.estimator.loading import load
        from gmvae.store.tables import STANDARD

        write_samples(load(self.run), self.run, self.out, self.count, self.cluster, self.seed)
        if self.out != STANDARD:
            print(self.out)


def _applied(
    run: Path, file: Path | None, device: str, file_format: FileFormat
) -> tuple[GMVAE, Source, Schema]:
    """Load a model, and open the file it is applied to: the model, the source, and its schema."""
    from gmvae.apply.apply import opened
    from gmvae.estimator.loading import load
    from gmvae.store.tables import STANDARD

    model = load(run, device)
    source, schema = opened(model, run, standard_input() if file == STANDARD else file)
    return model, source, file_format.of(schema)


def standard_input() -> Path:
    """Copy standard input to a file, which is deleted when this process ends."""
    import atexit
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="gmvae-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / STANDARD_INPUT
    with open(path, "wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def _write(out: Path, run: Path, source: Source, batches: Iterator[Any], *more: Iterator[Any]) -> None:
    """Write results for a file; ``more`` are further columns, for an .h5ad file."""
    from gmvae.apply.annotate import annotate
    from gmvae.apply.apply import check_out
    from gmvae.show.console import counting
    from gmvae.store.tables import ENDINGS, STANDARD, check_ending, write_table

    check_ending(out, (*ENDINGS, ".h5ad"))
    check_out(out, run, source)
    counted = counting(batches, source.count(), source.path.name)
    rows = annotate(out, source, counted, *more) if out.suffix == ".h5ad" else write_table(out, counted)
    if out != STANDARD:
        print(f"{rows:,} rows: {out}")
    warn(source)


def warn(source: Source) -> None:
    """Warn on standard error about values of text columns that training did not see."""
    from gmvae.data.printable import printable
    from gmvae.data.schema import unseen_lines

    name = "standard input" if source.path.name == STANDARD_INPUT else source.path.name
    for line in unseen_lines(name, source.unseen):
        print(f"gmvae: warning: {printable(line)}", file=sys.stderr)
