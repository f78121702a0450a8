r"""The terms of the objective, summed over a batch, and their derivatives by the outputs of the networks.

The formulas are those of :mod:`gmvae.model.objective`. R, M, B, K and X are the numbers of models, samples,
observations and clusters, and the size of x. Sums over a batch have the shape (R,). Up to a constant,
:math:`l_k = \log p_\beta(x|w,z{=}k)`. All components have the same weight, so
:math:`\pi = \mathrm{softmax}(l)` is the posterior :math:`p_\beta(z|x,w)`:

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
        x: Samples, (R, X, M, B).
        p_x: Means and log-variances, (R, 2, K, X, M, B).
    """

    def __init__(self, x: Tensor, p_x: Tensor) -> None:
        self.mean, self.log_variance = p_x.unbind(1)  # (R, K, X, M, B)
        self.precision = self.log_variance.neg().exp_()
        distance = x.unsqueeze(1) - self.mean
        self.pull = distance * self.precision  # the derivative of l by the mean
        self.squares = distance.mul_(self.pull)
        self.l = (self.squares + self.log_variance).sum(2).mul_(-0.5)  # (R, K, M, B)
        self.log_pi = self.l.log_softmax(1)
        self.pi = self.log_pi.exp()
        self.entropy = (self.pi * self.log_pi).sum(1, keepdim=True).neg_()  # (R, 1, M, B)

    def backward(self, d_l: Tensor) -> tuple[Tensor, Tensor]:
        """From the derivative by l, (R, K, M, B), compute those by x, (R, X, M, B), and by p_x,
        (R, 2, K, X, M, B)."""
        d_l = d_l.unsqueeze(2)
        d_mean = self.pull.mul_(d_l)
        d_log_variance = self.squares.sub_(1).mul_(d_l).mul_(0.5)
        return d_mean.sum(1).neg_(), torch.stack((d_mean, d_log_variance), 1)


