r"""The hand-written gradient of the loss: forward through the networks and the terms, and back.

.. math:: y \to h \to (q(x|y), q(w|y), q(z|y)) \to (x, w) \to (p(y|x), p(x|w, z)) \to L

Samples are :math:`x = \mu + \sigma \epsilon`. So the gradient of x is passed on to :math:`\mu` unchanged, and
to :math:`\log \sigma^2` times :math:`\frac12 \sigma \epsilon`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn

from gmvae.config import ObjectiveConfig
from gmvae.model.objective import Terms
from gmvae.model.vae import LOG_VARIANCES, GaussianMixtureVAE, Recognition
from gmvae.training.fast import terms
from gmvae.training.fast.layers import Chain, Heads

clamp_backward = torch.ops.aten.hardtanh_backward.default


def covers(model: GaussianMixtureVAE, *, views: bool) -> bool:
    """Whether :class:`FastStep` supports this model: fully connected, in float32, without augmented views."""
    return model.config.network == "fc" and model.generative.prior.inner is None and not views


class FastStep:
    """The loss of a batch, summed term by term, and its gradient in the ``grad`` of the parameters.

    Arguments:
        model: A model that :func:`covers` accepts, in training mode.
        config: Weights of the terms.
        taught: The frozen teacher that q(z | y) is anchored to.
    """

    def __init__(
        self, model: GaussianMixtureVAE, config: ObjectiveConfig, taught: Recognition | None = None
    ) -> None:
        model.zero_grad()  # from the start
        recognition, generative = model.recognition, model.generative
        self.config, self.objective = model.config, config
        self.body = Chain(recognition.body)  # type: ignore[arg-type]
        self.heads = Heads([one for one in (recognition.x, recognition.w, recognition.z) if one is not None])
        c = model.config
        logits = [] if recognition.z is None else [c.clusters]
        self.sizes = [c.x_size, c.x_size, c.w_size, c.w_size, *logits]
        self.decoder = Chain(generative.decoder)  # type: ignore[arg-type]
        self.prior = Chain(generative.prior)  # type: ignore[arg-type]
        self.range = recognition.range.unbind(-1) if c.likelihood == "gaussian" else None
        self.taught = None if taught is None or recognition.z is None else Frozen(taught)
        self._weight: terms.Weights | None = None
        self._totals = torch.empty(0)

    @torch.no_grad()
    def __call__(self, y: Tensor, epoch: float, generator: Generator | None = None) -> Tensor:
        """Sums of the recorded values over observations of shape (B, *y_shape): loss, bound and the terms of
        :class:`gmvae.model.objective.Terms`, (8,). The gradient is that of the mean loss."""
        c, samples, count = self.config, self.objective.mc_samples, len(y)
        weight = self._weights(epoch)
        y = y.flatten(1)
        inside = y if self.range is None else torch.clamp(y, *self.range)
        heads = self.heads.forward(self.body.forward(inside))
        x_mean, x_raw, w_mean, w_raw, *logits = heads.split(self.sizes, 1)
        x_log, w_log = x_raw.clamp(*LOG_VARIANCES), w_raw.clamp(*LOG_VARIANCES)
        x_noise, w_noise = (
            torch.randn((samples, count, size), generator=generator, dtype=y.dtype, device=y.device)
            for size in (c.x_size, c.w_size)
        )
        x_offset, w_offset = (0.5 * x_log).exp_() * x_noise, (0.5 * w_log).exp_() * w_noise
        x = x_mean + x_offset
        p_x = self.prior.forward((w_mean + w_offset).flatten(0, 1))
        mixture = terms.Mixture(x, p_x.view(samples, count, 2, c.clusters, c.x_size))
        if logits:
            known = None if self.taught is None else self.taught(inside)
            found = terms.recogniser(mixture, x_mean, x_log, logits[0], known, weight)
        else:
            found = terms.posterior(mixture, x_noise, x_log, weight)
        p_y = self.decoder.forward(x.flatten(0, 1))
        if c.likelihood == "bernoulli":
            reconstruction, d_p_y = terms.bernoulli(y, p_y.view(samples, count, -1))
        else:
            reconstruction, d_p_y = terms.gaussian(y, p_y.view(samples, count, 2, -1), c.min_variance)

        d_x = self.decoder.backward(d_p_y.view_as(p_y)).view_as(x).add_(found.d_x)
        d_w = self.prior.backward(found.d_p_x.view_as(p_x)).view_as(w_offset)
        variance, share = w_log.exp(), weight.divergences / count
        w_prior = (w_mean.square() + variance - w_log).sum().sub_(w_mean.numel()).mul_(0.5)
        d_w_log = (d_w * w_offset).sum(0).add_(variance.sub_(1), alpha=share).mul_(0.5)
        d_x_log = (d_x * x_offset).sum(0).mul_(0.5).add_(found.d_log_variance)
        d_x_mean = d_x.sum(0)
        if found.d_mean is not None:
            d_x_mean.add_(found.d_mean)
        gradients = [
            d_x_mean,
            clamp_backward(d_x_log, x_raw, *LOG_VARIANCES),
            d_w.sum(0).add_(w_mean, alpha=share),
            clamp_backward(d_w_log, w_raw, *LOG_VARIANCES),
        ]
        if found.d_logits is not None:
            gradients.append(found.d_logits)
        self.body.last(self.heads.backward(torch.cat(gradients, 1)))
        sums = Terms(
            reconstruction, found.conditional_prior, w_prior, found.z_prior,
            found.consistency_violation, found.view_consistency,
        )  # fmt: skip
        return self._recorded(torch.stack(sums), count, weight)

    def _weights(self, epoch: float) -> terms.Weights:
        o, posterior = self.objective, self.config.assignment == "posterior"
        warmth, cv_warmth = o.warmth(epoch)
        return terms.Weights(
            warmth, 1.0 if posterior else o.z_prior_weight, 0.0 if posterior else cv_warmth * o.cv_weight,
            o.view_weight, o.min_information,
        )  # fmt: skip

    def _recorded(self, sums: Tensor, count: int, weight: terms.Weights) -> Tensor:
        """Loss and bound, followed by the sums of the terms. Both are linear in the terms, apart from the
        minimum information."""
        if self._weight != weight:
            w = weight.divergences
            violation = weight.consistency_violation
            loss = [-1.0, w, w, w * weight.z_prior, violation, weight.view_consistency]
            self._weight = weight
            self._totals = sums.new_tensor([loss, [1.0, -1.0, -1.0, -1.0, 0.0, 0.0]])
        linear = self._totals @ sums
        if self.config.assignment == "posterior":
            missing = (count * weight.min_information - sums[3]).clamp_(min=0)
            linear[0].add_(missing, alpha=weight.divergences)
        return torch.cat((linear, sums))


class Frozen:
    """log q(z | y) of a frozen recogniser, with batch norm folded into its weights."""

    @torch.no_grad()
    def __init__(self, recognition: Recognition) -> None:
        layers: list[Any] = list(recognition.body.children())
        norms = [(one, norm) for one, norm in pairwise(layers) if isinstance(norm, nn.BatchNorm1d)]
        self.layers = [folded(*pair) for pair in norms]
        head: Any = recognition.z
        self.weight, self.bias = head.weight.detach().t(), head.bias.detach()

    def __call__(self, inside: Tensor) -> Tensor:
        """(B, size of y), each number in its range, to (B, K)."""
        for weight, bias in self.layers:
            inside = torch.addmm(bias, inside, weight).relu_()
        return torch.addmm(self.bias, inside, self.weight).log_softmax(-1)


def folded(linear: nn.Linear, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Weight (inputs, outputs) and bias of a linear layer with the following batch norm, in evaluation mode,
    folded in."""
    mean: Any = norm.running_mean
    variance: Any = norm.running_var
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return (linear.weight.t() * scale).contiguous(), (linear.bias - mean) * scale + norm.bias
