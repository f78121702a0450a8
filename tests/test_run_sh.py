"""run.sh: from any folder, once, with the original's commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHORT = ["--epochs", "2", "--points", "300", "--plot-every", "0"]


def run_sh(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "run.sh"), *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=900, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """A new environment that sees the packages of the tests' environment, so nothing is downloaded."""
    home = tmp_path_factory.mktemp("env")
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", str(home)], check=True)
    inner = Path(next(home.glob("lib/python*/site-packages")))
    (inner / "outer.pth").write_text(next(p for p in sys.path if p.endswith("site-packages")) + "\n")
    return {"GMVAE_PYTHON": str(home / "bin" / "python")}


@pytest.mark.slow
def test_it_installs_once_and_works_from_any_folder(tmp_path, environment):
    first = run_sh("spiral", *SHORT, cwd=tmp_path, **environment)
    assert first.returncode == 0, first.stderr
    assert "installing gmvae" in first.stderr
    second = run_sh("spiral", "-cvWeight", "0.0", "-zPriorWeight", "0.0", "-_id", "off", *SHORT,
                    cwd=tmp_path, **environment)  # fmt: skip
    assert second.returncode == 0, second.stderr
    assert second.stderr == ""
    config = json.loads((tmp_path / "runs" / "off" / "config.json").read_text())["config"]
    assert (config["objective"]["cv_weight"], config["objective"]["z_prior_weight"]) == (0, 0)
    assert len(list((tmp_path / "runs").iterdir())) == 2
    plotted = run_sh("gmvae", "plot", "bound", "runs/off", cwd=tmp_path, **environment)
    assert plotted.stdout.strip() == "runs/off/plots/bound.png"


@pytest.mark.slow
def test_it_trains_on_images_and_measures_them(tmp_path, environment, mnist_dir):
    environment = {**environment, "GMVAE_DATA_DIR": str(mnist_dir.parent)}
    flags = ["-epoch", "1", "-hiddenSize", "100", "-gpu", "0", "-_id", "digits", "--epoch-size", "500"]
    trained = run_sh("mnist_fc", *flags, cwd=tmp_path, **environment)
    assert trained.returncode == 0, trained.stderr
    assert "mnist: 60,000 observations and 10,000 held out of shape (1, 28, 28)" in trained.stdout
    folder = tmp_path / "runs" / "digits"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["samples_per_second"] * summary["seconds"] == pytest.approx(500)
    assert summary["test_acc"] > 0.1
    assert (folder / "plots" / "samples.png").exists()
    evaluated = run_sh("gmvae", "evaluate", "runs/digits", cwd=tmp_path, **environment)
    assert evaluated.stderr == ""
    assert json.loads(evaluated.stdout)["test_acc"] == summary["test_acc"]


def test_bad_calls_give_one_line_and_status_2(tmp_path):
    missing = run_sh("spiral", cwd=tmp_path, GMVAE_PYTHON="/nowhere/python")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
    assert "GMVAE_PYTHON is /nowhere/python" in missing.stderr
    nothing = run_sh(cwd=tmp_path)
    assert nothing.returncode == 2
    assert "usage: ./run.sh EXPERIMENT" in nothing.stdout
