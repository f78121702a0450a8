r"""The hand-written gradient of the loss: forward through the networks and the terms, and back.

.. math:: y \to h \to (q(x|y), q(w|y), q(z|y)) \to (x, w) \to (p(y|x), p(x|w, z)) \to L

Samples are :math:`x = \mu + \sigma \epsilon`. So the gradient of x is passed on to :math:`\mu` unchanged, and
to :math:`\log \sigma^2` times :math:`\frac12 \sigma \epsilon`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from gmvae.config import ObjectiveConfig
from gmvae.model.objective import Terms
from gmvae.model.vae import LOG_VARIANCES, GaussianMixtureVAE, Recognition
from gmvae.training.fast import terms
from gmvae.training.fast.frozen import Frozen
from gmvae.training.fast.layers import Chain, Heads
from gmvae.training.fast.stack import Stack

clamp_backward = torch.ops.aten.hardtanh_backward.default


def covers(model: GaussianMixtureVAE, *, views: bool) -> bool:
    """Whether :class:`FastStep` supports this model: fully connected or compact, in float32, without
    augmented views."""
    known = model.config.network in ("fc", "compact")
    return known and model.generative.prior.inner is None and not views


class FastStep:
    """The loss of a batch of each of R models, summed term by term, and its gradient in the ``grad`` of their
    parameters.

    Arguments:
        stack: Models that :func:`covers` accepts, in training mode.
        config: Weights of the terms.
        taught: For each model, the frozen teacher that q(z | y) is anchored to; or none at all.
    """

    def __init__(self, stack: Stack, config: ObjectiveConfig, taught: Sequence[Recognition] = ()) -> None:
        model: Any = stack.models[0]
        self.config, self.objective = model.config, config
        c = model.config
        logits = c.assignment == "recogniser"
        self.body = Chain(stack, "recognition.body")
        self.heads = Heads(stack, [f"recognition.{one}" for one in ("x", "w", *["z"] * logits)])
        self.sizes = [c.x_size, c.x_size, c.w_size, c.w_size, *[c.clusters] * logits]
        self.decoder = Chain(stack, "generative.decoder")
        self.prior = Chain(stack, "generative.prior")
        self.range = stack["recognition.range"].split(1, -1) if c.likelihood == "gaussian" else None
        self.taught = Frozen(taught) if taught and logits else None
        self._weight: terms.Weights | None = None
        self._totals = torch.empty(0)

    @torch.no_grad()
    def __call__(self, y: Tensor, epoch: float, generators: Sequence[Generator | None] = (None,)) -> Tensor:
        """Sums of the recorded values over observations of shape (R, B, *y_shape): loss, bound and the terms
        of :class:`gmvae.model.objective.Terms`, (R, 8). The gradient is that of each mean loss. The noise of
        each model is drawn from its own generator."""
        c, samples, count = self.config, self.objective.mc_samples, y.shape[1]
        weight = self._weights(epoch)
        y = y.flatten(2).mT.contiguous()  # (R, D, B)
        inside = y if self.range is None else torch.clamp(y, *self.range)
        heads = self.heads.forward(self.body.forward(inside))
        x_mean, x_raw, w_mean, w_raw, *logits = heads.split(self.sizes, 1)
        x_log, w_log = x_raw.clamp(*LOG_VARIANCES), w_raw.clamp(*LOG_VARIANCES)
        x_noise, w_noise = (
            noise(y, samples, count, size, generators) for size in (c.x_size, c.w_size)
        )  # (R, size, M, B)
        x_offset = (0.5 * x_log).exp_().unsqueeze(2) * x_noise
        w_offset = (0.5 * w_log).exp_().unsqueeze(2) * w_noise
        x = x_mean.unsqueeze(2) + x_offset
        p_x = self.prior.forward((w_mean.unsqueeze(2) + w_offset).flatten(2))
        mixture = terms.Mixture(x, p_x.view(len(y), 2, c.clusters, c.x_size, samples, count))
        if logits:
            known = None if self.taught is None else self.taught(inside)
            found = terms.recogniser(mixture, x_mean, x_log, logits[0], known, weight)
        else:
            found = terms.posterior(mixture, x_noise, x_log, weight)
        p_y = self.decoder.forward(x.flatten(2))
        if c.likelihood == "bernoulli":
            reconstruction, d_p_y = terms.bernoulli(y, p_y.view(*y.shape[:2], samples, count))
        else:
            parameters = p_y.view(len(y), 2, y.shape[1], samples, count)
            reconstruction, d_p_y = terms.gaussian(y, parameters, c.min_variance)

        d_x = self.decoder.backward(d_p_y.view_as(p_y)).view_as(x).add_(found.d_x)
        d_w = self.prior.backward(found.d_p_x.view_as(p_x)).view_as(w_offset)
        variance, share = w_log.exp(), weight.divergences / count
        w_prior = terms.total(w_mean.square() + variance - w_log).sub_(c.w_size * count).mul_(0.5)
        d_w_log = (d_w * w_offset).sum(2).add_(variance.sub_(1), alpha=share).mul_(0.5)
        d_x_log = (d_x * x_offset).sum(2).mul_(0.5).add_(found.d_log_variance)
        d_x_mean = d_x.sum(2)
        if found.d_mean is not None:
            d_x_mean.add_(found.d_mean)
        gradients = [
            d_x_mean,
            clamp_backward(d_x_log, x_raw, *LOG_VARIANCES),
            d_w.sum(2).add_(w_mean, alpha=share),
            clamp_backward(d_w_log, w_raw, *LOG_VARIANCES),
        ]
        if found.d_logits is not None:
            gradients.append(found.d_logits)
        self.body.last(self.heads.backward(torch.cat(gradients, 1)))
        sums = Terms(
            reconstruction, found.conditional_prior, w_prior, found.z_prior,
            found.consistency_violation, found.view_consistency,
        )  # fmt: skip
        return self._recorded(torch.stack(sums), count, weight).mT

    def _weights(self, epoch: float) -> terms.Weights:
        o, posterior = self.objective, self.config.assignment == "posterior"
        warmth, cv_warmth = o.warmth(epoch)
        return terms.Weights(
            warmth, 1.0 if posterior else o.z_prior_weight, 0.0 if posterior else cv_warmth * o.cv_weight,
            o.view_weight, o.min_information,
        )  # fmt: skip

    def _recorded(self, sums: Tensor, count: int, weight: terms.Weights) -> Tensor:
        """Loss and bound, followed by the sums of the terms, (6, R) to (8, R). Both are linear in the terms,
        apart from the minimum information."""
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


def noise(
    like: Tensor, samples: int, count: int, size: int, generators: Sequence[Generator | None]
) -> Tensor:
    """Standard normal numbers, (R, size, M, B), in the order in which the reference draws them."""
    drawn = like.new_empty(len(generators), samples, count, size)
    for part, generator in zip(drawn, generators, strict=True):
        part.normal_(generator=generator)
    return drawn.permute(0, 3, 1, 2).contiguous()
