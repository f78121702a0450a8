"""Training in bfloat16: the networks compute in it, and everything else, predictions too, does not."""

import copy
import json

import numpy as np
import pytest
import torch
from commands import here
from sklearn.metrics import adjusted_rand_score
from small_fits import taught, three_blobs

import gmvae
from gmvae import GMVAE
from gmvae.config import ModelConfig, ObjectiveConfig
from gmvae.model import objective
from gmvae.model.networks import train_in
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.training.devices import pick_precision
from gmvae.training.fast.step import covers

CPU = torch.device("cpu")
WIDTH = 2**-8
"""Largest relative error of a number rounded to bfloat16, which has 8 digits."""


def models(network, y_shape):
    """The same model in float32 and, while it trains, in bfloat16."""
    torch.manual_seed(0)
    likelihood = "gaussian" if network == "fc" else "bernoulli"
    config = ModelConfig(
        3, x_size=2, w_size=2, hidden_size=32, network=network, likelihood=likelihood, filters=4
    )
    usual = GaussianMixtureVAE(y_shape, config)
    low = copy.deepcopy(usual)
    train_in(low, "bfloat16")
    return usual.train(), low.train(), torch.rand(64, *y_shape)


KINDS = [("fc", (6,)), ("compact", (1, 8, 8)), ("conv", (1, 28, 28))]


@pytest.mark.parametrize(("network", "y_shape"), KINDS)
def test_only_training_is_in_bfloat16(network, y_shape):
    usual, low, y = models(network, y_shape)
    for part in ("body", "x"):
        outs = [(m.recognition.body if part == "body" else m.recognition)(y) for m in (usual, low)]
        exact, rounded = outs if part == "body" else (out[0].mean for out in outs)
        assert rounded.dtype == torch.float32
        error = (rounded - exact).norm() / exact.norm()
        assert WIDTH / 20 < error < 20 * WIDTH
    low.load_state_dict(usual.state_dict())  # the running statistics of their batches differ
    assert torch.equal(usual.eval().assign(y).probs, low.eval().assign(y).probs)


@pytest.mark.parametrize(("network", "y_shape"), KINDS)
def test_the_gradient_is_the_same_but_for_rounding(network, y_shape):
    usual, low, y = models(network, y_shape)
    found = []
    for model in (usual, low):
        loss, terms = objective.loss(
            model, y, ObjectiveConfig(), 1, None, None, torch.Generator().manual_seed(1)
        )
        assert {term.dtype for term in terms} == {torch.float32}
        loss.mean().backward()
        found.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert found[1].dtype == torch.float32
    error = (found[1] - found[0]).norm() / found[0].norm()
    assert WIDTH / 20 < error < 0.25  # batch norm enlarges the errors of small differences


def test_the_hand_written_gradient_is_for_float32():
    usual, low, _ = models("fc", (6,))
    assert covers(usual, views=False)
    assert not covers(low, views=False)


@pytest.mark.slow
def test_a_fit_in_bfloat16_finds_the_clusters(tmp_path):
    y, labels = three_blobs()
    for seed in range(3):
        model = taught(epochs=20, random_state=seed, precision="bfloat16").fit(y)
        assert adjusted_rand_score(labels, model.labels_) == 1
        usual = taught(epochs=20, random_state=seed).fit(y)
        assert model.elbo_ != usual.elbo_
        assert abs(model.elbo_ - usual.elbo_) < 1
    model.save(tmp_path / "model.safetensors")
    again = gmvae.load(tmp_path / "model.safetensors", device="cpu")
    np.testing.assert_array_equal(again.predict_proba(y), model.predict_proba(y))


@pytest.mark.slow
def test_a_run_says_its_precision(tmp_path):
    np.save(tmp_path / "y.npy", three_blobs()[0])
    flags = ["--clusters", 3, "--epochs", 2, "--init", "kmeans", "--plot-every", 0, "--device", "cpu"]
    for asked, precision, gradient in [
        ("auto", "float32", "hand-written"),
        ("bfloat16", "bfloat16", "autograd"),
    ]:
        run = tmp_path / asked
        said = here(
            "train", "data", "--path", tmp_path / "y.npy", *flags, "--precision", asked, "--run-dir", run
        )
        assert said.status == 0, said.err
        assert json.loads((run / "config.json").read_text())["config"]["training"]["precision"] == precision
        assert json.loads((run / "summary.json").read_text())["gradient"] == gradient


@pytest.mark.parametrize(
    ("asked", "kind", "network", "able", "answer"),
    [
        ("auto", "cpu", "compact", True, "float32"),
        ("auto", "cuda", "compact", True, "bfloat16"),
        ("auto", "cuda", "fc", True, "float32"),
        ("auto", "cuda", "compact", False, "float32"),
        ("float32", "cuda", "compact", True, "float32"),
        ("bfloat16", "cpu", "fc", False, "bfloat16"),
    ],
)
def test_what_auto_is(monkeypatch, asked, kind, network, able, answer):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: able)
    assert pick_precision(asked, torch.device(kind), network) == answer


def test_a_gpu_without_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(ValueError, match="precision is bfloat16, but cuda does not compute in it"):
        pick_precision("bfloat16", torch.device("cuda"), "compact")


def test_an_unknown_precision():
    with pytest.raises(ValueError, match="precision is 'float16'"):
        GMVAE(2, precision="float16").fit(three_blobs()[0])
