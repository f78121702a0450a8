"""What a notebook shows of an estimator."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageColor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_fits import taught, three_blobs

from gmvae import GMVAE, load
from gmvae.show.colours import colour

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    return taught(epochs=30).fit(three_blobs()[0])


def shown(model: GMVAE) -> str:
    return model._repr_mimebundle_()["text/html"]


def test_before_a_fit_only_the_parameters_are_shown():
    assert "clusters in use" not in shown(taught())
    assert "n_clusters" in shown(taught())


def test_clusters_their_shares_and_findings_are_shown(model):
    html = shown(model)
    assert "3 of 3 clusters in use, started from k-means" in html
    shares = [float(share) for share in re.findall(r">([\d.]+)%</td>", html)]
    np.testing.assert_allclose(shares, 100 * model.weights_, atol=0.05)
    widths = [int(width) for width in re.findall(r"width:(\d+)px", html)][:3]
    np.testing.assert_allclose(widths, 160 * model.weights_ / model.weights_.max(), atol=1)
    for finding in model.findings_:
        assert finding.name not in ("", None)
    assert html.count("<li>") == max(1, len(model.findings_))
    assert "<script" not in html.split("<style")[0]


def test_the_map_shows_the_rows_in_the_colours_of_their_clusters(model):
    html = shown(model)
    assert "alt='240 rows in x, coloured by their 3 clusters'" in html
    png = base64.b64decode(re.search(r"base64,([^']+)'", html).group(1))
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    painted = [np.all(pixels == ImageColor.getrgb(colour(k)), 1).sum() for k in range(4)]
    assert min(painted[:3]) > 100  # a dot has about ten pixels
    assert painted[3] == 0

    again = GMVAE.__new__(GMVAE)
    again.__dict__ = model.__dict__.copy()
    again.relabel({"merge": [[1, 2]]})
    assert "coloured by their 2 clusters" in shown(again)


def test_a_loaded_model_has_no_rows_to_show(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    html = shown(load(tmp_path / "model.safetensors"))
    assert "3 of 3 clusters in use" in html
    assert "<img" not in html


def test_names_are_escaped(model):
    again = GMVAE.__new__(GMVAE)
    again.__dict__ = model.__dict__.copy()
    again.relabel({"names": {"0": "<script>alert(1)</script>"}, "merge": [[1, 2]]})
    html = shown(again)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    shares = [float(share) for share in re.findall(r">([\d.]+)%</td>", html)]
    assert shares == pytest.approx([100 * model.weights_[0], 100 * model.weights_[1:].sum()], abs=0.06)


def test_in_a_pipeline_scikit_learn_shows_it(model):
    assert "Pipeline" in make_pipeline(StandardScaler(), model)._repr_mimebundle_()["text/html"]
