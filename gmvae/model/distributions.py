r"""The three distributions of the model: diagonal Gaussian, Bernoulli and categorical.

The last dimension is the event: densities, divergences and entropies sum over it. Every dimension
before it is a batch and broadcasts. Everything is in nats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


@dataclass(frozen=True, slots=True)
class DiagonalGaussian:
    r"""A Gaussian with a diagonal covariance, :math:`\mathcal N(\mu, \mathrm{diag}\,\sigma^2)`.

    Arguments:
        mean: The mean :math:`\mu`, shape :math:`(*, D)`.
        log_variance: The logarithm of the variance :math:`\sigma^2`, shape :math:`(*, D)`.

    Example:
        >>> standard = DiagonalGaussian(torch.zeros(2), torch.zeros(2))
        >>> standard.kl(standard)
        tensor(0.)
    """

    mean: Tensor
    log_variance: Tensor

    @property
    def variance(self) -> Tensor:
        r""":math:`\sigma^2`, shape :math:`(*, D)`."""
        return self.log_variance.exp()

    def unsqueeze(self, dim: int) -> DiagonalGaussian:
        """The same distribution with one more batch dimension, of size one."""
        return DiagonalGaussian(self.mean.unsqueeze(dim), self.log_variance.unsqueeze(dim))

    def log_prob(self, value: Tensor) -> Tensor:
        r""":math:`\log p(v) = -\frac12 \sum_d \log 2\pi\sigma_d^2 + (v_d - \mu_d)^2 / \sigma_d^2`,
        shape :math:`(*)`."""
        squares = (value - self.mean).square() * torch.exp(-self.log_variance)
        return -0.5 * (squares + self.log_variance + math.log(2 * math.pi)).sum(-1)

    def kl(self, other: DiagonalGaussian) -> Tensor:
        r""":math:`\mathrm{KL}(p \,\|\, q) = \frac12 \sum_d \log\frac{\sigma_{q,d}^2}{\sigma_{p,d}^2} +
        \frac{\sigma_{p,d}^2 + (\mu_{p,d} - \mu_{q,d})^2}{\sigma_{q,d}^2} - 1`, shape :math:`(*)`."""
        ratio = self.log_variance - other.log_variance
        squares = (self.mean - other.mean).square() * torch.exp(-other.log_variance)
        return 0.5 * (ratio.exp() - ratio + squares - 1).sum(-1)

    def rsample(self, samples: int, generator: Generator | None = None) -> Tensor:
        r"""Reparameterised samples :math:`\mu + \sigma \epsilon`, :math:`\epsilon \sim \mathcal N(0, I)`,
        shape (samples, *, D) (Kingma and Welling, arXiv 1312.6114). The noise comes from ``generator``, by
        default torch's global generator."""
        shape = (samples, *self.mean.shape)
        return self.at(
            torch.randn(shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device)
        )

    def at(self, noise: Tensor) -> Tensor:
        r"""The points :math:`\mu + \sigma \epsilon` for noise :math:`\epsilon` of shape (samples, *, D)."""
        return self.mean + torch.exp(0.5 * self.log_variance) * noise


@dataclass(frozen=True, slots=True)
class Bernoulli:
    r"""Independent Bernoulli variables, :math:`\prod_d \mu_d^{v_d} (1 - \mu_d)^{1 - v_d}`.

    Values between 0 and 1 are taken as probabilities of a one, as is usual for grey images.

    Arguments:
        logits: :math:`\log \mu / (1 - \mu)`, shape :math:`(*, D)`.
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        r""":math:`\mu`, shape :math:`(*, D)`."""
        return self.logits.sigmoid()

    def log_prob(self, value: Tensor) -> Tensor:
        r""":math:`\log p(v) = \sum_d v_d \log \mu_d + (1 - v_d) \log(1 - \mu_d)`, shape :math:`(*)`."""
        return (value * self.logits - F.softplus(self.logits)).sum(-1)


@dataclass(frozen=True, slots=True)
class Categorical:
    r"""One of K, with probabilities :math:`\pi_k`.

    Arguments:
        log_probs: :math:`\log \pi`, normalised, shape :math:`(*, K)`.

    Example:
        >>> Categorical.from_logits(torch.tensor([0.0, -4e5])).probs
        tensor([1., 0.])
    """

    log_probs: Tensor

    @classmethod
    def from_logits(cls, logits: Tensor) -> Categorical:
        r"""The distribution with :math:`\pi_k \propto \exp(\mathrm{logits}_k)`.

        The largest logit is subtracted first. So densities that underflow can still be compared.
        """
        return cls(logits.log_softmax(-1))

    @property
    def probs(self) -> Tensor:
        r""":math:`\pi`, shape :math:`(*, K)`."""
        return self.log_probs.exp()

    def unsqueeze(self, dim: int) -> Categorical:
        """The same distribution with one more batch dimension, of size one."""
        return Categorical(self.log_probs.unsqueeze(dim))

    def entropy(self) -> Tensor:
        r""":math:`H = -\sum_k \pi_k \log \pi_k`, shape :math:`(*)`."""
        return -(self.probs * self.log_probs).sum(-1)

    def kl(self, other: Categorical) -> Tensor:
        r""":math:`\mathrm{KL}(p \,\|\, q) = \sum_k p_k (\log p_k - \log q_k)`, shape :math:`(*)`."""
        return (self.probs * (self.log_probs - other.log_probs)).sum(-1)