class Found(NamedTuple):
    """Terms 2, 4, 5 and the view consistency, summed over the batch, and derivatives of the mean loss."""

    conditional_prior: Tensor
    z_prior: Tensor
    consistency_violation: Tensor
    view_consistency: Tensor
    d_x: Tensor  # (R, X, M, B)
    d_p_x: Tensor  # (R, 2, K, X, M, B)
    d_mean: Tensor | None  # by the mean of q(x | y), without the part through x, (R, X, B)
    d_log_variance: Tensor | float  # by its log-variance, without the part through x, (R, X, B)
    d_logits: Tensor | None  # by the logits of q(z | y), (R, K, B)


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
        mean: The mean of q(x | y), (R, X, B).
        log_variance: The log-variance of q(x | y), (R, X, B).
        logits: The logits of q(z | y), (R, K, B).
        known: Log-probabilities of the pseudo-labels of z, (R, K, B).
        weight: Weights of the terms.
    """
    _, clusters, samples, count = mixture.l.shape
    log_q = logits.log_softmax(1)
    q = log_q.exp()
    apart = mean[:, None, :, None] - mixture.mean  # (R, K, X, M, B)
    pull = apart * mixture.precision
    squares = apart.mul_(pull)
    log_ratio = log_variance[:, None, :, None] - mixture.log_variance
    ratio = log_ratio.exp()
    beyond = squares.add_(ratio).sub_(1)  # (apart^2 + variance) / component's variance - 1
    divergence = (beyond - log_ratio).sum(2).mul_(0.5).mean(2)  # (R, K, B)
    conditional_prior = total(q * divergence)
    z_prior = total(q * log_q) + count * math.log(clusters)

    by_q = divergence.mul_(weight.divergences / count)
    by_q.add_(log_q, alpha=weight.divergences * weight.z_prior / count)
    d_logits = by_q.sub_((q * by_q).sum(1, keepdim=True)).mul_(q)
    if known is None:
        view_consistency = torch.zeros_like(z_prior)
    else:
        target, tiny = known.exp(), torch.finfo(q.dtype).tiny
        view_consistency = total(target * (known - q.clamp_min(tiny).log_()))
        target.mul_(q >= tiny)
        by_view = q * target.sum(1, keepdim=True) - target
        d_logits.add_(by_view, alpha=weight.view_consistency / count)

    violation = total(mixture.entropy) / samples
    d_l = mixture.log_pi.add(mixture.entropy).mul_(mixture.pi)
    d_x, d_p_x = mixture.backward(d_l.mul_(-weight.consistency_violation / (samples * count)))
    share = (q * (weight.divergences / (samples * count)))[:, :, None, None]  # of a divergence in the loss
    by_mean = pull.mul_(share)
    d_p_x[:, 0].sub_(by_mean)
    d_p_x[:, 1].sub_(beyond.mul_(share), alpha=0.5)
    d_log_variance = ratio.sub_(1).mul_(share).sum((1, 3)).mul_(0.5)
    return Found(
        conditional_prior, z_prior, violation, view_consistency,
        d_x, d_p_x, by_mean.sum((1, 3)), d_log_variance, d_logits,
    )  # fmt: skip


def posterior(mixture: Mixture, noise: Tensor, log_variance: Tensor, weight: Weights) -> Found:
    r"""The terms with Bayes' rule.

    For term 2, :math:`T = \sum_k \pi_k (\log q(x|y) - l_k)`, the derivative by :math:`l_k` is
    :math:`\pi_k (\log q(x|y) - l_k - T - 1)`. For term 4 it is :math:`\pi_k (\log \pi_k + H)`, unless the
    batch mean of term 4 is below the minimum information.

    Arguments:
        mixture: The components of x.
        noise: The noise of the samples of x, (R, X, M, B).
        log_variance: The log-variance of q(x | y), (R, X, B).
        weight: Weights of the terms.
    """
    _, clusters, samples, count = mixture.l.shape
    log_q = (noise.square() + log_variance.unsqueeze(2)).sum(1, keepdim=True).mul_(-0.5)  # (R, 1, M, B)
    apart = log_q - mixture.l
    term = (mixture.pi * apart).sum(1, keepdim=True)
    violation = total(mixture.entropy) / samples
    z_prior = count * math.log(clusters) - violation
    informed = (z_prior >= count * weight.min_information).to(apart.dtype).view(-1, 1, 1, 1)
    d_l = mixture.log_pi.add(mixture.entropy).mul_(informed).add_(apart).sub_(term).sub_(1).mul_(mixture.pi)
    d_x, d_p_x = mixture.backward(d_l.mul_(weight.divergences / (samples * count)))
    return Found(
        total(term) / samples, z_prior, violation, torch.zeros_like(z_prior),
        d_x, d_p_x, None, -0.5 * weight.divergences / count, None,
    )  # fmt: skip


def bernoulli(y: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    r"""Term 1 of y, (R, D, B), summed over the batch, for logits of shape (R, D, M, B), and the derivative of
    its negative mean by the logits, :math:`(\mathrm{sigmoid}(\mathrm{logits}) - y) / MB`, of that shape."""
    samples, count = logits.shape[-2:]
    y = y.unsqueeze(2)
    term = total(y * logits).sub_(total(F.softplus(logits)))
    return term / samples, logits.sigmoid().sub_(y).div_(samples * count)


def gaussian(y: Tensor, parameters: Tensor, min_variance: float) -> tuple[Tensor, Tensor]:
    r"""Term 1 of y, (R, D, B), summed over the batch, for means and log-variances s of shape (R, 2, D, M, B),
    and the derivative of its negative mean by these, of the same shape. The variance is
    :math:`v = e^s + \mathrm{min\_variance}`, so :math:`\partial \log v / \partial s = e^s / v`."""
    size, samples, count = parameters.shape[-3:]
    mean, raw = parameters.unbind(1)
    log_variance = raw
    if min_variance:
        log_variance = torch.logaddexp(raw, raw.new_tensor(math.log(min_variance)))
    apart = y.unsqueeze(2) - mean
    pull = log_variance.neg().exp_().mul_(apart)
    squares = apart.mul_(pull)
    term = total(squares + log_variance).mul_(-0.5).sub_(0.5 * LOG_2PI * samples * count * size)
    d_log_variance = squares.sub_(1).mul_(-0.5)
    if min_variance:
        d_log_variance.mul_((raw - log_variance).exp_())
    return term / samples, torch.stack((pull.neg_(), d_log_variance), 1).div_(samples * count)


def total(values: Tensor) -> Tensor:
    """The sum of everything that belongs to a model, (R, ...) to (R,)."""
    return values.flatten(1).sum(1)
