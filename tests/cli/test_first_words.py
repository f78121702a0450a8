"""What the command line reports at once: all problems of a file, and suggestions for unknown names."""

from __future__ import annotations

import re
import subprocess
import sys

import anndata
import docstring_parser
import numpy as np
import pandas as pd
import pytest
import tyro
from commands import bad, here

from gmvae import GMVAE
from gmvae.cli.answers import Describe, Embed, Predict, Sample
from gmvae.cli.app import main
from gmvae.cli.wording import STANDARD_INPUT, in_shell

UNTIDY = "id,a,t,d,b\n" + "".join(
    f"{i},{'' if i % 7 == 3 else i / 2},{'xy'[i % 2]},2020-01-{i % 28 + 1:02d},{i % 5}\n" for i in range(50)
)


def test_all_problems_of_a_file_are_reported_at_once(tmp_path):
    (tmp_path / "t.csv").write_text(UNTIDY)
    said = bad(here("train", "data", "--path", tmp_path / "t.csv", "--id-column", "id"))
    assert "dates or times in d ('2020-01-01'); make numbers of them, such as days, or leave them out" in said
    assert "columns of text: t; make 0/1 features of them with --text one-hot" in said
    assert "missing values in 7 of 50 rows, first in row 3 counted from 0, in columns a (7)" in said
    assert "different text" not in said
    mended = ["--drop", "d", "--text", "one-hot", "--missing", "impute"]
    tiny = ["--clusters", "2", "--epochs", "1", "--hidden-size", "4", "--init", "random", "--plot-every", "0"]
    given = ["--path", tmp_path / "t.csv", "--id-column", "id", "--run-dir", tmp_path / "run"]
    assert here("train", "data", *given, *mended, *tiny).status == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["train", "data", "--path", "none.csv"],
        ["train", "data", "--path", "t.csv"],
        ["train", "data", "--path", "gap.csv", "--text", "one-hot"],
        ["train", "data", "--path", "t.parquet"],
        ["train", "data", "--path", "gap.npy"],
        ["train", "data", "--path", "date.npy"],
        ["train", "data", "--path", "bad.h5ad"],
        ["train", "data", "--path", "gap.h5ad"],
        ["train", "data", "--path", "good.h5ad", "--layer", "text"],
        ["train", "data", "--path", "good.h5ad", "--layer", "count"],
        ["train", "data", "--path", "good.h5ad", "--label-column", "kinds"],
        ["predict", "nowhere"],
        ["predict", ".", "none.csv"],
        ["report", ".", "none.csv"],
    ],
)
def test_problems_of_a_file_are_reported_without_slow_imports(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(UNTIDY)
    (tmp_path / "gap.csv").write_text("a,t\n1,x\n,y\n3,x\n")
    pd.read_csv(tmp_path / "t.csv").to_parquet(tmp_path / "t.parquet")
    np.save(tmp_path / "gap.npy", [[1.0, np.nan], [2.0, 3.0]])
    np.save(tmp_path / "date.npy", np.array([["2020-01-01"]], "M8[D]"))
    (tmp_path / "bad.h5ad").write_text("nothing")
    layers = {"counts": np.ones((4, 2)), "text": np.full((4, 2), "a")}
    anndata.AnnData(np.ones((4, 2)), layers=layers).write_h5ad(tmp_path / "good.h5ad")
    anndata.AnnData(np.array([[1.0, np.nan], [2.0, 3.0]])).write_h5ad(tmp_path / "gap.h5ad")
    code = (
        "import sys; from gmvae.cli.app import main; "
        f"status = main({words!r}); "
        "print(status, *{'torch', 'sklearn', 'scipy', 'pandas', 'anndata', 'typeguard'} & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert said.stdout == "2\n"
    assert said.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--version"], ["train", "data", "--help"]])
def test_help_needs_no_slow_imports(words):
    code = (
        "import atexit, sys; from gmvae.cli.app import main; "
        "atexit.register(lambda: print({'torch', 'numpy', 'pyarrow', 'typeguard'} & {*sys.modules})); "
        f"main({words!r})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert said.stdout.endswith("\nset()\n")


def test_descriptions_of_flags_are_read_for_help_only(monkeypatch, capsys):
    tyro._docstrings.parse_docstring_from_object.cache_clear()
    read, parse = [], docstring_parser.parse_from_object
    monkeypatch.setattr(docstring_parser, "parse_from_object", lambda obj: read.append(obj) or parse(obj))
    assert "--pats: did you mean --path?" in bad(here("train", "svhn", "--pats", "x"))
    assert not read
    with pytest.raises(SystemExit):
        main(["train", "svhn", "--help"])
    assert read
    assert "Number of clusters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian", "data"], "command is 'trian': did you mean train?"),
        (["prdict", "run"], "command is 'prdict': did you mean predict?"),
        (["spiral"], "command is 'spiral': try gmvae train spiral"),
        (["cluster"], "command is 'cluster': it must be one of train, resume, "),
        (["train", "spirel"], "experiment is 'spirel': did you mean spiral?"),
        (
            ["train", "cells.csv"],
            "cells.csv is no experiment: did you mean gmvae train data --path cells.csv?",
        ),
        (["train", "cells"], "experiment is 'cells': it must be one of data, spiral, "),
        (["train", "Spiral"], "experiment is 'Spiral': did you mean spiral?"),
        (["train", "data", "a.csv"], "a.csv is given without a flag: did you mean --path a.csv?"),
        (
            ["train", "data", "--seed", 3, "a.csv"],
            "a.csv is given without a flag: did you mean --path a.csv?",
        ),
        (
            ["train", "mnist", "--drop", "a"],
            "there is no --drop for this experiment: gmvae train data has it",
        ),
        (["train", "data", "--path", "a.csv", "b.csv"], "gmvae: too many arguments: b.csv ("),
        (["train", "data", "-o", "x"], "gmvae: there is no -o ("),
        (["train", "data", "--path"], "gmvae: --path needs a value ("),
        (
            ["train", "data", "--stream", "yes"],
            "--stream takes no value: give --stream or --no-stream, without",
        ),
        (["predict", "run", "--out"], "gmvae: --out needs a value ("),
        (["predict", "--pout", "run"], "gmvae: there is no --pout: did you mean --out? ("),
        (["watch", "--port", "x"], "gmvae: --port is 'x': it must be a whole number ("),
        (["plot"], "gmvae: gmvae plot needs PLOT: one of latent, recon, samples, styles, bound, terms, cons"),
    ],
)
def test_unknown_commands_and_experiments_get_suggestions(words, said):
    assert said in bad(here(*words))


