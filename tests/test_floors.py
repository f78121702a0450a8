"""A file imports only from floors below its own; ``import gmvae`` is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "gmvae"

FLOORS = (
    ("distances", "noise"),
    (
        "adversarial",
        "communities",
        "config",
        "distributions",
        "isolation",
        "metrics",
        "networks",
        "optimisers",
        "random_stream",
        "shares",
        "views",
        "weights",
        "data",
    ),
    ("model", "manifold"),
    ("objective", "files", "stability"),
    ("training", "output"),
    ("evaluation", "guidance"),
    ("teaching",),
    ("embedding",),
    ("rounds",),
    ("snapshot", "judging", "start", "choosing", "signs"),
    ("holdout",),
    ("plots", "doctor", "settle", "watching"),
    ("fitting", "model_file", "pictures", "measuring"),
    ("estimator", "card"),
    ("experiments", "live", "run", "apply", "export", "selection"),
    ("progress",),
    ("commands",),
    ("cli",),
    ("original", "__main__"),
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def imports(path: Path) -> set[str]:
    """The package's files that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gmvae":
            _, *rest = node.module.split(".")
            found |= {rest[0]} if rest else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("gmvae.")}
    return found & set(FLOOR)


def test_every_file_has_a_floor():
    files = {path.stem for path in PACKAGE.glob("*.py")} | {"data"}
    assert files - {"__init__"} == set(FLOOR)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_imports_go_down(path):
    if path.stem != "__init__":
        upward = {name for name in imports(path) if FLOOR[name] >= FLOOR[path.stem]}
        assert not upward, f"{path.name} imports {upward} from its own floor or above"


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("data/*.py")), ids=lambda path: path.stem)
def test_data_know_nothing_else(path):
    assert imports(path) <= {"data"}


def test_plots_and_data_never_touch_the_model():
    assert "model" not in imports(PACKAGE / "plots.py")


def test_importing_the_package_imports_no_torch():
    code = "import sys, gmvae, gmvae.cli; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_name_is_handed_on():
    import gmvae

    for name in gmvae.__all__:
        assert getattr(gmvae, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        gmvae.nothing  # noqa: B018
