"""Every benchmark starts: it can import what it needs, and prints its help."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("in_jax", "records"))


@pytest.mark.parametrize("name", NAMES)
def test_help(name, monkeypatch, capsys):
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    before = set(sys.modules)
    try:
        with pytest.raises(SystemExit) as stop:
            importlib.import_module(name).main()
    finally:
        for added in {name, "records"} - before:
            sys.modules.pop(added, None)
    assert stop.value.code == 0
    assert f"python benchmarks/{name}.py" in capsys.readouterr().out
