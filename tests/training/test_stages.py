"""The hand-written gradients of the stages of a start, compared with autograd, in float64."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from gmvae.config import ModelConfig
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.start import teaching
from gmvae.start.teaching import mistaken, reconstruct, teach
from gmvae.training.fast.stages import FastReconstruction, FastTeaching
from gmvae.training.random import RandomStream

pytestmark = pytest.mark.usefixtures("torchs_loops")
SHAPES = {"fc": (5,), "compact": (1, 6, 5)}


def small(likelihood: str, network: str = "fc") -> GaussianMixtureVAE:
    torch.manual_seed(0)
    config = ModelConfig(
        clusters=4, x_size=3, w_size=2, hidden_size=9, likelihood=likelihood, min_variance=1e-3,
        network=network, filters=2,
    )  # fmt: skip
    shape = SHAPES[network]
    model = GaussianMixtureVAE(shape, config).double().train()
    for parameter in model.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    if likelihood == "gaussian":  # some numbers of the rows are outside
        model.recognition.take_range(torch.full(shape, -1.0), torch.full(shape, 1.0))
    return model


@pytest.fixture
def torchs_loops(monkeypatch):
    """The compiled loops of the compact network have tests of their own."""
    monkeypatch.setattr("gmvae.training.fast.convolutions.SERIAL", 0)


def compare(by_hand: torch.nn.Module, reference: torch.nn.Module) -> None:
    """Check for the same gradients, none if autograd has none, and the same running statistics."""
    named = dict(reference.named_parameters())
    for name, parameter in by_hand.named_parameters():
        expected = named[name].grad
        assert (parameter.grad is None) == (expected is None), name
        if expected is not None:
            torch.testing.assert_close(parameter.grad, expected, rtol=1e-10, atol=1e-12, msg=name)
    for (name, found), expected in zip(by_hand.named_buffers(), reference.buffers(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12, msg=name)


@pytest.mark.parametrize("network", SHAPES)
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_a_reconstruction_has_autograds_gradient(likelihood, network):
    model = small(likelihood, network)
    reference = deepcopy(model)
    observed, shown = torch.randn(2, 11, *SHAPES[network], dtype=torch.float64)
    if likelihood == "bernoulli":
        observed, shown = observed.sigmoid(), shown.sigmoid()
    FastReconstruction(model)(shown, observed)
    q_x = reference.recognition(shown)[0]
    (-reference.generative.p_y(q_x.mean.unsqueeze(0)).log_prob(observed.flatten(1)).mean()).backward()
    compare(model, reference)


@pytest.mark.parametrize("network", SHAPES)
@pytest.mark.parametrize("robustness", [0.0, 0.7])
def test_teaching_has_autograds_gradient(robustness, network):
    model = small("gaussian", network)
    reference = deepcopy(model)
    shown = torch.randn(11, *SHAPES[network], dtype=torch.float64)
    clusters = torch.arange(11) % 4
    dropout = torch.randint(2, (11, 9)).double() / 0.7
    FastTeaching(model.recognition)(shown, clusters, dropout, robustness)
    logits = reference.recognition.z(reference.recognition.body(shown) * dropout)
    mistaken(logits, clusters, robustness).backward()
    compare(model.recognition, reference.recognition)


@pytest.mark.parametrize("network", SHAPES)
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_stages_one_after_the_other_move_the_weights_that_autograd_moves(likelihood, network, monkeypatch):
    """A stage leaves alone what its loss does not depend on, whatever gradients the stage before left."""
    y = torch.randn(50, *SHAPES[network], dtype=torch.float64)
    y = y.sigmoid() if likelihood == "bernoulli" else y

    def trained() -> dict[str, torch.Tensor]:
        model = small(likelihood, network)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        stages(model, y)
        after = model.state_dict()
        return {name: after[name] - before[name] for name in after}

    by_hand = trained()
    monkeypatch.setattr(teaching, "covers", lambda *_, **__: False)
    by_autograd = trained()
    for name, moved in by_hand.items():
        torch.testing.assert_close(moved, by_autograd[name], rtol=1e-5, atol=1e-8, msg=name)
    assert by_hand["generative.prior.0.weight"].abs().max() == 0
    assert by_hand["recognition.x.weight"].abs().max() > 0


def stages(model: GaussianMixtureVAE, y: torch.Tensor) -> None:
    """Some steps of an autoencoder, of teaching clusters, and of the autoencoder again."""
    stream, clusters = RandomStream(0, torch.device("cpu")), torch.arange(len(y)) % 4
    reconstruct(model, y, noisy, 5, stream, lambda _: None)
    teach(model, y, y, clusters, noisy, 5, stream, lambda _: None)
    reconstruct(model, y, noisy, 5, stream, lambda _: None)


def noisy(y: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """An augmented view."""
    return y + 0.1 * torch.randn(y.shape, generator=generator, dtype=y.dtype)