def test_help_wraps_descriptions_at_the_width_of_the_box(capsys):
    with pytest.raises(SystemExit):
        main(["train", "data", "--help"])
    help_text = capsys.readouterr().out
    assert "(standard); by median and quartiles, with far" in help_text
    assert "median and\n" not in help_text


def test_your_own_data_come_first():
    first = here("train", "--help").out.split("\n\n")[1].splitlines()[0]
    assert first.split()[:4] == ["data", "your", "own", "data:"]


def test_help_is_a_command_too(capsys):
    def printed(*words: str) -> str:
        with pytest.raises(SystemExit):
            main(list(words))
        return capsys.readouterr().out

    assert printed("help", "predict") == printed("predict", "--help") != ""
    assert printed("help", "data") == printed("train", "data", "--help") != ""
    images, table = printed("help", "mnist"), printed("help", "data")
    for flag in ("--drop", "--decimal", "--text", "--layer", "--weight-column"):
        assert flag in table
        assert flag not in images
    assert "--path" in images
    assert here("help").out == here("--help").out


@pytest.mark.slow
def test_auto_leaves_a_setting_open(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i % 9},{i * i % 7}\n" for i in range(40)))
    flags = ["--path", tmp_path / "t.csv", "--hidden-size", "4", "--init", "random", "--plot-every", "0"]
    said = here(
        "train", "data", *flags, "--clusters", "auto", "--max-clusters=3", "--epochs=1", "--rounds", "auto",
        "--run-dir", tmp_path / "run",
    )  # fmt: skip
    assert said.status == 0, said.err
    assert "clusters" in said.out
    assert "--batch-size" in bad(here("train", "data", *flags, "--batch-size", "auto"))


