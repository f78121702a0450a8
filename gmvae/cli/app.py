"""The command line: parse, call, print."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tyro

from gmvae import __version__
from gmvae.cli.commands import COMMANDS, watch
from gmvae.cli.flags import narrowed, widened
from gmvae.cli.help_text import flowing
from gmvae.cli.preflight import check_applied, check_data
from gmvae.cli.quick import quick
from gmvae.cli.signals import status, terminable
from gmvae.cli.wording import flags, in_shell, of_shell, switches
from gmvae.config import Config, DataConfig
from gmvae.data.printable import printable
from gmvae.experiments import DESCRIPTIONS, EXPERIMENTS, experiment
from gmvae.rules import RENAMED_SETTINGS, no_choice, similar

Parsed = TypeVar("Parsed")
OPEN = ("--clusters", "--epochs", "--hidden-size", "--learning-rate", "--rounds", "--threads")
"""Flags of numbers that 0, or auto, leaves open."""
TRAIN = "train on your own data, or one of: " + ", ".join(name for name in EXPERIMENTS if name != "data")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``gmvae`` with these arguments and return the exit status: 0, 1 for a failed run, 2 for bad
    input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0
    command, *rest = arguments
    if command == "--version":
        print(f"gmvae {__version__}")
        return 0
    if command == "help":  # gmvae help train data, or gmvae help data, is gmvae train data --help
        return main([*(["train"] if rest and rest[0] in EXPERIMENTS else []), *rest, "--help"])
    try:
        with terminable():
            call(command, rest)
        sys.stdout.flush()
    except (ValueError, OSError, ArithmeticError) as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:  # the reader (`head`) has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
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
    except KeyboardInterrupt as stop:
        print("gmvae: stopped", file=sys.stderr)
        return status(stop)
    return 0


def call(command: str, arguments: list[str]) -> None:
    """Run a command with its arguments."""
    if command == "train":
        train(arguments)
    elif command in COMMANDS:
        asked = parse(COMMANDS[command][0], f"gmvae {command}", arguments)
        with of_shell(asked):
            check_applied(asked)
            asked()
    else:
        near = similar(command, ["train", *COMMANDS, *EXPERIMENTS])
        known = f"it must be one of train, {', '.join(COMMANDS)}"
        if near:
            known = f"did you mean {near[0]}?" if near[0] not in EXPERIMENTS else f"try gmvae train {near[0]}"
        raise ValueError(f"command is {command!r}: {known}")


def train(arguments: list[str]) -> None:
    """Train one of the experiments, which sets the defaults of the flags."""
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        print("usage: gmvae train EXPERIMENT [flags]; gmvae train EXPERIMENT --help lists the flags\n")
        print(table(DESCRIPTIONS))
        return
    if name not in EXPERIMENTS and ("." in name or Path(name).exists()):
        raise ValueError(
            f"{name} is no experiment: did you mean gmvae train data --path {shlex.quote(name)}?"
        )
    kind, default = narrowed(name, experiment(name))
    config = widened(parse(kind, f"gmvae train {name}", list(resolved(rest)), default, DESCRIPTIONS[name]))
    with of_shell(Config):
        check_data(config.data)
        from gmvae.cli.workers import began_run, follow
        from gmvae.run import Run
        from gmvae.training.workers import start_workers

        workers, run_dir = start_workers(config.training.device), config.run.run_dir
        again = workers.restarted and workers.of_first(began_run(run_dir, workers))
        resumed = run_dir if again else None
        if workers.rank:
            quietly(lambda: follow(config, workers, resumed))
        elif resumed is not None:
            watch(Run.resume(resumed, workers=workers))
        else:
            watch(Run.new(name, config, workers))
        workers.end()


def quietly(work: Callable[[], object]) -> None:
    """Run the work of a further worker, without messages about bad input: the first worker prints them."""
    try:
        work()
    except (ValueError, OSError) as error:
        raise SystemExit(2) from error


def resolved(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the arguments. Flags get their present names, and auto becomes 0 for flags that 0 leaves open."""
    before = ""
    for argument in arguments:
        argument = renamed_flag(argument)
        flag, _, value = argument.rpartition("=")
        if flag in OPEN and value == "auto":
            argument = f"{flag}=0"
        yield "0" if before in OPEN and argument == "auto" else argument
        before = argument


def renamed_flag(argument: str) -> str:
    """Replace the name that a flag had in an earlier version, and print a note about it."""
    flag, equals, value = argument.partition("=")
    name = RENAMED_SETTINGS.get(flag.removeprefix("--").replace("-", "_"))
    if name is None or not flag.startswith("--"):
        return argument
    now = f"--{name.replace('_', '-')}"
    print(f"gmvae: {flag} is now called {now}", file=sys.stderr)
    return f"{now}{equals}{value}"


def usage() -> str:
    """The help text of ``gmvae`` itself."""
    return (
        "usage: gmvae COMMAND ...\n\n"
        "Deep clustering with Gaussian mixture variational autoencoders.\n\n"
        + table({"train": TRAIN} | {name: text for name, (_, text) in COMMANDS.items()})
        + "\n\ngmvae help COMMAND describes a command; gmvae --version prints the version."
    )


def table(rows: dict[str, str]) -> str:
    """Names and their descriptions, in two columns."""
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {text}" for name, text in rows.items())


