"""The hand-written gradient compared with autograd, in float64, and when it is used."""

from __future__ import annotations

import math
from copy import deepcopy
from itertools import product

import numpy as np
import pytest
import torch
from torch import Generator

from gmvae.config import ModelConfig, ObjectiveConfig, TrainingConfig
from gmvae.model import objective
from gmvae.model.vae import LOG_VARIANCES, GaussianMixtureVAE
from gmvae.training.fast.convolutions import as_rows
from gmvae.training.fast.kernels import Loops
from gmvae.training.fast.stack import Stack
from gmvae.training.fast.step import FastStep
from gmvae.training.loop import Trainer
from gmvae.training.random import RandomStream

CPU = torch.device("cpu")
FORMS = {
    "recogniser": [{"cv_weight": 1.7, "z_prior_weight": 0.6}, {"cv_weight": 0.0}, {"z_prior_weight": 0.0}],
    # less, and more, than the batch's information about z
    "posterior": [{"min_information": 0.0}, {"min_information": 1e-3}, {"min_information": 5.0}],
}
CASES = [
    (assignment, likelihood, samples, given)
    for assignment, likelihood, samples in product(FORMS, ("gaussian", "bernoulli"), (1, 3))
    for given in FORMS[assignment]
]


def small(
    assignment: str,
    likelihood: str,
    min_variance: float = 1e-3,
    y_shape: tuple[int, ...] = (5,),
    network: str = "fc",
) -> GaussianMixtureVAE:
    torch.manual_seed(0)
    config = ModelConfig(
        clusters=4, x_size=3, w_size=2, hidden_size=9, filters=3, network=network,
        assignment=assignment, likelihood=likelihood, min_variance=min_variance,
    )  # fmt: skip
    model = GaussianMixtureVAE(y_shape, config).double().train()
    for parameter in model.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    if likelihood == "gaussian":  # some numbers of the rows are outside
        edge = torch.ones(math.prod(y_shape))
        model.recognition.take_range(-edge, edge)
    return model


