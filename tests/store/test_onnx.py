"""ONNX Runtime on the exported files agrees with PyTorch on the model, for real data."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from commands import bad, here
from sklearn.datasets import load_digits, load_wine

from gmvae import GMVAE
from gmvae.store.onnx import export

QUICK = {"hidden_size": 32, "x_size": 3, "w_size": 2, "epochs": 10, "random_state": 0, "threads": 1}
WINE, DIGITS = load_wine(as_frame=True).data.assign(cellar=3.0), load_digits().data


@pytest.mark.slow
@pytest.mark.parametrize(
    ("y", "options"),
    [
        (WINE, {}),
        (WINE, {"assignment": "posterior"}),
        (DIGITS / 16, {"likelihood": "bernoulli"}),
        (np.kron(DIGITS.reshape(-1, 8, 8)[:300], np.ones((2, 2))).reshape(300, -1) / 16,
         {"network": "conv", "image_shape": (1, 16, 16), "filters": 4}),
        (DIGITS[:300] / 16, {"network": "compact", "image_shape": (1, 8, 8), "filters": 4, "epochs": 2}),
    ],
    ids=["table", "posterior", "bernoulli", "conv", "compact"],
)  # fmt: skip
def test_onnx_runtime_gives_what_the_estimator_gives(y, options, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    model = GMVAE(3, **{**QUICK, **options}).fit(y)
    model.save(tmp_path / "m.safetensors")
    said = here("export", tmp_path / "m.safetensors", "-o", tmp_path / "onnx")
    assert (said.status, said.err) == (0, "")
    encoder, decoder = (
        runtime.InferenceSession(tmp_path / "onnx" / f"{name}.onnx") for name in ("encoder", "decoder")
    )
    for rows in (len(y), 1):
        subset = np.asarray(y, dtype=np.float64)[:rows]
        p, clusters, x = encoder.run(["probabilities", "cluster", "x"], {"y": subset})
        np.testing.assert_allclose(p, model.predict_proba(y[:rows]), atol=1e-4, rtol=0)
        np.testing.assert_array_equal(clusters, model.predict(y[:rows]))
        np.testing.assert_allclose(x, model.transform(y[:rows]), atol=1e-4, rtol=0)
        (back,) = decoder.run(["y"], {"x": x.astype(np.float64)})
        np.testing.assert_allclose(back, model.inverse_transform(x), atol=1e-4, rtol=1e-4)
    if model.likelihood_ == "gaussian":
        far = y[:3] * np.array([[1e4], [-1e8], [1e12]])
        (p,) = encoder.run(["probabilities"], {"y": np.asarray(far, dtype=np.float64)})
        np.testing.assert_allclose(p, model.predict_proba(far), atol=1e-4, rtol=0)
    about = encoder.get_modelmeta().custom_metadata_map
    assert about["clusters"] == "3"
    assert json.loads(about["features"]) == list(getattr(y, "columns", []))


@pytest.mark.slow
def test_without_onnx_the_remedy_is_given(tmp_path, monkeypatch):
    GMVAE(3, **{**QUICK, "epochs": 1}).fit(WINE).save(tmp_path / "m.safetensors")
    monkeypatch.setitem(sys.modules, "onnx", None)
    said = bad(here("export", tmp_path / "m.safetensors", "-o", tmp_path / "onnx"))
    assert "export needs the package onnx: pip install 'gmvae[onnx]'" in said
    assert not (tmp_path / "onnx").exists()
    with pytest.raises(ValueError, match="gmvae\\[onnx\\]"):
        export(GMVAE(3, **{**QUICK, "epochs": 1}).fit(WINE), tmp_path)
