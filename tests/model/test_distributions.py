"""The distributions, compared with torch.distributions, and at the edges of their ranges."""

import torch
from torch import distributions as td

from gmvae.model.distributions import Bernoulli, Categorical, DiagonalGaussian


def gaussians(*shape: int, seed: int = 0) -> tuple[DiagonalGaussian, td.Distribution]:
    torch.manual_seed(seed)
    mean, log_variance = torch.randn(2, *shape, dtype=torch.float64)
    return DiagonalGaussian(mean, log_variance), td.Independent(
        td.Normal(mean, (0.5 * log_variance).exp()), 1
    )


def test_gaussian_density_and_divergence():
    (ours, theirs), (other, their_other) = gaussians(4, 3), gaussians(4, 3, seed=1)
    value = torch.randn(5, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(ours.kl(other), td.kl_divergence(theirs, their_other))


def test_gaussian_broadcasts_over_components():
    (ours, _), (components, _) = gaussians(4, 3), gaussians(2, 4, 6, 3, seed=1)
    kl = ours.unsqueeze(-2).kl(components)
    assert kl.shape == (2, 4, 6)
    expected = td.kl_divergence(
        td.Independent(td.Normal(ours.mean[3], (0.5 * ours.log_variance[3]).exp()), 1),
        td.Independent(
            td.Normal(components.mean[1, 3, 5], (0.5 * components.log_variance[1, 3, 5]).exp()), 1
        ),
    )
    torch.testing.assert_close(kl[1, 3, 5], expected)


def test_gaussian_samples_have_its_moments_and_carry_gradients():
    ours, _ = gaussians(3)
    mean, log_variance = ours.mean.requires_grad_(), ours.log_variance.requires_grad_()
    sample = DiagonalGaussian(mean, log_variance).rsample(200_000)
    error = (sample.detach().mean(0) - mean).abs() / (ours.variance / 200_000).sqrt()
    assert (error < 4).all()
    torch.testing.assert_close(sample.detach().var(0), ours.variance.detach(), rtol=0.02, atol=0)
    (sample**2).mean(0).sum().backward()  # E x^2 = mean^2 + variance
    torch.testing.assert_close(mean.grad, 2 * mean.detach(), rtol=0.02, atol=0.02)
    torch.testing.assert_close(log_variance.grad, ours.variance.detach(), rtol=0.02, atol=0.02)


def test_bernoulli_density():
    logits = torch.randn(4, 6, dtype=torch.float64)
    theirs = td.Independent(td.Bernoulli(logits=logits), 1)
    value = torch.bernoulli(torch.full((4, 6), 0.5, dtype=torch.float64))
    torch.testing.assert_close(Bernoulli(logits).log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(Bernoulli(logits).mean, theirs.mean)


def test_bernoulli_of_a_grey_value_is_the_cross_entropy():
    logits, grey = torch.tensor([[0.3, -1.2]]), torch.tensor([[0.25, 0.9]])
    expected = -torch.nn.functional.binary_cross_entropy_with_logits(logits, grey, reduction="none").sum(-1)
    torch.testing.assert_close(Bernoulli(logits).log_prob(grey), expected)


def test_bernoulli_is_finite_where_probabilities_round_to_0_and_1():
    extreme = Bernoulli(torch.tensor([[300.0, -300.0]]))
    assert extreme.log_prob(torch.tensor([[1.0, 0.0]])) == 0
    assert extreme.log_prob(torch.tensor([[0.0, 1.0]])) == -600


def test_categorical_entropy_and_divergence():
    torch.manual_seed(0)
    p, q = torch.randn(2, 5, 4, dtype=torch.float64)
    ours, other = Categorical.from_logits(p), Categorical.from_logits(q)
    theirs, their_other = td.Categorical(logits=p), td.Categorical(logits=q)
    torch.testing.assert_close(ours.probs, theirs.probs)
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    torch.testing.assert_close(ours.kl(other), td.kl_divergence(theirs, their_other))


def test_categorical_is_right_where_probabilities_underflow():
    ours = Categorical.from_logits(torch.tensor([-1e6, -1e6 - 1, -3e6], requires_grad=True))
    torch.testing.assert_close(ours.probs, torch.tensor([0.731059, 0.268941, 0.0]))
    torch.testing.assert_close(ours.entropy(), torch.tensor(0.582203))
    assert ours.kl(Categorical.from_logits(torch.zeros(3))).isfinite()
