"""Clusters, bounds, likelihoods and measures: they do not depend on chance or other rows, and are correct."""

import math

import numpy as np
import pytest
import torch
from torch import distributions as td

from gmvae.model import inference, objective

FORMS = ("recogniser", "posterior")
WITHOUT_CHANCE = (inference.assign, inference.embed, inference.reconstruct)
OF_CHANCE = (inference.bound, inference.log_likelihood)


def trained(model):
    """A model in training mode whose batch norm has seen other data than those it will be applied to."""
    torch.manual_seed(11)
    model.train()
    for _ in range(30):
        model.infer(torch.randn(50, *model.y_shape) * 1.5 + 0.5)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("network", ["fc", "conv", "svhn"])
@pytest.mark.parametrize("assignment", FORMS)
def test_answers_do_not_depend_on_batches_order_other_rows_or_chance(build, monkeypatch, assignment, network):
    model = trained(build((1, 12, 12), assignment=assignment, network=network, double=False))
    generator = torch.Generator().manual_seed(1)
    y = torch.randn(20, 1, 12, 12, generator=generator)
    expected = [function(model, y) for function in WITHOUT_CHANCE]
    order = torch.randperm(20, generator=generator)
    others = 100 * torch.randn(10, 1, 12, 12, generator=generator)
    company = torch.cat([y, others, torch.zeros(3, 1, 12, 12)])
    assert len(np.unique(expected[0].argmax(1))) > 1
    for size in (20, 7, 1):
        monkeypatch.setattr(inference, "BATCH", size)
        torch.manual_seed(size)
        for function, whole in zip(WITHOUT_CHANCE, expected, strict=True):
            for ours, theirs in (
                (function(model, y), whole),
                (function(model, y[order]), whole[order]),
                (function(model, company)[:20], whole),
            ):
                np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
                if function is inference.assign:
                    np.testing.assert_array_equal(ours.argmax(1), theirs.argmax(1))
    assert model.training


def test_measures_count_and_compare(build, observations):
    model, y = build(double=False), observations("gaussian", count=200).float()
    clusters = inference.assign(model, y).argmax(1)
    perfect = inference.measure(model, y, clusters)
    assert perfect["acc"] == perfect["nmi"] == 1
    assert inference.measure(model, y) == {"clusters_used": perfect["clusters_used"]}


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("assignment", FORMS)
def test_bytes_are_taken_as_levels_of_255(build, assignment, likelihood):
    model = build((2, 4, 3), assignment=assignment, likelihood=likelihood, double=False)
    levels = np.random.default_rng(0).integers(256, size=(60, 2, 4, 3), dtype=np.uint8)
    y, numbers = torch.from_numpy(levels), torch.from_numpy(levels / np.float32(255))
    for function in (*WITHOUT_CHANCE, *OF_CHANCE):
        np.testing.assert_array_equal(function(model, y), function(model, numbers))
    clusters = inference.assign(model, numbers).argmax(1)
    assert inference.measure(model, y, clusters)["acc"] == 1


# ---- bounds and likelihoods


@pytest.mark.parametrize("function", OF_CHANCE)
def test_a_seed_decides_and_the_callers_random_numbers_are_left_alone(build, observations, function):
    model, y = build(double=False, scale=1), observations("gaussian", count=20).float()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = function(model, y, 3, seed=1)
    assert torch.equal(torch.rand(3), expected)
    np.testing.assert_array_equal(function(model, y, 3, seed=1), first)
    assert (function(model, y, 3, seed=2) != first).all()
    assert first.shape == (20,)


def within_standard_error(one: np.ndarray, other: np.ndarray, factor: float = 4.5) -> bool:
    """Whether the means of independent estimates along axis 0 agree."""
    error = np.sqrt(one.var(0) / len(one) + other.var(0) / len(other))
    return bool((abs(one.mean(0) - other.mean(0)) <= factor * error).all())