def compare(model: GaussianMixtureVAE, config: ObjectiveConfig, epoch: float, *, anchored: bool) -> None:
    """Records, gradients and running statistics of a step, within 1e-10 of autograd's."""
    y = torch.randn(11, *model.y_shape, dtype=torch.float64)
    y = y if model.config.likelihood == "gaussian" else y.sigmoid()
    taught = None
    if anchored:
        taught = deepcopy(model.recognition).requires_grad_(False).eval()
        for parameter in taught.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    other = deepcopy(model)
    known = None if taught is None else taught(y)[2]
    noise = lambda: Generator().manual_seed(3)  # noqa: E731
    loss, terms = objective.loss(other, y, config, epoch, None, known, noise())
    loss.mean().backward()
    step = FastStep(Stack([model]), config, [] if taught is None else [taught])
    found = step(y.unsqueeze(0), epoch, [noise()])[0]
    expected = torch.stack((loss, objective.elbo(terms), *terms)).sum(1)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    greatest = max(1.0, *(float(parameter.grad.abs().max()) for parameter in other.parameters()))
    for (name, ours), theirs in zip(model.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(
            ours.grad / greatest, theirs.grad / greatest, rtol=1e-10, atol=1e-10, msg=name
        )
    for ours, theirs in zip(model.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("assignment", "likelihood", "samples", "given"), CASES)
def test_it_is_the_gradient_of_autograd(assignment, likelihood, samples, given):
    model = small(assignment, likelihood)
    config = ObjectiveConfig(mc_samples=samples, view_weight=3.0, warm_up=4, **given)
    compare(model, config, 3, anchored=assignment == "recogniser")


@pytest.mark.parametrize("min_variance", [0.0, 0.2])
@pytest.mark.parametrize("anchored", [False, True])
def test_with_and_without_anchor_and_minimum_variance(min_variance, anchored):
    model = small("recogniser", "gaussian", min_variance)
    compare(model, ObjectiveConfig(warm_up=4, cv_warm_up=2), 5, anchored=anchored)


def test_log_variances_beyond_their_limits_get_no_gradient():
    model = small("recogniser", "gaussian")
    low, high = LOG_VARIANCES
    model.recognition.x.bias.data[3:] = torch.tensor([low - 30.0, high + 30.0, 0.0])
    compare(model, ObjectiveConfig(), 100, anchored=True)
    assert torch.equal(model.recognition.x.bias.grad[3:] != 0, torch.tensor([False, False, True]))


@pytest.mark.parametrize("loops", ["compiled", "torch"])
@pytest.mark.parametrize(("y_shape", "likelihood"), [((1, 9, 10), "bernoulli"), ((3, 8, 7), "gaussian")])
def test_convolutions_have_the_gradient_of_autograd(y_shape, likelihood, loops, monkeypatch):
    monkeypatch.setattr("gmvae.training.fast.convolutions.SERIAL", 64 if loops == "compiled" else 0)
    for anchored in (False, True):
        model = small("recogniser", likelihood, 1e-3, y_shape, "compact")
        compare(model, ObjectiveConfig(mc_samples=2), 5, anchored=anchored)


@pytest.mark.parametrize("rows", [1, 7, 300])
@pytest.mark.parametrize("channels", [1, 5, 700])
def test_compiled_batch_norm_is_torchs(rows, channels):
    """Numbers of rows and channels that do, and do not, fit into long rows; and large means, which a sum of
    squares alone would lose."""
    torch.manual_seed(0)
    maps = torch.randn(rows, channels, 2, 3) * torch.rand(channels, 1, 1) + 1000 * torch.randn(channels, 1, 1)
    maps = maps.contiguous(memory_format=torch.channels_last).double()
    layer = torch.nn.BatchNorm2d(channels, momentum=0.3).double()
    layer.weight.data.normal_()
    layer.bias.data.normal_()
    mine = [one.detach().clone().numpy() for one in layer.state_dict().values() if one.ndim]
    out, gradients = torch.empty_like(maps), (np.empty(channels), np.empty(channels))
    loops = Loops([*mine, *gradients], layer.momentum, layer.eps)
    loops.forward(as_rows(maps), as_rows(out))
    given = maps.clone().requires_grad_()
    expected = layer(given).relu()
    torch.testing.assert_close(out, expected.detach(), rtol=1e-7, atol=1e-7)
    for one, other in zip(mine[2:], (layer.running_mean, layer.running_var), strict=True):
        torch.testing.assert_close(torch.from_numpy(one), other, rtol=1e-9, atol=1e-9)
    d = torch.randn_like(maps)
    expected.backward(d)
    loops.backward(as_rows(d))
    torch.testing.assert_close(d, given.grad, rtol=1e-6, atol=1e-6 * float(given.grad.abs().max()))
    for one, other in zip(gradients, (layer.weight.grad, layer.bias.grad), strict=True):
        torch.testing.assert_close(torch.from_numpy(one), other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("assignment", FORMS)
def test_models_side_by_side_have_the_gradients_of_each_alone(assignment):
    together = [small(assignment, "gaussian") for _ in range(3)]
    for model in together:
        for parameter in model.parameters():
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    alone, y = deepcopy(together), torch.randn(3, 11, 5, dtype=torch.float64)
    taught = [deepcopy(one.recognition).requires_grad_(False).eval() for one in alone]
    for teacher in taught:
        teacher.x.bias.add_(torch.randn(6))
        teacher.z and teacher.z.bias.add_(torch.randn(4))
    config = ObjectiveConfig(mc_samples=2, min_information=0.05)
    noise = lambda: [Generator().manual_seed(seed) for seed in range(3)]  # noqa: E731
    found = FastStep(Stack(together), config, taught)(y, 3, noise())
    for number, model in enumerate(alone):
        generator = noise()[number : number + 1]
        step = FastStep(Stack([model]), config, [taught[number]])
        expected = step(y[number : number + 1], 3, generator)[0]
        torch.testing.assert_close(found[number], expected, rtol=1e-10, atol=1e-10)
    for one, other in zip(together, alone, strict=True):
        pairs = zip(one.named_parameters(), other.parameters(), strict=True)
        for (name, ours), theirs in pairs:
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-10, msg=name)
        assert all(map(torch.allclose, one.buffers(), other.buffers()))


def trained(*, fast: bool, monkeypatch) -> tuple[GaussianMixtureVAE, list[dict[str, float]]]:
    """A model after three epochs, the second half of them anchored, and their records."""
    if not fast:
        monkeypatch.setattr("gmvae.training.loop.covers", lambda *_, **__: False)
    stream = RandomStream(1, CPU)
    torch.manual_seed(1)
    model = GaussianMixtureVAE((5,), ModelConfig(clusters=3, x_size=2, w_size=2, hidden_size=16))
    y = torch.randn(130, 5)
    config = TrainingConfig(optimiser="sgd", batch_size=64, epochs=3, device="cpu")
    trainer = Trainer(model, ObjectiveConfig(), config, stream)
    assert trainer.fast == fast
    records = trainer.epochs(y)
    found = [next(records)]
    trainer.anchor()
    return model, found + list(records)


def test_training_goes_the_same_way_but_for_rounding(monkeypatch):
    ours, records = trained(fast=True, monkeypatch=monkeypatch)
    theirs, expected = trained(fast=False, monkeypatch=monkeypatch)
    for one, other in zip(records, expected, strict=True):
        assert one.keys() == other.keys()
        for name in one.keys() - {"seconds"}:
            assert one[name] == pytest.approx(other[name], rel=1e-4, abs=1e-4), name
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_views_and_larger_convolutions_use_autograd():
    stream = RandomStream(1, CPU)
    config = TrainingConfig(augment="image", device="cpu")
    images = GaussianMixtureVAE((1, 8, 8), ModelConfig(clusters=3, network="fc", likelihood="bernoulli"))
    assert not Trainer(images, ObjectiveConfig(), config, stream).fast
    plain = TrainingConfig(device="cpu")
    assert Trainer(images, ObjectiveConfig(), plain, stream).fast
    for network, shape in (("compact", (1, 16, 16)), ("conv", (1, 28, 28))):
        model = GaussianMixtureVAE(shape, ModelConfig(clusters=3, network=network, filters=4))
        assert Trainer(model, ObjectiveConfig(), plain, stream).fast == (network == "compact")
