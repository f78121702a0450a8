"""The command that explains a fit in one HTML file."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from gmvae.data.files.base import Source
    from gmvae.data.schema import Schema
    from gmvae.estimator.gmvae import GMVAE
    from gmvae.estimator.reporting import Context
    from gmvae.run import Run


@dataclass(frozen=True)
class Report:
    """Explain a fit in one HTML file that works offline: a map of the rows, a description of each cluster,
    similar clusters, outliers, curves, the doctor's findings, and how to repeat the fit."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run folder or, with FILE, a model file."""
    file: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[FILE]")] = None
    """A file or folder of data, read in the same way as the training data; by default the training data
    themselves."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = Path("report.html")
    """File to write."""
    id_column: str | None = None
    """Column of FILE that names the rows, if it is not that of the training data."""
    label_column: str | None = None
    """Column of FILE with the true classes, if it is not that of the training data."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1, ... or mps."""

    def __call__(self) -> None:
        from rich.console import Console

        from gmvae.estimator.reporting import explain
        from gmvae.store.tables import check_ending

        check_ending(self.out, (".html",))
        with Console(stderr=True).status("drawing the report"):
            model, X, context = gather(
                self.run, self.file, self.out, self.device, self.id_column, self.label_column
            )
            explain(model, X, self.out, context)
        print(self.out)


def gather(
    path: Path,
    file: Path | None,
    out: Path,
    device: str = "auto",
    id_column: str | None = None,
    label_column: str | None = None,
) -> tuple[GMVAE, Any, Context]:
    """Load a model and the rows to show, and collect the context of a report.

    Arguments:
        path: A run folder or a model file.
        file: The rows; those of the run by default.
        out: The file to write, which must not be one of the inputs.
        device: The device.
        id_column: The column of the file that names the rows, if it is not that of the training data.
        label_column: The column of the true classes, if it is not that of the training data.
    """
    from gmvae.apply.apply import asked, check_out, opened
    from gmvae.assess.remedies import as_flags
    from gmvae.estimator.gmvae import GMVAE
    from gmvae.estimator.loading import load
    from gmvae.run import Run

    run = Run.open(path, device) if (path / "config.json").is_file() else None
    unfinished = run is not None and not run.folder.model.exists()
    model = GMVAE.of_file(run.model_file(), device) if run is not None and unfinished else load(path, device)
    if file is None and run is not None:
        X, context = run.data.table, of_run(run)
    else:
        source, schema = opened(model, path, file)
        schema = asked(source, schema, id_column=id_column, label_column=label_column)
        check_out(out, path, source)
        X, context = read(source, schema)
    if not unfinished:
        check_out(out, path)
    if run is None or "python" not in run.folder.about():
        findings = [asdict(finding) | {"advice": as_flags(finding.advice)} for finding in model.findings_]
        context = replace(context, facts=dict(context.facts or {}) | {"findings": findings})
    if run is not None:
        context = replace(context, title=data_name(run), history=_kept(run), repeat=repeat(run))
    return model, X, context


def of_run(run: Run) -> Context:
    """The context of a run's own rows."""
    from gmvae.estimator.reporting import Context

    origin = run.data.origin
    return Context(
        data=run.data.name,
        labels=run.data.labels,
        classes=() if origin is None else origin.classes,
        ids=None if origin is None or origin.schema.id_column is None else read_ids(run, origin.schema),
        facts={"measures": run.summary() or (run.history[-1] if run.history else {})},
    )


def read(source: Source, schema: Schema) -> tuple[Any, Context]:
    """All rows of a file, and their context."""
    import numpy as np

    from gmvae.data.files.labels import codes, plain
    from gmvae.estimator.reporting import Context

    y: list[Any] = []
    ids: list[Any] = []
    labels: list[Any] = []
    for block in source.blocks(schema):
        y.append(block.y.reshape(len(block.y), -1))
        ids += [] if block.ids is None else plain(block.ids)
        labels += [] if block.labels is None else plain(block.labels)
    if not y:
        raise ValueError(f"{source.path} has no rows")
    found, classes = codes(labels)
    named = [str(i) for i in ids] or None
    return np.concatenate(y), Context(data=source.path.name, ids=named, labels=found, classes=classes)


def read_ids(run: Run, schema: Schema) -> list[str] | None:
    """The names of the rows that a run was trained on."""
    from gmvae.data.files.labels import plain
    from gmvae.data.files.open import open_source

    path = run.config.data.path
    if path is None:
        return None
    blocks = open_source(Path(path)).blocks(schema)
    return [str(i) for block in blocks if block.ids is not None for i in plain(block.ids)] or None


def repeat(run: Run) -> list[str]:
    """The command that repeats the fit, or Python code if the run was started in Python."""
    from gmvae.estimator.gmvae import GMVAE
    from gmvae.estimator.reporting import usual
    from gmvae.experiments import experiment

    about = run.folder.about()
    if "python" in about:
        given = about["python"]["parameters"] | {"random_state": run.config.training.seed, "run_dir": None}
        changed = [f"{name}={value!r}" for name, value in given.items() if value != usual(GMVAE()).get(name)]
        return ["from gmvae import GMVAE", f"GMVAE({', '.join(changed)}).fit(X)"]
    default, flags = experiment(run.name), []
    for section in fields(run.config):
        asked, usual_one = getattr(run.config, section.name), getattr(default, section.name)
        if section.name == "run":
            continue
        for one in fields(asked):
            value = getattr(asked, one.name)
            if value != getattr(usual_one, one.name) and not (
                section.name == "data" and one.name == "dataset"
            ):
                flags.append(flag(one.name, value))
    return [" ".join(["gmvae train", run.name, *(flag for flag in flags if flag)])]


def flag(name: str, value: Any) -> str:
    """A field of a configuration as a flag of the command line."""
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return option if value else option.replace("--", "--no-", 1)
    if value is None:
        return ""
    values = value if isinstance(value, (list, tuple)) else [value]
    return " ".join([option, *(shlex.quote(str(one)) for one in values)])


def data_name(run: Run) -> str:
    """The name of a run: its experiment or, for the user's own data, their name."""
    return run.data.name if run.name == "data" else run.name


def _kept(run: Run) -> list[dict[str, Any]]:
    """The records of the restart that is kept, or of the one in progress."""
    result = run.engine.result
    number = 1 if result is None else result.kept + 1
    if (summary := run.folder.read_summary()) is not None:
        number = summary.get("restart", number)
    return [record for record in run.history if record["restart"] == number]
