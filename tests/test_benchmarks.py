"""Every benchmark starts: it can import what it needs, and prints its help."""

from __future__ import annotations

import argparse
import importlib
import shlex
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"
COMMANDS = [
    shlex.split(line)[1:]
    for line in (FOLDER / "gpu.sh").read_text().splitlines()
    if line.strip().startswith("python benchmarks/")
]
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("in_jax", "records"))


def status(name: str, monkeypatch) -> object:
    """The exit status of a benchmark's ``main``."""
    monkeypatch.syspath_prepend(FOLDER)
    before = set(sys.modules)
    try:
        with pytest.raises(SystemExit) as stop:
            importlib.import_module(name).main()
    finally:
        for added in {name, "records"} - before:
            sys.modules.pop(added, None)
    return stop.value.code


@pytest.mark.parametrize("name", NAMES)
def test_help(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    assert status(name, monkeypatch) == 0
    assert f"python benchmarks/{name}.py" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_commands_for_gpus_have_valid_flags(command, monkeypatch):
    def parse(parser):
        assert not parser.parse_known_args(command[1:])[1]
        raise SystemExit(0)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    assert status(Path(command[0]).stem, monkeypatch) == 0
