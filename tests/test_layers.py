"""A layer imports only from earlier layers, there are no circular imports, and ``import gmvae`` is fast."""

from __future__ import annotations

import ast
import functools
import importlib
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "gmvae"
LAYERS = (
    ("rules", "progress"),
    ("config",),
    ("experiments",),
    ("data",),
    ("partition",),
    ("model",),
    ("training",),
    ("start",),
    ("assess",),
    ("fit",),
    ("store",),
    ("show",),
    ("inputs",),
    ("run",),
    ("estimator",),
    ("apply",),
    ("cli",),
    ("__main__",),
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path, *, typing: bool = True) -> set[str]:
    """The package's files that a file imports, anywhere in it; with or without imports for type checkers
    only."""
    tree, skipped = parsed(path), set()
    if not typing:
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.If)
                and isinstance(node.test, ast.Name)
                and node.test.id == "TYPE_CHECKING"
            ):
                skipped |= {id(inner) for inner in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gmvae":
            home = node.module.removeprefix("gmvae").removeprefix(".")
            for alias in node.names:
                inner = f"{home}.{alias.name}".removeprefix(".")
                found |= {inner if inner in FILES else home} & FILES.keys()
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("gmvae.") for alias in node.names} & FILES.keys()
    return found


def test_every_file_has_a_layer():
    assert {name.split(".")[0] for name in FILES} == LAYER.keys()


def test_every_file_can_be_imported():
    for name in FILES.keys() - {"__main__"}:  # which only calls the command line
        importlib.import_module(f"gmvae.{name.removesuffix('.__init__')}")


def test_the_root_holds_six_modules_at_most():
    root = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert len(root) <= 6, root


@pytest.mark.parametrize("name", FILES)
def test_imports_go_down(name):
    layer = name.split(".")[0]
    upward = {
        other for other in imports(FILES[name], typing=False) if LAYER[other.split(".")[0]] > LAYER[layer]
    }
    assert not upward, f"{name} imports {upward} from a layer above"


@pytest.mark.slow
def test_no_files_import_each_other_in_a_circle():
    left = {name: imports(path) - {name} for name, path in FILES.items()}
    while left:
        free = {name for name, needed in left.items() if not needed & left.keys()}
        assert free, f"in a circle, or above one: {sorted(left)}"
        left = {name: needed for name, needed in left.items() if name not in free}


def test_clusters_as_arrays_need_no_torch():
    for path in (PACKAGE / "partition").glob("*.py"):
        assert "torch" not in {
            alias.name for node in ast.walk(parsed(path)) if isinstance(node, ast.Import)
            for alias in node.names
        }, path  # fmt: skip


def test_figures_and_data_never_touch_the_model():
    for name, path in FILES.items():
        if name.startswith("data.") or name == "show.figures":
            assert not {other for other in imports(path) if other.startswith("model.")}, name


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith("__init__")])
def test_each_folder_says_what_lives_there(name):
    assert ast.get_docstring(parsed(FILES[name]))


def test_importing_the_package_imports_no_torch():
    code = "import sys, gmvae, gmvae.cli; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_a_fit_loads_neither_matplotlib_nor_the_compiler():
    code = (
        "import sys, numpy as np; from gmvae import GMVAE\n"
        "GMVAE(2, epochs=1).fit(np.random.default_rng(0).normal(size=(50, 2)))\n"
        "sys.exit(bool({'matplotlib', 'bokeh', 'torch._dynamo'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_public_name_can_be_imported():
    import gmvae

    for name in gmvae.__all__:
        assert getattr(gmvae, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        gmvae.nothing  # noqa: B018


@functools.cache
def callers() -> dict[str, set[str]]:
    """The files in which a function, a method or a class of this name is called."""
    found = defaultdict(set)
    for file, path in FILES.items():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                found[name].add(file)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("backward", "training.loop"),  # the loop
        ("Trainer", "fit.restart"),  # what builds it
        ("choose_start", "fit.restart"),  # what begins a start
        ("begin_start", "fit.restart"),
        ("choose_clusters", "fit.engine"),  # what chooses K
        ("choose_epochs", "fit.engine"),
        ("diagnose", "fit.result"),  # what asks the doctor
    ],
)
def test_each_task_is_done_in_one_place(name, place):
    written_out = {file for file in callers()[name] if file.startswith("training.fast.")}  # without autograd
    assert callers()[name]
    assert callers()[name] - written_out <= {place}


def test_modules_have_400_lines_at_most():
    lengths = {name: len(path.read_text().splitlines()) for name, path in FILES.items()}
    assert not {name: length for name, length in lengths.items() if length > 400}
