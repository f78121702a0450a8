r"""The Gaussian mixture variational autoencoder (Dilokthanakul et al., arXiv 1611.02648).

Generative model, from the top down::

    p(w) = N(0, I)        p(z) = 1/K
    p(x | w, z=k) = N(mu_k(w), diag sigma_k^2(w))
    p(y | x) = Bernoulli(mu(x))  or  N(mu(x), diag sigma^2(x))

Recognition model, from the bottom up::

    q(x | y), q(w | y): diagonal Gaussians
    q(z | ...): a softmax head q(z | y), the "recogniser", or Bayes' rule p(z | x, w), the "posterior"

In shapes, B is the number of observations, M the number of Monte Carlo samples of each, and K the number of
clusters.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from gmvae.config import ModelConfig
from gmvae.model import networks
from gmvae.model.distributions import Bernoulli, Categorical, DiagonalGaussian

LOG_VARIANCES = (-40.0, 20.0)
"""Bounds of the log-variances of q(x | y) and q(w | y). Between them exp neither overflows nor underflows.
Training never comes near them: at the upper one the divergence from a variance of 1 is exp(20) / 2 nats."""
MARGIN = 0.1
"""How much the range of the data is widened on either side, as a share of its width."""
SAVED_RANGE = (-100.0, 100.0)
"""The range given to models that were saved without one. No row of 10,000 can lie more standard deviations
from the mean."""


class Generative(nn.Module):
    """The generative model: w and z give x, and x gives y.

    Arguments:
        y_shape: Shape of one observation.
        config: Sizes, likelihood and network.
    """

    zero: Tensor

    def __init__(self, y_shape: tuple[int, ...], config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        parameters = 1 if c.likelihood == "bernoulli" else 2
        self.decoder = networks.decoder(c.network, c.x_size, c.hidden_size, y_shape, c.filters, parameters)
        self.prior = networks.prior(c.w_size, c.hidden_size, c.clusters, c.x_size)
        self.register_buffer("zero", torch.zeros((), dtype=networks.FLOAT), persistent=False)

    def p_w(self) -> DiagonalGaussian:
        r""":math:`p(w) = \mathcal N(0, I)`, batch (), event (w_size,)."""
        zeros = self.zero.expand(self.config.w_size)
        return DiagonalGaussian(zeros, zeros)

    def p_z(self) -> Categorical:
        r""":math:`p(z) = 1/K`, batch (), event one of K."""
        return Categorical.from_logits(self.zero.expand(self.config.clusters))

    def p_x(self, w: Tensor) -> DiagonalGaussian:
        r""":math:`p_\beta(x \mid w, z = k)` for every k: w of shape (*, w_size) to batch (*, K),
        event (x_size,)."""
        mean, log_variance = networks.over_batches(self.prior, w).unbind(-3)
        return DiagonalGaussian(mean, log_variance)

    def p_y(self, x: Tensor) -> Bernoulli | DiagonalGaussian:
        r""":math:`p_\theta(y \mid x)`: x of shape (*, x_size) to batch (*), event (size of y,). A Gaussian's
        variance is ``min_variance`` plus the decoder's, so that no observation has an unbounded density."""
        parameters = networks.over_batches(self.decoder, x).unbind(-2)
        if self.config.likelihood == "bernoulli":
            return Bernoulli(*parameters)
        mean, log_variance = parameters
        if self.config.min_variance:
            log_variance = torch.logaddexp(log_variance, self.zero + math.log(self.config.min_variance))
        return DiagonalGaussian(mean, log_variance)

    def p_z_given(self, x: Tensor, p_x: DiagonalGaussian) -> Categorical:
        r""":math:`p_\beta(z{=}k \mid x, w) = p(z{=}k)\,p_\beta(x \mid w, z{=}k) \,/\,
        \sum_j p(z{=}j)\,p_\beta(x \mid w, z{=}j)` (paper, equation 6).

        Arguments:
            x: Shape (*, x_size).
            p_x: What :meth:`p_x` gives for w, batch (*, K).
        """
        return Categorical.from_logits(self.p_z().log_probs + p_x.log_prob(x.unsqueeze(-2)))


