"""Code in the documentation runs as it is printed, from the top of a page to its end."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from argparse import ArgumentParser
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Without(MetaPathFinder, Loader):
    """Makes the import of a package fail, as if it were not installed."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, fullname, path=None, target=None):
        return ModuleSpec(fullname, self) if fullname.partition(".")[0] == self.name else None

    def exec_module(self, module):
        raise ModuleNotFoundError(f"No module named {module.__name__!r}", name=module.__name__)


def forget(monkeypatch, name: str) -> None:
    """Hide a package from this process."""
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Without(name), *sys.meta_path])


def packages() -> set[str]:
    """The packages that `pip install .` installs, by their import names."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]
    named = {re.split(r"[<>=]", line)[0] for line in project["dependencies"]}
    return {{"scikit-learn": "sklearn", "pillow": "PIL"}.get(name, name) for name in named}


@pytest.mark.parametrize(
    "page", [*sorted(DOCS.rglob("*.md")), DOCS.parent / "README.md"], ids=lambda p: p.name
)
def test_pages_say_which_packages_their_code_needs(page):
    text = page.read_text()
    for language, block in BLOCK.findall(text):
        if language == "python":
            for found in re.findall(r"^(?:from|import) (\w+)", block, re.MULTILINE):
                known = found in packages() | sys.stdlib_module_names | {"gmvae"}
                assert known or re.search(rf"pip install [^`]*{found.removesuffix('runtime')}", text), found
            assert "as_frame" not in block or "pip install pandas" in text


PAGES = [*sorted(DOCS.rglob("*.md")), DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md"]


def anchors(page: Path) -> set[str]:
    """The names that the headings of a page can be linked by."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_hyperlinks_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


@pytest.mark.parametrize("page", [DOCS / "architecture.md", DOCS.parent / "README.md"], ids=lambda p: p.name)
def test_files_and_names_in_them_exist(page):
    """The paths on a page, and each ``name`` in ``path.py``."""
    text, package = " ".join(page.read_text().split()), DOCS.parent / "gmvae"

    def place(path: str) -> Path:
        return DOCS.parent / path if path.startswith(("docs/", "gmvae/", "tests/")) else package / path

    paths = set(re.findall(r"`((?:\w+/)*(?:\w+\.py|\w+/))`", text))
    lost = [path for path in paths if not place(path).exists() and not any(package.rglob(path.strip("/")))]
    assert len(paths) > 4
    assert not lost
    for names, path in re.findall(r"((?:`\w+`(?:, | and | or )?)+) in `([\w/]+\.py)`", text):
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^ *(class |def )?{name}\b", place(path).read_text(), re.MULTILINE), (
                name,
                path,
            )


@pytest.mark.slow
def test_every_attribute_of_a_fit_is_described():
    from gmvae import GMVAE

    y = np.random.RandomState(0).randn(30, 2)
    model = GMVAE(2, hidden_size=4, x_size=2, w_size=2, epochs=1, init="random", random_state=0).fit(y)
    names = {name for name in dir(model) if re.fullmatch(r"[a-z]\w*[a-z]_", name)}
    names -= {"signs_"}  # an earlier name
    assert {"labels_", "means_", "start_"} <= names
    listed = GMVAE.__doc__.partition("Attributes:")[2]
    assert not {name for name in names if not re.search(rf"^ {{8}}(\w+, )*{name}\b", listed, re.MULTILINE)}
    page = (DOCS / "estimator.md").read_text()
    assert not {name for name in names if not re.search(rf"^\| .*`{name}`.* \|", page, re.MULTILINE)}