def parse(
    kind: Callable[..., Parsed],
    prog: str,
    arguments: list[str],
    default: Any = None,
    description: str | None = None,
) -> Parsed:
    """Parse the flags of a dataclass; nested dataclasses add to the same flat list of flags.

    Raises:
        ValueError: with tyro's message, on one line, if the arguments are not valid.
    """
    options: dict[str, Any] = {} if default is None else {"default": default}
    said, helped = Boxes(), Boxes()
    try:
        with (
            contextlib.redirect_stderr(said),
            contextlib.redirect_stdout(helped),
            flowing(arguments),
            quick(),
        ):
            return tyro.cli(
                kind,
                prog=prog,
                args=arguments,
                description=description,
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.HelptextFromCommentsOff),
                **options,
            )
    except SystemExit as stop:
        if not stop.code:
            text = plain_metavars(helped.getvalue())
            sys.stdout.write(text if lined(sys.stdout) else text.translate(PLAIN))
            raise
        text = suggested(in_shell(value_wanted(complaint(said.getvalue())), kind), arguments, kind)
        raise ValueError(f"{text} ({prog} --help lists the flags)") from None


class Boxes(io.StringIO):
    """A stream for text in which tyro draws boxes."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"


PLAIN = str.maketrans(dict.fromkeys("│╭╮╰╯", " ") | {"─": "-"})
"""Replaces the lines of boxes, for streams that cannot write UTF-8."""


def lined(stream: Any) -> bool:
    """Whether the lines of boxes can be written to a stream."""
    return str(getattr(stream, "encoding", None) or "").lower().replace("-", "") == "utf8"


def plain_metavars(text: str) -> str:
    """Simplify the help text: an optional value shows its type, without {None}."""
    return re.sub(
        r"\{None\}\|([A-Z]+)( *)", lambda m: f"{m[1]}{m[2]}{' ' * len('{None}|')}" if m[2] else m[1], text
    )


def complaint(box: str) -> str:
    """The message in one of tyro's boxes, as one line."""
    lines = [line.strip("│ ") for line in box.splitlines()]
    rules = [i for i, line in enumerate(lines) if line.startswith(("─", "╰"))]
    text = " ".join(" ".join(lines[1 : rules[0] if rules else None]).split())
    choices = re.match(r"Missing from ([\w ]+): \{(.*)\} (\w+) \(required\)$", text)
    if choices:
        command, allowed, name = choices.groups()
        return f"{command} needs {name.upper()}: one of {', '.join(allowed.replace(' ', '').split(','))}"
    text = re.sub(r"^Missing from ([\w ]+): (\S+) .*\(required\)$", r"\1 needs \2", text)
    return re.sub(r"^Error parsing (?:(--\S+)|\S+): ", lambda m: f"{m[1]}: " if m[1] else "", text)


def value_wanted(text: str) -> str:
    """Say what may be given, in a message about the value of a flag; any other message is returned
    unchanged."""
    choices = re.fullmatch(r"invalid choice '(.*)' for argument '(\S+)'. Expected one of \((.*)\)\.?", text)
    if choices:
        value, name, allowed = choices.groups()
        return no_choice(name, value, re.findall(r"'([^']*)'", allowed))
    missing = re.fullmatch(r"Missing value for argument '(?:-\w/)?(\S+)'\. Expected .*", text)
    if missing:
        name = missing[1]
        return f"{name} needs a value" if name.startswith("-") else f"{name.upper()} is not given"
    number = re.fullmatch(
        r"(--\S+): (?:no type matching .*: )?"
        r"(invalid literal for int\(\) with base 10|could not convert string to float): ('.*')",
        text,
    )
    if number:
        flag, kind, value = number.groups()
        what = "a whole number" if kind.startswith("invalid") else "a number"
        return f"{flag} is {value}: it must be {what}{', or auto' if flag in OPEN else ''}"
    return text


def suggested(text: str, arguments: Sequence[str], kind: Any) -> str:
    """Add suggestions to a message about unknown flags; any other message is returned unchanged. An unknown
    flag can hide an argument that is then not found."""
    unrecognised = "Unrecognized options" in text
    if not unrecognised and not text.endswith(" is not given"):
        return text
    known = set(flags(kind))
    given = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
    unknown = [flag for flag in dict.fromkeys(given) if flag.replace("_", "-") not in known]
    if not unknown:
        if not unrecognised:
            return text
        stray = text.partition(": ")[2].split(", ")
        before = dict(zip(arguments[1:], arguments, strict=False)).get(stray[0], "").removeprefix("--no-")
        before = before.removeprefix("--").replace("-", "_")
        if before in switches(kind):
            flag = before.replace("_", "-")
            return f"--{flag} takes no value: give --{flag} or --no-{flag}, without {stray[0]}"
        file = "--path" in known and "--path" not in given and len(stray) == 1
        if file and stray == ["-"]:
            return (
                "training cannot read standard input, -, twice: save it to a file, and name that with --path"
            )
        return (
            f"{stray[0]} is given without a flag: did you mean --path {stray[0]}?"
            if file
            else stray_text(stray)
        )
    said = []
    for flag in unknown:
        near = similar(flag, known, 1, 0.7)
        rest = f": did you mean {near[0]}?" if near else ""
        if flag in flags(DataConfig) and "--clusters" in known:
            rest = " for this experiment: gmvae train data has it"
        said.append(f"there is no {flag}{rest}")
    return "; ".join(said)


def stray_text(stray: Sequence[str]) -> str:
    """The message about arguments that a command does not take."""
    if flags_there := [one for one in stray if one.startswith("-")]:
        return "; ".join(f"there is no {one}" for one in flags_there)
    return f"too many arguments: {', '.join(stray)}"


def one_line(error: BaseException) -> str:
    """An exception as one line for people."""
    if isinstance(error, OSError) and error.strerror:
        return printable(f"{error.filename or 'a file'}: {error.strerror}")
    return printable(" ".join(str(error).split()))