class Recognition(nn.Module):
    """The recognition model: q(x | y), q(w | y) and, in the recogniser form, q(z | y).

    With a Gaussian likelihood, each number of an observation is first clipped to the ``range`` of the
    training data, (size of y, 2). So an observation far away is treated as one at the edge of the data, where
    the networks have learned something. Without clipping, log-variances would grow with the distance until
    their exp overflows. p(y | x) is still evaluated at the whole observation: the bound falls with the square
    of the distance (:mod:`gmvae.model.far`).

    Arguments:
        y_shape: Shape of one observation.
        config: Sizes, form of q(z | ...) and network.
    """

    range: Tensor

    def __init__(self, y_shape: tuple[int, ...], config: ModelConfig) -> None:
        super().__init__()
        self.y_shape, self.config = tuple(y_shape), config
        c = config
        if c.likelihood == "gaussian":
            self.register_buffer("range", torch.empty(math.prod(y_shape), 2, dtype=networks.FLOAT))
            self.reset_parameters()
        self.body = networks.recogniser(c.network, y_shape, c.hidden_size, c.filters)
        self.x = networks.Linear(c.hidden_size, 2 * c.x_size)
        self.w = networks.Linear(c.hidden_size, 2 * c.w_size)
        self.z = networks.Linear(c.hidden_size, c.clusters) if c.assignment == "recogniser" else None

    def forward(self, y: Tensor) -> tuple[DiagonalGaussian, DiagonalGaussian, Categorical | None]:
        r""":math:`q_\phi(x \mid y)`, :math:`q_\phi(w \mid y)` and :math:`q_\phi(z \mid y)`, the last of them
        ``None`` in the posterior form: y of shape (B, *y_shape) to batch (B,)."""
        hidden = self.body(self.inside(y))
        q_x, q_w = (_bounded(*head(hidden).chunk(2, -1)) for head in (self.x, self.w))
        q_z = None if self.z is None else Categorical.from_logits(self.z(hidden))
        return q_x, q_w, q_z

    def reset_parameters(self) -> None:
        """Reset the range of the data, so that it holds any number."""
        if self.config.likelihood == "gaussian":
            maximum = torch.finfo(networks.FLOAT).max
            self.range.copy_(self.range.new_tensor([-maximum, maximum]))

    def take_range(self, minimum: Tensor, maximum: Tensor, *, widen: bool = False) -> None:
        """Set the range of the data to the minimum and maximum of each number, of shape (size of y,), with a
        ``MARGIN`` on either side. With ``widen`` it also keeps what was in the range before."""
        if self.config.likelihood != "gaussian":
            return
        minimum, maximum = (edge.flatten().to(self.range) for edge in (minimum, maximum))
        margin = MARGIN * (maximum - minimum)
        minimum, maximum = minimum - margin, maximum + margin
        if widen:
            minimum, maximum = (
                torch.minimum(minimum, self.range[:, 0]),
                torch.maximum(maximum, self.range[:, 1]),
            )
        self.range.copy_(torch.stack((minimum, maximum), -1))

    def edges(self) -> tuple[Tensor, Tensor] | None:
        """The minimum and the maximum of each number in the data, (size of y,) each; ``None`` if the range is
        not that of data."""
        minimum, maximum = self.range.unbind(-1)
        if (
            not torch.isfinite(maximum - minimum).all()
            or (self.range == self.range.new_tensor(SAVED_RANGE)).all()
        ):
            return None
        margin = MARGIN / (1 + 2 * MARGIN) * (maximum - minimum)
        return minimum + margin, maximum - margin

    def inside(self, y: Tensor) -> Tensor:
        """Observations of shape (B, *y_shape), each number clipped to its range."""
        if self.config.likelihood != "gaussian":
            return y
        minimum, maximum = self.range.unbind(-1)
        return torch.clamp(y.flatten(1), minimum, maximum).reshape(y.shape)

    def far(self, y: Tensor) -> Tensor:
        """Which observations of shape (B, *y_shape) have a number that lies outside its range by more than
        half the width of the range, (B,)."""
        if self.config.likelihood != "gaussian":
            return torch.zeros(len(y), dtype=torch.bool, device=y.device)
        minimum, maximum = self.range.unbind(-1)
        half, y = (maximum - minimum) / 2, y.flatten(1)
        return ((y < minimum - half) | (y > maximum + half)).any(1)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        if self.config.likelihood == "gaussian" and f"{prefix}range" not in state:
            state[f"{prefix}range"] = self.range.new_tensor(SAVED_RANGE).expand_as(self.range)
        super()._load_from_state_dict(state, prefix, *rest)


