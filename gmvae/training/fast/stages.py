"""Hand-written gradients of the stages of a start: the autoencoder, and teaching q(z | y) pseudo-labels."""

from __future__ import annotations

import torch
from torch import Tensor

from gmvae.model.vae import GaussianMixtureVAE, Recognition
from gmvae.training.fast import terms
from gmvae.training.fast.layers import Chain, Linear
from gmvae.training.fast.stack import Stack


class FastReconstruction:
    r"""The gradient of :math:`-\log p_\theta(y \mid x = \mathbb E_{q_\phi(x|v)}[x])`, averaged over a batch.
    It is written into the ``grad`` of the parameters that it depends on. The others have none, so an
    optimiser leaves them as they are.

    Arguments:
        model: The model, fully connected and in training mode.
    """

    def __init__(self, model: GaussianMixtureVAE) -> None:
        stack, self.config = Stack([model]), model.config
        self.body, self.head = Chain(stack, "recognition.body"), Linear(stack, "recognition.x")
        self.decoder = Chain(stack, "generative.decoder")
        self.range = stack["recognition.range"].split(1, -1) if self.config.likelihood == "gaussian" else None

    @torch.no_grad()
    def __call__(self, shown: Tensor, observed: Tensor) -> None:
        """Compute the gradient for observations and their views ``shown``, (B, *y_shape) each."""
        y, shown = (one.flatten(1).t().contiguous().unsqueeze(0) for one in (observed, shown))
        inside = shown if self.range is None else torch.clamp(shown, *self.range)
        mean, log_variance = self.head.forward(self.body.forward(inside)).chunk(2, 1)
        p_y = self.decoder.forward(mean.contiguous())
        if self.config.likelihood == "bernoulli":
            _, d_p_y = terms.bernoulli(y, p_y.unsqueeze(2))
        else:
            _, d_p_y = terms.gaussian(y, p_y.view(1, 2, y.shape[1], 1, -1), self.config.min_variance)
        d_mean = self.decoder.backward(d_p_y.view_as(p_y))
        self.body.last(self.head.backward(torch.cat((d_mean, torch.zeros_like(log_variance)), 1)))


class FastTeaching:
    r"""The gradient of the mean of :math:`(1 - q_c^r) / r` over a batch, with :math:`q = q_\phi(z|v)` and the
    pseudo-label c. Parameters that it does not depend on have no gradient:

    .. math:: \frac{\partial}{\partial \mathrm{logits}_k} \frac{1 - q_c^r}{r} = q_c^r\,(q_k - [k = c])

    Arguments:
        recognition: The recognition model of a fully connected model with q(z | y), in training mode.
    """

    def __init__(self, recognition: Recognition) -> None:
        stack = Stack([recognition])
        self.body, self.head = Chain(stack, "body"), Linear(stack, "z")

    @torch.no_grad()
    def __call__(self, shown: Tensor, clusters: Tensor, dropout: Tensor, robustness: float) -> None:
        """Compute the gradient for observations, (B, *y_shape), their pseudo-labels, (B,), and the dropout
        factors of their features, (B, H)."""
        hidden = self.body.forward(shown.flatten(1).t().contiguous().unsqueeze(0))
        dropout = dropout.t().contiguous().unsqueeze(0)
        log_q = self.head.forward(hidden * dropout).log_softmax(1)
        chosen = clusters.view(1, 1, -1)
        by_logits = log_q.exp().scatter_add_(1, chosen, log_q.new_full((), -1.0).expand(chosen.shape))
        if robustness:
            by_logits.mul_(log_q.gather(1, chosen).mul_(robustness).exp_())
        self.body.last(self.head.backward(by_logits.div_(len(shown))).mul_(dropout))