@pytest.mark.slow
@pytest.mark.parametrize("mc_samples", [1, 5])
@pytest.mark.parametrize("assignment", FORMS)
def test_the_bound_is_the_objectives_of_the_model_that_evaluates(
    build, observations, monkeypatch, assignment, mc_samples
):
    model = trained(build(assignment=assignment, scale=1.3, double=False))
    y = observations("gaussian").float().repeat(1500, 1)
    ours = inference.bound(model, y, mc_samples).reshape(1500, 5)
    monkeypatch.setattr(inference, "BATCH", 64)
    again = inference.bound(model, y, mc_samples, seed=3).reshape(1500, 5)
    assert within_standard_error(ours, again)
    with torch.no_grad():
        theirs, training = (
            objective.elbo(objective.five_terms(model.train(mode), y)).numpy().reshape(1500, 5)
            for mode in (False, True)
        )
    assert within_standard_error(ours, theirs)
    np.testing.assert_allclose(ours.var(0) * mc_samples, theirs.var(0), rtol=0.25)  # means of M draws
    assert not within_standard_error(ours, training)


def evidence(model, y: torch.Tensor) -> np.ndarray:
    """log p(y) where x and w have one dimension, by summing p(y | x) p(x | w, z) p(w) / K over fine grids of
    x and w and over z."""
    grid = torch.linspace(-14, 14, 1401, dtype=torch.float64)
    area = (grid[1] - grid[0]).item() ** 2
    clusters = model.config.clusters
    with torch.no_grad():
        p_x, p_y = model.generative.p_x(grid[:, None]), model.generative.p_y(grid[:, None])
        mixture = td.MixtureSameFamily(
            td.Categorical(torch.ones(len(grid), clusters, dtype=torch.float64)),
            td.Normal(p_x.mean[..., 0], (0.5 * p_x.log_variance[..., 0]).exp()),
        )
        log_p_x_w = mixture.log_prob(grid[:, None]) + td.Normal(0.0, 1.0).log_prob(grid)  # (x, w)
        if model.config.likelihood == "bernoulli":
            log_p_y = td.Bernoulli(logits=p_y.logits[:, 0]).log_prob(y)  # (N, x)
        else:
            log_p_y = td.Normal(p_y.mean[:, 0], (0.5 * p_y.log_variance[:, 0]).exp()).log_prob(y)
        whole = log_p_x_w.exp().sum().item() * area
        assert whole == pytest.approx(1, abs=1e-4)
        return (log_p_y + log_p_x_w.logsumexp(1)).logsumexp(1).numpy() + math.log(area)


def one_dimensional(build, assignment: str, likelihood: str):
    """A model whose q(x | y) and q(w | y) are wide enough for importance sampling."""
    model = build(
        (1,), x_size=1, w_size=1, clusters=3, assignment=assignment, likelihood=likelihood, scale=1.2
    )
    with torch.no_grad():
        for head in (model.recognition.x, model.recognition.w):
            head.bias[1] = 1.0
    return model


ONE_DIMENSIONAL = [("recogniser", "gaussian"), ("posterior", "gaussian"), ("recogniser", "bernoulli")]


@pytest.mark.slow
@pytest.mark.parametrize(("assignment", "likelihood"), ONE_DIMENSIONAL)
def test_the_likelihood_is_that_of_numerical_integration(build, monkeypatch, assignment, likelihood):
    monkeypatch.setattr(inference, "BATCH", 100_000)
    model = one_dimensional(build, assignment, likelihood)
    values = [0.0, 1.0] if likelihood == "bernoulli" else [-1.5, 0.1, 0.4, 2.0]
    y = torch.tensor(values, dtype=torch.float64)[:, None]
    truth = evidence(model, y)
    if likelihood == "bernoulli":
        assert np.exp(truth).sum() == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(inference.log_likelihood(model, y, 5000), truth, atol=0.05)
    for samples in (1, 7, 25):  # for any number of samples, the estimate of p(y) itself is unbiased
        copies = y.repeat(2000, 1)
        ratios = np.exp(inference.log_likelihood(model, copies, samples).reshape(2000, -1) - truth)
        error = ratios.std(0) / math.sqrt(2000)
        assert (error < 0.03).all()
        np.testing.assert_array_less(abs(ratios.mean(0) - 1), 4.5 * error)