def _bounded(mean: Tensor, log_variance: Tensor) -> DiagonalGaussian:
    return DiagonalGaussian(mean, log_variance.clamp(*LOG_VARIANCES))


class Inference(NamedTuple):
    """All that the objective needs of a batch: its distributions and the samples drawn from them."""

    q_x: DiagonalGaussian  # q(x | y), batch (B,)
    q_w: DiagonalGaussian  # q(w | y), batch (B,)
    q_z: Categorical  # q(z | ...), batch (1, B) from the recogniser, (M, B) from the posterior
    x: Tensor  # samples of q(x | y), (M, B, x_size)
    w: Tensor  # samples of q(w | y), (M, B, w_size)
    p_x: DiagonalGaussian  # p(x | w, z=k), batch (M, B, K)
    p_y: Bernoulli | DiagonalGaussian  # p(y | x), batch (M, B)
    p_z_given: Categorical  # p(z | x, w), batch (M, B)


class GaussianMixtureVAE(nn.Module):
    """The whole model: ``generative`` and ``recognition``, and the passes through both.

    Arguments:
        y_shape: Shape of one observation, such as (2,) or (1, 28, 28).
        config: Everything else.
    """

    def __init__(self, y_shape: tuple[int, ...], config: ModelConfig) -> None:
        super().__init__()
        for name in ("likelihood", "network"):
            if getattr(config, name) == "auto":
                raise ValueError(f"{name} is 'auto': it must be resolved before a model is made")
        self.y_shape, self.config = tuple(y_shape), config
        self.generative = Generative(self.y_shape, config)
        self.recognition = Recognition(self.y_shape, config)

    def infer(
        self,
        y: Tensor,
        mc_samples: int = 1,
        generator: Generator | None = None,
        noise: Tensor | None = None,
    ) -> Inference:
        """Infer x, w and z from observations of shape (B, *y_shape) and generate from them again, M times
        each. The noise has shape (M, B, x_size + w_size). If it is not given, it is drawn from ``generator``,
        by default torch's global generator."""
        q_x, q_w, q_z = self.recognition(y)
        if noise is None:
            x, w = q_x.rsample(mc_samples, generator), q_w.rsample(mc_samples, generator)
        else:
            e_x, e_w = noise.split((self.config.x_size, self.config.w_size), -1)
            x, w = q_x.at(e_x), q_w.at(e_w)
        p_x, p_y = self.generative.p_x(w), self.generative.p_y(x)
        p_z_given = self.generative.p_z_given(x, p_x)
        q_z = p_z_given if q_z is None else q_z.unsqueeze(0)
        return Inference(q_x, q_w, q_z, x, w, p_x, p_y, p_z_given)

    def assign(self, y: Tensor) -> Categorical:
        r"""The cluster probabilities of observations, without sampling: :math:`q_\phi(z \mid y)`, or
        :math:`p_\beta(z \mid x, w)` at the means of x and w. y of shape (B, *y_shape) to batch (B,)."""
        q_x, q_w, q_z = self.recognition(y)
        if q_z is None:
            q_z = self.generative.p_z_given(q_x.mean, self.generative.p_x(q_w.mean))
        return q_z

    def extra_repr(self) -> str:
        return f"y_shape={self.y_shape}, clusters={self.config.clusters}"
