"""Each distribution of the model, compared with its definition written in another way."""

import math

import pytest
import torch
from torch import distributions as td

from gmvae.model.distributions import Bernoulli, DiagonalGaussian

FORMS = ("recogniser", "posterior")


def normal(mean, log_variance):
    return td.Independent(td.Normal(mean, (0.5 * log_variance).exp()), 1)


def test_priors_are_standard_and_uniform(build):
    generative = build(clusters=5, w_size=3).generative
    w = torch.randn(4, 3, dtype=torch.float64)
    expected = td.Independent(td.Normal(torch.zeros(3).double(), torch.ones(3).double()), 1).log_prob(w)
    torch.testing.assert_close(generative.p_w().log_prob(w), expected)
    torch.testing.assert_close(generative.p_z().probs, torch.full((5,), 0.2, dtype=torch.float64))


def test_posterior_is_bayes_rule(build):
    generative = build(clusters=4).generative
    x, w = torch.randn(2, 6, 2, dtype=torch.float64)
    p_x = generative.p_x(w)
    mixture = td.MixtureSameFamily(
        td.Categorical(torch.ones(4).double()), normal(p_x.mean[2], p_x.log_variance[2])
    )
    joint = normal(p_x.mean[2], p_x.log_variance[2]).log_prob(x[2]) - math.log(4)
    expected = (joint - mixture.log_prob(x[2])).exp()
    torch.testing.assert_close(generative.p_z_given(x, p_x).probs[2], expected)


@pytest.mark.parametrize("double", [True, False])
def test_posterior_is_right_where_densities_underflow(build, double):
    """A point 1,000 standard deviations away: every density is exp(-500,000), which is 0 in any float."""
    generative = build(double=double).generative
    kind = torch.float64 if double else torch.float32
    x = torch.tensor([[1000.0, 0.0]], dtype=kind)
    mean = torch.tensor([[[0.0, 0.0], [0.001, 0.0], [-1.0, 0.0], [0.0, 3.0]]], dtype=kind)
    p = generative.p_z_given(x, DiagonalGaussian(mean, torch.zeros_like(mean))).probs
    assert p.isfinite().all()
    torch.testing.assert_close(p.sum(), torch.ones((), dtype=kind))
    logits = torch.tensor([0.0, 1.0, -1000.5, -4.5], dtype=kind)  # differences of -|x - mean|^2 / 2
    tolerance = {"rtol": 1e-3, "atol": 1e-5} if double else {"rtol": 0.05, "atol": 1e-3}
    torch.testing.assert_close(p[0], logits.softmax(0), **tolerance)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_likelihood_is_over_the_whole_observation(build, likelihood):
    model = build((2, 3), likelihood=likelihood)
    p_y = model.generative.p_y(torch.randn(5, 4, 2, dtype=torch.float64))
    assert isinstance(p_y, Bernoulli if likelihood == "bernoulli" else DiagonalGaussian)
    assert p_y.log_prob(torch.ones(4, 6, dtype=torch.float64)).shape == (5, 4)


@pytest.mark.parametrize("assignment", FORMS)
def test_assignment_does_not_depend_on_other_rows(build, observations, assignment):
    model = build(assignment=assignment)
    y = observations("gaussian", count=20)
    alone = torch.cat([model.assign(one).log_probs for one in y.split(1)])
    torch.testing.assert_close(model.assign(y).log_probs, alone)
    torch.testing.assert_close(model.assign(y.flip(0)).log_probs.flip(0), alone)


def test_assignment_by_the_posterior_uses_the_means(build, observations):
    model, y = build(assignment="posterior"), observations("gaussian")
    q_x, q_w, q_z = model.recognition(y)
    assert q_z is None
    p_x = model.generative.p_x(q_w.mean)
    logits = normal(p_x.mean, p_x.log_variance).log_prob(q_x.mean.unsqueeze(1))
    torch.testing.assert_close(model.assign(y).probs, logits.softmax(-1))


@pytest.mark.parametrize("assignment", FORMS)
def test_inference_draws_m_samples(build, observations, assignment):
    model, y = build(assignment=assignment), observations("gaussian")
    given = model.infer(y, 20_000)
    error = (given.x.mean(0) - given.q_x.mean) / (given.q_x.variance / 20_000).sqrt()
    assert error.abs().max() < 5
    assert given.p_z_given.log_probs.shape == (20_000, 5, 4)
    assert given.q_z.log_probs.shape == (1 if assignment == "recogniser" else 20_000, 5, 4)