@pytest.mark.slow
@pytest.mark.parametrize(("assignment", "likelihood"), ONE_DIMENSIONAL)
def test_the_likelihood_rises_with_samples_from_the_bound_to_the_truth(
    build, monkeypatch, assignment, likelihood
):
    monkeypatch.setattr(inference, "BATCH", 100_000)
    model = one_dimensional(build, assignment, likelihood)
    y = torch.tensor([[1.0]], dtype=torch.float64)
    copies = y.repeat(4000, 1)
    bound = inference.bound(model, copies)
    estimates = [inference.log_likelihood(model, copies, samples) for samples in (1, 10, 100)]
    if assignment == "posterior":  # one sample, with z summed out, is then the bound
        assert within_standard_error(estimates[0], bound)
    else:  # the bound lacks KL(q(z | y) || p(z | x, w)) as well
        assert estimates[0].mean() > bound.mean() + 0.1
    assert estimates[0].mean() < estimates[1].mean() < estimates[2].mean()
    error = estimates[2].std() / math.sqrt(4000)
    assert -0.05 < estimates[2].mean() - evidence(model, y).item() < 4.5 * error


@pytest.mark.slow
@pytest.mark.parametrize("batch", [25, 10])
def test_the_likelihood_does_not_depend_on_the_block_size(build, monkeypatch, batch):
    model = one_dimensional(build, "recogniser", "gaussian")
    y = torch.tensor([[0.1], [0.4], [2.0]], dtype=torch.float64).repeat(60, 1)
    whole = inference.log_likelihood(model, y, 35)
    sizes = []
    monkeypatch.setattr(inference, "BATCH", batch)
    infer = model.infer
    monkeypatch.setattr(model, "infer", lambda y, m, noise: sizes.append((len(y), m)) or infer(y, m, noise))
    pieces = inference.log_likelihood(model, y, 35, seed=1)
    assert within_standard_error(whole.reshape(60, 3), pieces.reshape(60, 3))
    assert sum(observations * samples for observations, samples in sizes) == 180 * 35
    assert {observations for observations, _ in sizes} == {batch // 10}


def test_bits_are_those_of_a_fair_coin(build):
    """With logits of 0, each number costs one bit, whatever its value."""
    model = build((2, 3, 4), likelihood="bernoulli")
    *_, last = (layer for layer in model.generative.decoder if hasattr(layer, "bias"))
    with torch.no_grad():
        last.weight.zero_()
        last.bias.zero_()
        p_y = model.generative.p_y(torch.randn(1, 1, 2, dtype=torch.float64))
        nats = p_y.log_prob(torch.rand(24, dtype=torch.float64)).item()
    assert inference.bits_per_dimension(model, nats) == pytest.approx(1, rel=1e-12)


def test_more_samples_than_a_block_take_one_observation_at_a_time(build, monkeypatch):
    model = build(double=False)
    sizes, infer = [], model.infer
    monkeypatch.setattr(inference, "BATCH", 10)
    monkeypatch.setattr(model, "infer", lambda y, *given: sizes.append(len(y)) or infer(y, *given))
    inference.bound(model, torch.randn(10, 3), 20)
    assert set(sizes) == {1}


@pytest.mark.parametrize("samples", [0, -1])
def test_a_likelihood_needs_a_sample(build, samples):
    with pytest.raises(ValueError, match=rf"samples is {samples}: it must be a whole number of at least 1"):
        inference.log_likelihood(build(double=False), torch.randn(10, 3), samples)
