"""A model is applied to files in another format than its training file."""

from __future__ import annotations

import numpy as np
import pytest
from commands import bad, here

FLAGS = ["--encoding", "cp1252", "--separator", "|", "--decimal", ",", "--thousands", "."]


@pytest.mark.slow
def test_flags_read_a_file_in_another_format(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    y = (rng.normal(size=(60, 2)) + np.repeat([[0.0], [9000.0]], 30, 0)).round(2)
    with open("train.csv", "w", encoding="utf-8") as file:
        file.write("größe,b\n" + "".join(f"{a},{b}\n" for a, b in y))
    other = "".join(f"{a:_}|{b:_}\n".replace(".", ",").replace("_", ".") for a, b in y)
    with open("other.csv", "w", encoding="cp1252") as file:
        file.write("größe|b\n" + other)
    tiny = ["--clusters", 2, "--epochs", 1, "--init", "random", "--hidden-size", 4, "--plot-every", 0]
    assert here("train", "data", "--path", "train.csv", *tiny, "--run-dir", "run").status == 0
    assert "so add --separator '|'" in bad(here("predict", "run", "other.csv"))
    for command in ("predict", "embed"):
        assert here(command, "run", "train.csv", "-o", "ours.csv").status == 0
        assert here(command, "run", "other.csv", *FLAGS, "-o", "theirs.csv").status == 0
        with open("ours.csv") as ours, open("theirs.csv") as theirs:
            assert ours.read() == theirs.read()
    found = [
        here(*command)
        for command in (("describe", "run", "train.csv"), ("describe", "run", "other.csv", *FLAGS))
    ]
    assert found[0].out == found[1].out
    found = [
        here(*command)
        for command in (("evaluate", "run", "train.csv"), ("evaluate", "run", "other.csv", *FLAGS))
    ]
    assert found[0].out == found[1].out