@pytest.mark.parametrize(
    "page", [*sorted(DOCS.rglob("*.md")), *sorted(DOCS.parent.glob("*.md"))], ids=lambda p: p.name
)
def test_lines_and_cells_are_short_and_code_has_a_language(page):
    if page.name == "cli.md":  # made from the help texts
        return
    text = page.read_text()
    blocks = re.findall(r"^(?:```|~~~)(.*)$", text, re.MULTILINE)
    assert all(blocks[::2])
    prose = re.sub(r"^(```|\$\$).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    for line in prose.splitlines():
        cells = re.split(r"(?<!\\)\|", re.sub(r"\]\([^)]*\)", "]", line)) if line.startswith("|") else [line]
        assert not [cell for cell in cells if len(cell.strip()) > 120]
        assert not line.startswith("|") or line.endswith("|")


def test_the_readme_is_short():
    assert len((DOCS.parent / "README.md").read_text().splitlines()) <= 120


EVERY_PAGE = sorted(
    str(path.relative_to(DOCS.parent)) for path in (DOCS.parent / "README.md", *DOCS.rglob("*.md"))
)
WITH_BLOCKS = [page for page in EVERY_PAGE if BLOCK.search((DOCS.parent / page).read_text())]


def write_files(page: str) -> None:
    """The files that the commands of some pages take."""
    rng = np.random.default_rng(0)
    rows = 4 * rng.normal(size=(12, 3))[rng.integers(12, size=240)] + rng.normal(size=(240, 3))
    table = pa.table(dict(zip("abc", rows.T, strict=True)))
    if page == "README.md":
        parquet.write_table(table, "cells.parquet")
        csv.write_csv(table[:20], "new.csv")
    if page == "docs/scale.md":
        Path("events").mkdir()
        for i in range(4):
            parquet.write_table(table[60 * i : 60 * i + 60], f"events/part-{i}.parquet")
        parquet.write_table(table[:100], "new.parquet")


S3 = """
import fsspec
from fsspec.implementations.dirfs import DirFileSystem


class Buckets(DirFileSystem):
    protocol = "s3"

    def __init__(self, **options):
        super().__init__({folder!r}, fsspec.filesystem("file"), **options)


fsspec.register_implementation("s3", Buckets, clobber=True)
"""
"""What Python runs at its start, to have ``s3://`` addresses of files in a folder."""


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_BLOCKS)
def test_code_blocks_run(page, monkeypatch, tmp_path, request):
    monkeypatch.chdir(tmp_path)
    text = (DOCS.parent / page).read_text()
    write_files(page)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(DOCS.parent)]),
    }
    if "s3://bucket" in text:
        Path("sitecustomize.py").write_text(S3.format(folder=str(tmp_path)))
        Path("bucket").symlink_to(".")
    if page == "docs/scale.md":  # else 240 rows would have a long start and 400 epochs
        text = text.replace("train data", "train data --init random --epochs 4")
    if "curl -L -o cells.h5ad" in text:  # here from a local copy
        shutil.copy(request.getfixturevalue("cells_file"), "cells.h5ad")
    if "pip install pandas" not in text:
        forget(monkeypatch, "pandas")
    blocks = list(BLOCK.finditer(text))
    assert blocks
    names: dict[str, object] = {}
    for match in blocks:
        language, block = match.groups()
        if language == "python":
            code = compile("\n" * text[: match.start(2)].count("\n") + block, str(DOCS.parent / page), "exec")
            exec(code, names)
        else:
            said = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block],
                env=environment, capture_output=True, text=True, timeout=600,
            )  # fmt: skip
            assert said.returncode == 0, said.stderr


COMMAND = re.compile(r"(?:^|(?<=  ))(gmvae|\./run\.sh|python benchmarks/\w+\.py)((?: (?![#(])\S+)*)")


def long_commands() -> list[tuple[str, str, str]]:
    """The commands in indented blocks, which take hours or do not end: the page, the program and the rest."""
    found = []
    for page in EVERY_PAGE:
        text = re.sub(r"^```.*?^```$", "", (DOCS.parent / page).read_text(), flags=re.MULTILINE | re.DOTALL)
        for line in re.findall(r"^ {4}(.*)$", re.sub(r"\\\n +", "", text), re.MULTILINE):
            found += [(page, *command.groups()) for command in COMMAND.finditer(line)]
    return found


class Parsed(Exception):  # noqa: N818
    """Raised in place of the work of a command."""


@pytest.mark.slow
@pytest.mark.parametrize(("page", "program", "rest"), long_commands())
def test_flags_of_long_commands_are_known(page, program, rest, monkeypatch):
    """Each command is called up to where its work begins."""
    from gmvae.cli import app, original

    def stop(*_: object, **__: object) -> None:
        raise Parsed

    words = shlex.split(re.sub(r"[][]", "", rest))
    if program.startswith("python"):
        path = DOCS.parent / program.split()[1]
        monkeypatch.syspath_prepend(path.parent)
        monkeypatch.setattr(sys, "argv", [str(path), *words])
        known = ArgumentParser.parse_args
        monkeypatch.setattr(ArgumentParser, "parse_args", lambda parser: stop(known(parser)))
        with pytest.raises(Parsed):
            runpy.run_path(str(path), run_name="__main__")
        return
    monkeypatch.setattr(app, "check_data", stop)
    monkeypatch.setattr(app, "check_applied", stop)
    with pytest.raises(Parsed):
        (app.main if program == "gmvae" else original.main)(words)


def test_long_commands_are_found():
    found = long_commands()
    assert len(found) > 45
    assert ("docs/runs.md", "gmvae", " watch runs") in found
    assert ("docs/mnist.md", "./run.sh", " fashion_mnist") in found
