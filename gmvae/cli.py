"""The command line: parse, call, print."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from gmvae import __version__
from gmvae.config import Config, Plot
from gmvae.experiments import DESCRIPTIONS, EXPERIMENTS, experiment

Parsed = TypeVar("Parsed")
RunPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]


@dataclass(frozen=True)
class Resume:
    """Go on with a run that stopped, from its last checkpoint, as if it had never stopped."""

    run: RunPath
    """The run folder."""
    epochs: int | None = None
    """A new number of epochs in all, to train a finished run for longer."""
    device: str | None = None
    """Another device than before: auto (a GPU if there is one), cpu, cuda, cuda:1, ... or mps."""


@dataclass(frozen=True)
class DrawPlot:
    """Draw a picture of a run, finished or in progress, into its folder or in a window."""

    plot: Annotated[Plot, tyro.conf.Positional]
    """Which picture."""
    run: RunPath
    """The run folder."""
    live: bool = False
    """Open a window that follows the run in progress."""


@dataclass(frozen=True)
class Evaluate:
    """Measure a run on all of its data, and print what is found as JSON: agreement with labels, the bound in
    nats per observation and, for images, in bits per number; test_... on held-out data."""

    run: RunPath
    """The run folder."""
    samples: int = 0
    """Samples for an importance-weighted estimate of log p(y); 0 leaves it out, 100 is usual."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1, ... or mps."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``gmvae`` with these arguments; the exit status: 0, or 2 for bad input, 1 for a failed run."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0
    command, *rest = arguments
    if command == "--version":
        print(f"gmvae {__version__}")
        return 0
    try:
        if command not in COMMANDS:
            raise ValueError(f"command is {command!r}: it must be one of {', '.join(COMMANDS)}")
        COMMANDS[command][0](rest)
    except (ValueError, OSError, ArithmeticError) as error:
        if os.environ.get("GMVAE_TRACEBACK"):
            raise
        print(f"gmvae: {one_line(error)}", file=sys.stderr)
        return 1 if isinstance(error, ArithmeticError) else 2
    except (MemoryError, RuntimeError) as error:
        if os.environ.get("GMVAE_TRACEBACK") or not (
            isinstance(error, MemoryError) or "memory" in str(error)
        ):
            raise
        print(
            f"gmvae: out of memory, make the model or the batches smaller: {one_line(error)}", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        print("gmvae: stopped", file=sys.stderr)
        return 130
    return 0


def train(arguments: list[str]) -> None:
    """Train one of the experiments."""
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        print("usage: gmvae train EXPERIMENT [flags]; gmvae train EXPERIMENT --help lists the flags\n")
        print(table(DESCRIPTIONS))
        return
    default = experiment(name)
    config = parse(Config, f"gmvae train {name}", rest, default, DESCRIPTIONS[name])
    from gmvae.progress import watch
    from gmvae.run import Run

    watch(Run.new(name, config))


def resume(arguments: list[str]) -> None:
    """Go on with a run that stopped."""
    given = parse(Resume, "gmvae resume", arguments)
    from gmvae.progress import watch
    from gmvae.run import Run

    watch(Run.resume(given.run, given.epochs, given.device))


def plot(arguments: list[str]) -> None:
    """Draw a picture of a run, or follow it in a window."""
    given = parse(DrawPlot, "gmvae plot", arguments)
    from gmvae.files import RunFolder
    from gmvae.live import follow
    from gmvae.plots import OF_SNAPSHOT
    from gmvae.run import draw_on, draw_plot

    folder = RunFolder(given.run)
    if given.live:
        source = folder.snapshot if given.plot in OF_SNAPSHOT else folder.metrics
        follow(source, lambda figure: draw_on(folder, given.plot, figure))
    else:
        print(draw_plot(folder, given.plot))


def evaluate(arguments: list[str]) -> None:
    """Measure a run on all of its data."""
    given = parse(Evaluate, "gmvae evaluate", arguments)
    if given.samples < 0:
        raise ValueError(f"samples is {given.samples}: it must be a whole number of at least 0")
    from rich.console import Console

    from gmvae.run import Run

    run = Run.open(given.run, given.device)
    with Console(stderr=True).status(f"measuring on {run.data.name}"):
        found = run.evaluate(given.samples)
    print(json.dumps(found, indent=2))


COMMANDS: dict[str, tuple[Callable[[list[str]], None], str]] = {
    "train": (train, "train one of the paper's experiments: " + ", ".join(EXPERIMENTS)),
    "resume": (resume, "go on with a run that stopped, or train it for longer"),
    "evaluate": (evaluate, "measure a run on all of its data, with an estimate of log p(y)"),
    "plot": (plot, "draw a picture of a run, or follow a run in a window"),
}


def usage() -> str:
    """What ``gmvae`` says of itself."""
    return (
        "usage: gmvae COMMAND ...\n\n"
        "Deep clustering with Gaussian mixture variational auto-encoders.\n\n"
        + table({name: text for name, (_, text) in COMMANDS.items()})
        + "\n\ngmvae COMMAND --help tells more; gmvae --version tells the version."
    )


def table(rows: dict[str, str]) -> str:
    """Names and what they are, in two columns."""
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {text}" for name, text in rows.items())


def parse(
    kind: type[Parsed],
    prog: str,
    arguments: list[str],
    default: Any = None,
    description: str | None = None,
) -> Parsed:
    """The flags of a dataclass, whose nested dataclasses count as one flat list of flags.

    Raises:
        ValueError: with tyro's message, on one line, where the arguments do not fit.
    """
    options: dict[str, Any] = {} if default is None else {"default": default}
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                kind,
                prog=prog,
                args=arguments,
                description=description,
                config=(tyro.conf.OmitArgPrefixes,),
                **options,
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise ValueError(f"{complaint(said.getvalue())} ({prog} --help lists the flags)") from None


def complaint(box: str) -> str:
    """The message in one of tyro's boxes, as one line."""
    lines = [line.strip("│ ") for line in box.splitlines()]
    rules = [i for i, line in enumerate(lines) if line.startswith(("─", "╰"))]
    text = " ".join(" ".join(lines[1 : rules[0] if rules else None]).split())
    return re.sub(r"^Error parsing (?:(--\S+)|\S+): ", lambda m: f"{m[1]}: " if m[1] else "", text)


def one_line(error: BaseException) -> str:
    """An exception as one line for people."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}"
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