def test_unknown_flags_get_suggestions():
    said = bad(here("train", "spiral", "--cluster", 3, "--epoch=2"))
    assert (
        "there is no --cluster: did you mean --clusters?; there is no --epoch: did you mean --epochs?" in said
    )
    assert "there is no --keep-colums: did you mean --keep-columns?" in bad(
        here("predict", "run", "--keep-colums")
    )
    assert "there is no --zzz (gmvae" in bad(here("predict", "run", "--zzz", "--no-scores"))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        (
            "scale",
            "rob",
            "did you mean robust? It can also be one of auto, standard, log, unit, common, none",
        ),
        ("likelihood", "gausian", "did you mean gaussian? It can also be one of auto, bernoulli"),
        ("init", "manifld", "did you mean manifold? It can also be one of auto, random, kmeans, candidates"),
        ("text", "onehot", "did you mean one-hot? It can also be error"),
        ("network", "deep", "it must be one of auto, fc, compact, conv, svhn"),
        ("clusters", "three", "it must be a whole number"),
        ("epochs", "ten", "it must be a whole number"),
    ],
)
def test_unknown_values_get_suggestions_in_the_shell_and_in_python(name, given, said):
    assert f"--{name} is '{given}': {said}" in bad(here("train", "data", f"--{name}", given))
    parameter = "n_clusters" if name == "clusters" else name
    with pytest.raises(ValueError, match=re.escape(f"{parameter} is '{given}': {said}")) as error:
        GMVAE(**{parameter: given}).fit([[0.0], [1.0], [2.0]])
    if "number" in said:
        assert str(error.value).endswith(", or 'auto'")
        assert ", or auto (" in bad(here("train", "data", f"--{name}", given))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "path is empty: it must be a file or a folder"),
        ("-", "path is '-', standard input, which training cannot read twice: save it to a file first"),
    ],
)
def test_training_needs_a_file(path, said):
    assert said in bad(here("train", "data", "--path", path))
    assert said in bad(here("train", "data", f"--path={path}"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["train", "data", "--path", "a.csv", "--learning-rate", -1],
            "--learning-rate is -1.0: it must be a",
        ),
        (
            ["train", "data", "--path", "a.csv", "--clusters", -1],
            "--clusters is -1: it must be a whole number",
        ),
        (
            ["train", "data", "--path", "a.csv", "--separator", "ab"],
            "--separator is 'ab': it must be one char",
        ),
        (
            ["train", "data", "--path", "a.csv", "--thousands", ".", "--decimal", "."],
            "--thousands is '.', as",
        ),
        (["train", "data"], "--path is not given: it must be a file or a folder of data"),
        (["train", "data", "--drop", "x"], "--drop is ('x',) without a path"),
        (["evaluate", "run", "--samples", -1], "--samples is -1: it must be a whole number"),
        (["watch", "--port", 70000], "--port is 70000: it must be a whole number"),
        (["plot", "latnt"], "plot is 'latnt': did you mean latent?"),
        (["evaluate", "run", "-"], "FILE is -, standard input, which only predict, embed and describe read"),
    ],
)
def test_errors_name_flags(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "run").mkdir()
    assert bad(here(*words)).startswith(f"gmvae: {said}")


@pytest.mark.parametrize("command", [Predict, Embed, Describe])
def test_errors_about_standard_input_do_not_name_a_file(command, tmp_path, monkeypatch):
    def refuse(self):
        raise ValueError(f"{tmp_path / STANDARD_INPUT} has no column b")

    monkeypatch.setattr(command, "__call__", refuse)
    assert bad(here(command.__name__.lower(), tmp_path, "-")) == "gmvae: standard input has no column b\n"


def test_errors_of_python_name_parameters():
    with pytest.raises(ValueError, match="learning_rate is -1: it must be"):
        GMVAE(learning_rate=-1).fit(np.zeros((3, 2)))
    text = "n_samples is 0: x; and cluster is 9: y, or device is 'z', but the likelihood auto is gaussian"
    assert in_shell(text, Sample) == text.replace("n_samples", "--count").replace("and cl", "and --cl")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["train", "data", "--path", "plain.cvs"],
            "plain.cvs: No such file or directory: did you mean plain.csv?",
        ),
        (
            ["train", "data", "--path", "PLAIN.CSV"],
            "PLAIN.CSV: No such file or directory: did you mean plain.csv?",
        ),
        (["train", "data", "--path", "zzz.csv"], "zzz.csv: No such file or directory\n"),
        (["train", "data", "--path", "no/plain.csv"], "no/plain.csv: No such file or directory\n"),
        (["predict", "run", "plan.csv"], "plan.csv: No such file or directory: did you mean plain.csv?"),
        (["predict", "runs", "plain.csv"], "runs does not exist: did you mean run?"),
        (
            ["evaluate", "run", "plain.csv", "--labels-path", "labels.np"],
            "labels.np: No such file or directory: did",
        ),
        (
            ["train", "data", "--path", "plain.csv", "--labels-path", "label.npy"],
            "label.npy: No such file or directory: did you mean labels.npy?",
        ),
        (["relabel", "run", "edit.json"], "edit.json: No such file or directory: did you mean edits.json?"),
    ],
)
def test_files_that_are_not_there_get_suggestions(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("plain.csv", "labels.npy", "edits.json"):
        (tmp_path / name).write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "run").mkdir()
    assert bad(here(*words)).startswith(f"gmvae: {said}")


def test_unknown_values_of_commands_get_suggestions():
    assert "--outliers is 'lable': did you mean label? It can also be keep" in bad(
        here("predict", "run", "--outliers", "lable")
    )
    assert "plot is 'latnt': did you mean latent? It can also be one of recon, samples, styles" in bad(
        here("plot", "latnt", "run")
    )
    assert "--learning-rate is 'fast': it must be a number, or auto (" in bad(
        here("train", "spiral", "--learning-rate", "fast")
    )
