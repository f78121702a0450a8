"""Reports of runs: the command that writes them, and what repeats a run."""

import json
import re
import shlex

import numpy as np
import pytest
from commands import bad, here, records
from pages import Text
from small_fits import quick, three_blobs

from gmvae.cli.report import repeat
from gmvae.run import Run


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A run on a table with ids, labels and texts that mean something in HTML."""
    folder = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    kind = rng.integers(2, size=80)
    lines = ["id,a,b,colour,kind"]
    for i, k in enumerate(kind):
        a, b = rng.normal(size=2) + np.array([6 * k, 0])
        lines.append(f"n{i},{a:.6f},{b:.6f},{('<i>red', 'blue & co')[k]},{'xy'[k]}")
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    said = here(
        "train", "data", "--path", folder / "t.csv", "--clusters", "2", "--epochs", "3", "--text", "one-hot",
        "--id-column", "id", "--label-column", "kind", "--run-dir", folder / "run",
    )  # fmt: skip
    assert said.status == 0, said.err
    return folder


@pytest.mark.slow
def test_a_run_on_a_table(table):
    said = here("report", table / "run", "-o", table / "r.html")
    assert (said.status, said.out.strip()) == (0, str(table / "r.html"))
    html = (table / "r.html").read_text()
    words = Text(html).words
    for text in ("t.csv", "n7", "colour", "gmvae train data", "--clusters 2", "--label-column kind"):
        assert text in words
    known = json.loads(re.search(r'id="page-data">(.*?)</script>', html)[1])
    assert known["classes"] == ["x", "y"]
    assert known["ids"] == [f"n{i}" for i in range(80)]
    assert [c["name"] for c in known["columns"]] == ["a", "b", "colour"]
    assert known["columns"][2]["texts"] == ["<i>red", "blue & co"]
    assert "<i>red" not in html.replace(json.dumps(known), "")


@pytest.mark.slow
def test_a_model_on_another_file(table):
    lines = (table / "t.csv").read_text().splitlines()
    (table / "other.csv").write_text("\n".join(lines[:31]) + "\n")
    said = here("report", table / "run" / "model.safetensors", table / "other.csv", "-o", table / "o.html")
    assert said.status == 0, said.err
    assert "in 30 rows" in Text((table / "o.html").read_text()).words


@pytest.mark.slow
def test_what_a_report_is_written_to(table):
    assert "must end in .html" in bad(here("report", table / "run", "-o", table / "r.txt"))
    assert "holds no run" in bad(here("report", table, "-o", table / "r.html"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ["spiral", "--epochs=1", "--points=300", "--optimiser=sign"],
        ["data", "--clusters=2", "--epochs=2", "--text=one-hot", "--drop", "a", "id", "--scale=none"],
    ],
)
def test_the_command_to_repeat_a_run_is_the_one_that_made_it(table, tmp_path, flags):
    given = [*flags, "--path", table / "t.csv"] if flags[0] == "data" else flags
    assert here("train", *given, "--run-dir", tmp_path / "run").status == 0
    run = Run.open(tmp_path / "run")
    (command,) = repeat(run)
    again = shlex.split(command)
    assert again[:3] == ["gmvae", "train", flags[0]]
    assert here(*again[1:], "--run-dir", tmp_path / "again").status == 0
    assert Run.open(tmp_path / "again").config.training == run.config.training
    for name in ("model", "objective", "data"):
        assert getattr(Run.open(tmp_path / "again").config, name) == getattr(run.config, name)
    assert records(tmp_path / "again")[-1]["loss"] == records(tmp_path / "run")[-1]["loss"]


@pytest.mark.slow
def test_a_fit_in_python_is_repeated_in_python(tmp_path):
    y, _ = three_blobs()
    quick(run_dir=tmp_path / "run").fit(y)
    lines = repeat(Run.open(tmp_path / "run"))
    assert lines[0] == "from gmvae import GMVAE"
    assert "n_clusters=3" in lines[1]
    assert "random_state=0" in lines[1]
    assert "run_dir" not in lines[1]


@pytest.mark.slow
def test_a_run_without_a_model_file(table, tmp_path):
    flags = ["--clusters=2", "--epochs=2", "--drop", "id", "--text=one-hot", "--no-save-model"]
    said = here("train", "data", "--path", table / "t.csv", *flags, "--run-dir", tmp_path / "run")
    assert said.status == 0, said.err
    assert here("report", tmp_path / "run", "-o", tmp_path / "r.html").status == 0
    assert "clusters in 80 rows" in Text((tmp_path / "r.html").read_text()).words
