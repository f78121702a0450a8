"""Files written by version 0.1.0 (``format_2/make.py``) can be read, and give the same results as then."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from commands import bad, contents, here
from pyarrow import csv

import gmvae

FILES = Path(__file__).parent / "format_2"
NAMES = ("table", "images", "posterior")


@pytest.fixture(scope="module")
def answers():
    with np.load(FILES / "answers.npz") as found:
        return dict(found)


def rows(name: str, answers) -> object:
    if name == "table":
        return csv.read_csv(FILES / "table.csv")
    return answers["posterior_X"] if name == "posterior" else answers["images_X"] / 255


@pytest.mark.parametrize("name", NAMES)
def test_a_model_answers_as_it_did(name, answers):
    model = gmvae.load(FILES / f"{name}.safetensors", device="cpu")
    X = rows(name, answers)
    np.testing.assert_allclose(model.predict_proba(X), answers[f"{name}_proba"], atol=1e-6)
    np.testing.assert_allclose(model.transform(X), answers[f"{name}_x"], rtol=1e-6, atol=1e-6)
    y = model.inverse_transform(answers[f"{name}_x"])
    np.testing.assert_allclose(y, answers[f"{name}_y"], rtol=1e-6, atol=1e-6)
    # the noise of the bound is drawn in another way in each version
    assert abs(np.mean(model.score_samples(X)) - answers[f"{name}_score"].mean()) < 1.0


@pytest.mark.parametrize("name", NAMES)
def test_its_onnx_file_answers_so_too(name, answers):
    model = gmvae.load(FILES / f"{name}.safetensors", device="cpu")
    X = rows(name, answers)
    if name == "table":
        X = model.schema_.encode(X)
    session = onnxruntime.InferenceSession(FILES / f"{name}_onnx" / "encoder.onnx")
    given = session.get_inputs()[0]
    kind = np.float64 if "double" in given.type else np.float32
    (proba,) = session.run(["probabilities"], {given.name: X.astype(kind)})
    np.testing.assert_allclose(proba, answers[f"{name}_proba"], atol=1e-4)


def test_predictions_of_the_command_line_are_the_same(answers, tmp_path):
    out = tmp_path / "out.csv"
    assert here("predict", FILES / "table.safetensors", FILES / "table.csv", "-o", out).status == 0
    found = csv.read_csv(out)
    assert found["name"].to_pylist() == [f"row {i}" for i in range(120)]
    proba = np.column_stack([found[f"p{k}"].to_numpy() for k in range(3)])
    np.testing.assert_allclose(proba, answers["table_proba"], atol=1e-6)


@pytest.mark.slow
def test_a_half_done_run_is_drawn(tmp_path):
    folder = shutil.copytree(FILES / "half_done", tmp_path / "run")
    for plot in ("latent", "bound"):
        assert here("plot", plot, folder).status == 0
        assert (folder / "plots" / f"{plot}.png").stat().st_size > 10_000


def test_an_old_half_done_run_is_not_resumed(tmp_path):
    folder = shutil.copytree(FILES / "half_done", tmp_path / "run")
    before = contents(folder)
    assert "written by an older version of gmvae" in bad(here("resume", folder))
    assert contents(folder) == before
