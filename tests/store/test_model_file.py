"""The model file is the whole model; a bad one gives one line that names it, and no code is run."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from commands import bad, here
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.datasets import load_wine

import gmvae
from gmvae import GMVAE
from gmvae.data.scales.scaling import dividing
from gmvae.data.schema import Schema
from gmvae.data.sets.images import mnist
from gmvae.data.sets.spiral import spiral
from gmvae.store.files import checksum, read_tensors, write_tensors
from gmvae.store.model_file import ModelFile

QUICK = {
    "hidden_size": 32,
    "x_size": 2,
    "w_size": 2,
    "epochs": 5,
    "init": "kmeans",
    "random_state": 0,
    "threads": 1,
}


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.fixture(scope="module")
def wine() -> pd.DataFrame:
    table = load_wine(as_frame=True).data
    return table.assign(cellar=3.0)


@pytest.fixture(scope="module")
def fitted(wine) -> GMVAE:
    return GMVAE(3, **QUICK).fit(wine)


@pytest.fixture
def saved(fitted, tmp_path) -> Path:
    path = tmp_path / "m.safetensors"
    fitted.save(path)
    return path


@pytest.mark.parametrize("assignment", ["recogniser", "posterior"])
def test_the_model_comes_back(build, observations, tmp_path, assignment):
    model = build(assignment=assignment, double=False).train()
    y = observations("gaussian", count=50).float()
    model.infer(y)  # moves batch norm's statistics
    schema = Schema((3,), ("a", "b=1", "b=2"), {"b": ("1", "2")}, fill={"a": 0.25}, id_column="i")
    about = {"weights": [0.25] * 4, "anything": [1, None, "ä"]}
    ModelFile(model, dividing(3, 7.0), schema, about).save(tmp_path / "m.safetensors")
    loaded = ModelFile.load(tmp_path / "m.safetensors")
    assert loaded.model.config == model.config
    assert not loaded.model.training
    assert loaded.schema == schema
    np.testing.assert_array_equal(loaded.scaling.scale, [7, 7, 7])
    assert {key: loaded.about[key] for key in about} == about
    assert loaded.about["versions"]["torch"] == torch.__version__
    with torch.no_grad():
        torch.testing.assert_close(loaded.model.assign(y).probs, model.eval().assign(y).probs, rtol=0, atol=0)


def test_the_estimator_comes_back(fitted, saved, wine):
    again = gmvae.load(saved, "cpu")
    for method in ("predict", "predict_proba", "transform", "score_samples"):
        np.testing.assert_array_equal(getattr(again, method)(wine), getattr(fitted, method)(wine))
    x = fitted.transform(wine)
    np.testing.assert_array_equal(again.inverse_transform(x), fitted.inverse_transform(x))
    np.testing.assert_array_equal(again.sample(5)[0], fitted.sample(5)[0])
    for name in ("weights", "elbo", "history", "restarts", "likelihood_reason", "constant_features"):
        np.testing.assert_array_equal(getattr(again, f"{name}_"), getattr(fitted, f"{name}_"))
    assert again.findings_ == fitted.findings_
    assert again.get_params() == {**fitted.get_params(), "device": "cpu"}
    assert list(again.feature_names_in_) == list(wine.columns)
    assert list(again.get_feature_names_out()) == ["gmvae0", "gmvae1"]
    assert not hasattr(again, "labels_")


def test_tables_are_read_by_name_and_arrays_by_place(fitted, saved, wine):
    again, expected = gmvae.load(saved), fitted.predict_proba(wine)
    other = wine[wine.columns[::-1]].assign(more="text")
    for table in (other, pl.from_pandas(other), pa.Table.from_pandas(other), wine.to_numpy()):
        np.testing.assert_array_equal(again.predict_proba(table), expected)
    with pytest.raises(ValueError, match="X has no column hue: the model was trained on it"):
        again.predict(wine.drop(columns="hue"))
    with pytest.raises(ValueError, match="X has 13 features, but GMVAE is expecting 14"):
        again.predict(wine.to_numpy()[:, :13])
    with pytest.raises(ValueError, match="NaN"):
        again.predict(np.full((2, 14), np.nan))


@pytest.mark.slow
def test_a_loaded_estimator_is_an_estimator(fitted, saved, wine):
    again = gmvae.load(saved)
    copy = pickle.loads(pickle.dumps(again))
    np.testing.assert_array_equal(copy.predict_proba(wine), fitted.predict_proba(wine))
    fresh = clone(again).set_params(device="cpu").fit(wine)
    np.testing.assert_array_equal(fresh.predict_proba(wine), fitted.predict_proba(wine))
    longer = again.set_params(warm_start=True).fit(wine)
    assert longer.n_iter_ == 10
    assert (longer.predict_proba(wine) != fitted.predict_proba(wine)).any()
    out = gmvae.load(saved).set_output(transform="pandas").transform(wine)
    assert list(out.columns) == ["gmvae0", "gmvae1"]


def test_a_saved_file_replaces_another(fitted, saved, wine):
    saved.write_text("something else")
    fitted.save(saved)
    np.testing.assert_array_equal(gmvae.load(saved).predict(wine), fitted.predict(wine))
    with pytest.raises(ValueError, match="not fitted"):
        GMVAE().save(saved)
    assert gmvae.load(saved).n_iter_ == 5


@pytest.mark.slow
def test_another_process_with_other_threads_gives_the_same_answers(fitted, saved, wine, tmp_path):
    wine.to_csv(tmp_path / "wine.csv", index=False)
    code = (
        "import sys, numpy, pandas, torch, gmvae; torch.set_num_threads(int(sys.argv[2])); "
        "model = gmvae.load(sys.argv[1]); table = pandas.read_csv('wine.csv'); "
        "numpy.savez('found.npz', labels=model.predict(table), p=model.predict_proba(table))"
    )
    for threads in ("1", "2", "4"):
        subprocess.run([sys.executable, "-c", code, saved, threads], check=True, cwd=tmp_path)
        found = np.load(tmp_path / "found.npz")
        np.testing.assert_array_equal(found["labels"], fitted.predict(wine))
        np.testing.assert_allclose(found["p"], fitted.predict_proba(wine), atol=1e-5, rtol=0)


def test_runs_of_built_in_data_are_estimators_too(tmp_path):
    folder = tmp_path / "run"
    flags = ["--epochs", 2, "--points", 400, "--plot-every", 0, "--device", "cpu", "--run-dir", folder]
    assert here("train", "spiral", *flags).status == 0
    model, points = gmvae.load(folder), spiral(400).y
    summary = json.loads((folder / "summary.json").read_text())
    shares = np.bincount(model.predict(points), minlength=8) / 400
    np.testing.assert_allclose(shares, summary["diagnostics"]["occupancy"], atol=1 / 400 + 1e-9)
    assert model.get_params()["n_clusters"] == 8
    assert model.likelihood_reason_ == "likelihood gaussian was asked for"
    (folder / "model.safetensors").unlink()
    with pytest.raises(
        ValueError, match=f"has no model.safetensors yet: finish the run with gmvae resume {folder}"
    ):
        gmvae.load(folder)


def test_images_are_estimated_from_bytes(small_mnist, tmp_path, monkeypatch):
    monkeypatch.setenv("GMVAE_DATA_DIR", str(small_mnist))
    folder = tmp_path / "run"
    flags = ["--hidden-size", 16, "--x-size", 3, "--w-size", 2, "--epochs", 1, "--plot-every", 0]
    assert here("train", "mnist_fc", *flags, "--device", "cpu", "--run-dir", folder).status == 0
    model, images = gmvae.load(folder), mnist(small_mnist).y
    assert model.image_shape == (1, 28, 28)
    with torch.no_grad():
        expected = model.model_.assign(torch.from_numpy(images).float() / 255).probs
    np.testing.assert_allclose(model.predict_proba(images.reshape(600, -1)), expected, atol=1e-5)


# ---- bad files


def rewritten(path: Path, target: Path, change) -> None:
    """A file with changed tensors or metadata and a matching checksum."""
    tensors, about = read_tensors(path)
    about.pop("sha256")
    tensors, about = change(tensors, about)
    write_tensors(target, tensors, {**about, "sha256": checksum(tensors, about)})


def about(**values):
    return lambda tensors, found: (tensors, {**found, **values})


def tensor(name, value):
    return lambda tensors, found: ({**tensors, name: value}, found)


def without(name):
    return lambda tensors, found: (tensors, {key: value for key, value in found.items() if key != name})


CHANGES = {
    "older": (about(format=1), "has model format 1, written by gmvae .* reads 2: train it again"),
    "newer": (about(format=3), "has model format 3, written by gmvae .* reads 2: install that one"),
    "no format": (without("format"), "has model format None"),
    "more clusters": (
        lambda t, f: (t, {**f, "config": {**f["config"], "clusters": 5}}),
        "its configuration says",
    ),
    "a field more": (lambda t, f: (t, {**f, "config": {**f["config"], "colour": 5}}), "model has colour"),
    "a bad value": (lambda t, f: (t, {**f, "config": {**f["config"], "clusters": -1}}), "clusters is -1"),
    "no configuration": (without("config"), "not a complete model of this version: 'config'"),
    "another shape": (about(y_shape=[2]), "its configuration says"),
    "no schema": (about(schema=None), "not a complete model"),
    "another schema": (lambda t, f: (t, {**f, "schema": {**f["schema"], "y_shape": [3]}}), "schema has"),
    "few weights": (lambda t, f: (t, {**f, "about": {**f["about"], "weights": [1.0]}}), "1 weights for 3"),
    "a tensor more": (tensor("model.extra", torch.zeros(2)), "Unexpected key"),
    "a strange tensor": (tensor("extra", torch.zeros(2)), "not a complete model"),
    "another scaling": (tensor("scaling.kept", torch.arange(5)), "scaling has 14 numbers"),
    "columns beyond": (tensor("scaling.kept", torch.arange(13) + 9), "keeps columns from 9 to 21 of 14"),
    "no scaling": (lambda t, f: ({k: t[k] for k in t if k != "scaling.mean"}, f), "not a complete model"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_named_in_one_line(saved, tmp_path, change):
    edit, message = CHANGES[change]
    rewritten(saved, tmp_path / "bad.safetensors", edit)
    with pytest.raises(ValueError, match=rf"bad\.safetensors.*{message}") as caught:
        gmvae.load(tmp_path / "bad.safetensors")
    assert "\n" not in str(caught.value)


def test_every_damage_is_named_in_one_line(saved, tmp_path):
    raw = saved.read_bytes()
    torch.save({"a": torch.zeros(2)}, tmp_path / "torch")
    save_file({"a": torch.zeros(2)}, tmp_path / "other")
    middle = bytearray(raw)
    middle[len(raw) // 2] ^= 1
    metadata = raw.replace(b'\\"n_iter\\": 5', b'\\"n_iter\\": 6')
    assert metadata != raw
    bad_files = {
        "empty": b"", "a page": b"<!DOCTYPE html><html></html>", "a pickle": pickle.dumps(Bomb()),
        "torch's": (tmp_path / "torch").read_bytes(), "somebody else's": (tmp_path / "other").read_bytes(),
        "a long header": (2**40).to_bytes(8, "little") + raw[8:], "longer": raw + b"more",
        "a changed weight": bytes(middle), "changed metadata": metadata,
        **{f"cut at {end}": raw[:end] for end in (7, 8, 40, len(raw) // 2, len(raw) - 1)},
    }  # fmt: skip
    for what, content in bad_files.items():
        (tmp_path / "bad.safetensors").write_bytes(content)
        with pytest.raises(ValueError, match=r"bad\.safetensors") as caught:
            gmvae.load(tmp_path / "bad.safetensors")
        assert "\n" not in str(caught.value), what
        assert "bad.safetensors" in bad(here("info", tmp_path / "bad.safetensors"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere does not exist"):
        gmvae.load("nowhere")
    with pytest.raises(ValueError, match="holds no run: it must be a run folder or a model file"):
        gmvae.load(tmp_path)
