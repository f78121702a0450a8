r"""The terms of the objective, summed over a batch, and their derivatives by the outputs of the networks.

The formulas are those of :mod:`gmvae.model.objective`. M, B, K and X are the numbers of samples, observations
and clusters, and the size of x. Up to a constant, :math:`l_k = \log p_\beta(x|w,z{=}k)`. All components have
the same weight, so :math:`\pi = \mathrm{softmax}(l)` is the posterior :math:`p_\beta(z|x,w)`:

.. math:: l_k = -\frac12 \sum_d \frac{(x_d - \mu_{kd})^2}{\sigma_{kd}^2} + \log \sigma_{kd}^2, \qquad
    \frac{\partial l_k}{\partial \mu_k} = \frac{x - \mu_k}{\sigma_k^2} = -\frac{\partial l_k}{\partial x},
    \qquad \frac{\partial l_k}{\partial \log \sigma_k^2} = \frac12 \frac{(x - \mu_k)^2}{\sigma_k^2} - \frac12
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


class Weights(NamedTuple):
    """The weight of each term in an epoch, including warm-ups (:func:`gmvae.model.objective.weigh`)."""

    divergences: float  # terms 2, 3 and 4; term 4 also has a weight of its own
    z_prior: float
    consistency_violation: float
    view_consistency: float
    min_information: float


class Mixture:
    r"""The components of x at samples of w, and the posterior at samples of x.

    Arguments:
        x: Samples, (M, B, X).
        p_x: Means and log-variances, (M, B, 2, K, X).
    """

    def __init__(self, x: Tensor, p_x: Tensor) -> None:
        self.mean, self.log_variance = p_x.unbind(2)  # (M, B, K, X)
        self.precision = self.log_variance.neg().exp_()
        distance = x.unsqueeze(2) - self.mean
        self.pull = distance * self.precision  # the derivative of l by the mean
        self.squares = distance.mul_(self.pull)
        self.l = (self.squares + self.log_variance).sum(-1).mul_(-0.5)  # (M, B, K)
        self.log_pi = self.l.log_softmax(-1)
        self.pi = self.log_pi.exp()
        self.entropy = (self.pi * self.log_pi).sum(-1, keepdim=True).neg_()  # (M, B, 1)

    def backward(self, d_l: Tensor) -> tuple[Tensor, Tensor]:
        """From the derivative by l, (M, B, K), compute those by x, (M, B, X), and by p_x, (M, B, 2, K, X)."""
        d_l = d_l.unsqueeze(-1)
        d_mean = self.pull.mul_(d_l)
        d_log_variance = self.squares.sub_(1).mul_(d_l).mul_(0.5)
        return d_mean.sum(2).neg_(), torch.stack((d_mean, d_log_variance), 2)


class Found(NamedTuple):
    """Terms 2, 4, 5 and the view consistency, summed over the batch, and derivatives of the mean loss."""

    conditional_prior: Tensor
    z_prior: Tensor
    consistency_violation: Tensor
    view_consistency: Tensor
    d_x: Tensor  # (M, B, X)
    d_p_x: Tensor  # (M, B, 2, K, X)
    d_mean: Tensor | None  # by the mean of q(x | y), without the part through x, (B, X)
    d_log_variance: Tensor | float  # by its log-variance, without the part through x, (B, X)
    d_logits: Tensor | None  # by the logits of q(z | y), (B, K)


def recogniser(
    mixture: Mixture,
    mean: Tensor,
    log_variance: Tensor,
    logits: Tensor,
    known: Tensor | None,
    weight: Weights,
) -> Found:
    r"""The terms with the softmax head, with :math:`q = q_\phi(z|y)` and :math:`D_k = \mathrm{KL}(q(x|y) \|
    p_\beta(x|w,z{=}k))`.

    For a function f of q, :math:`\partial f / \partial \mathrm{logits}_k = q_k (f_k - \sum_j q_j f_j)` with
    :math:`f_k = \partial f / \partial q_k`. Up to a constant, :math:`f_k` is :math:`D_k` for term 2 and
    :math:`\log q_k` for term 4. For term 5, :math:`\partial H / \partial l_k = -\pi_k (\log \pi_k + H)`.

    Arguments:
        mixture: The components of x.
        mean: The mean of q(x | y), (B, X).
        log_variance: The log-variance of q(x | y), (B, X).
        logits: The logits of q(z | y), (B, K).
        known: Log-probabilities of the pseudo-labels of z, (B, K).
        weight: Weights of the terms.
    """
    samples, count, clusters = mixture.l.shape
    log_q = logits.log_softmax(-1)
    q = log_q.exp()
    apart = mean.unsqueeze(1) - mixture.mean  # (M, B, K, X)
    pull = apart * mixture.precision
    squares = apart.mul_(pull)
    log_ratio = log_variance.unsqueeze(1) - mixture.log_variance
    ratio = log_ratio.exp()
    beyond = squares.add_(ratio).sub_(1)  # (apart^2 + variance) / component's variance - 1
    divergence = (beyond - log_ratio).sum(-1).mul_(0.5).mean(0)  # (B, K)
    conditional_prior = (q * divergence).sum()
    z_prior = (q * log_q).sum() + count * math.log(clusters)

    by_q = divergence.mul_(weight.divergences / count)
    by_q.add_(log_q, alpha=weight.divergences * weight.z_prior / count)
    d_logits = by_q.sub_((q * by_q).sum(-1, keepdim=True)).mul_(q)
    if known is None:
        view_consistency = q.new_zeros(())
    else:
        target, tiny = known.exp(), torch.finfo(q.dtype).tiny
        view_consistency = (target * (known - q.clamp_min(tiny).log_())).sum()
        target.mul_(q >= tiny)
        by_view = q * target.sum(-1, keepdim=True) - target
        d_logits.add_(by_view, alpha=weight.view_consistency / count)

    violation = mixture.entropy.sum() / samples
    d_l = mixture.log_pi.add(mixture.entropy).mul_(mixture.pi)
    d_x, d_p_x = mixture.backward(d_l.mul_(-weight.consistency_violation / (samples * count)))
    share = (q * (weight.divergences / (samples * count))).unsqueeze(-1)  # of each divergence in the loss
    by_mean = pull.mul_(share)
    d_p_x[:, :, 0].sub_(by_mean)
    d_p_x[:, :, 1].sub_(beyond.mul_(share), alpha=0.5)
    d_log_variance = ratio.sub_(1).mul_(share).sum((0, 2)).mul_(0.5)
    return Found(
        conditional_prior, z_prior, violation, view_consistency,
        d_x, d_p_x, by_mean.sum((0, 2)), d_log_variance, d_logits,
    )  # fmt: skip


def posterior(mixture: Mixture, noise: Tensor, log_variance: Tensor, weight: Weights) -> Found:
    r"""The terms with Bayes' rule.

    For term 2, :math:`T = \sum_k \pi_k (\log q(x|y) - l_k)`, the derivative by :math:`l_k` is
    :math:`\pi_k (\log q(x|y) - l_k - T - 1)`. For term 4 it is :math:`\pi_k (\log \pi_k + H)`, unless the
    batch mean of term 4 is below the minimum information.

    Arguments:
        mixture: The components of x.
        noise: The noise of the samples of x, (M, B, X).
        log_variance: The log-variance of q(x | y), (B, X).
        weight: Weights of the terms.
    """
    samples, count, clusters = mixture.l.shape
    log_q = (noise.square() + log_variance).sum(-1, keepdim=True).mul_(-0.5)  # (M, B, 1)
    apart = log_q - mixture.l
    term = (mixture.pi * apart).sum(-1, keepdim=True)
    violation = mixture.entropy.sum() / samples
    z_prior = count * math.log(clusters) - violation
    informed = (z_prior >= count * weight.min_information).to(apart.dtype)
    d_l = mixture.log_pi.add(mixture.entropy).mul_(informed).add_(apart).sub_(term).sub_(1).mul_(mixture.pi)
    d_x, d_p_x = mixture.backward(d_l.mul_(weight.divergences / (samples * count)))
    nothing = term.new_zeros(())
    return Found(
        term.sum() / samples, z_prior, violation, nothing,
        d_x, d_p_x, None, -0.5 * weight.divergences / count, None,
    )  # fmt: skip


def bernoulli(y: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    r"""Term 1 of y, (B, D), summed over the batch, for logits of shape (M, B, D), and the derivative of its
    negative mean by the logits, :math:`(\mathrm{sigmoid}(\mathrm{logits}) - y) / MB`, (M, B, D)."""
    samples, count, _ = logits.shape
    total = (y * logits).sum().sub_(F.softplus(logits).sum())
    return total / samples, logits.sigmoid().sub_(y).div_(samples * count)


def gaussian(y: Tensor, parameters: Tensor, min_variance: float) -> tuple[Tensor, Tensor]:
    r"""Term 1 of y, (B, D), summed over the batch, for means and log-variances s of shape (M, B, 2, D), and
    the derivative of its negative mean by these, of the same shape. The variance is
    :math:`v = e^s + \mathrm{min\_variance}`, so :math:`\partial \log v / \partial s = e^s / v`."""
    samples, count, _, size = parameters.shape
    mean, raw = parameters.unbind(2)
    log_variance = raw
    if min_variance:
        log_variance = torch.logaddexp(raw, raw.new_tensor(math.log(min_variance)))
    apart = y - mean
    pull = log_variance.neg().exp_().mul_(apart)
    squares = apart.mul_(pull)
    total = (squares + log_variance).sum().mul_(-0.5).sub_(0.5 * LOG_2PI * samples * count * size)
    d_log_variance = squares.sub_(1).mul_(-0.5)
    if min_variance:
        d_log_variance.mul_((raw - log_variance).exp_())
    return total / samples, torch.stack((pull.neg_(), d_log_variance), 2).div_(samples * count)
