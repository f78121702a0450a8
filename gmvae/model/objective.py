r"""The objective: five terms, the bound they add up to, and the loss that weighs them.

.. math:: \mathcal L = \underbrace{\mathbb E_q \log p_\theta(y|x)}_{\text{reconstruction}}
    - \underbrace{\mathbb E_q \mathrm{KL}(q(x|y) \| p_\beta(x|w,z))}_{\text{conditional prior}}
    - \underbrace{\mathrm{KL}(q(w|y) \| p(w))}_{w\text{ prior}}
    - \underbrace{\mathbb E_q \mathrm{KL}(q(z|\cdot) \| p(z))}_{z\text{ prior}}

(paper, equation 5), and the consistency violation, which regularises but is not part of the bound. Besides
these five terms of the paper there is view consistency: it makes q(z | y) agree on all augmented views of an
observation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from gmvae.config import ObjectiveConfig
from gmvae.model.distributions import Categorical
from gmvae.model.vae import GaussianMixtureVAE, Inference


class Terms(NamedTuple):
    """The terms of each observation, in nats, each of shape (B,): the paper's five, and view consistency,
    which is 0 without views."""

    reconstruction: Tensor
    conditional_prior: Tensor
    w_prior: Tensor
    z_prior: Tensor
    consistency_violation: Tensor
    view_consistency: Tensor


def loss(
    model: GaussianMixtureVAE,
    y: Tensor,
    config: ObjectiveConfig,
    epoch: float = math.inf,
    view: Tensor | None = None,
    known: Categorical | None = None,
    generator: Generator | None = None,
) -> tuple[Tensor, Terms]:
    """The loss of each observation, and the terms it consists of.

    Arguments:
        model: The model.
        y: Observations, shape (B, *y_shape).
        config: Weights, and the number of Monte Carlo samples.
        epoch: The epoch, from 1, for the warm-ups; by default these are over.
        view: An augmented view of each observation, shape (B, *y_shape).
        known: Pseudo-labels as a distribution of z, batch (B,), if the model was taught any.
        generator: Source of the noise; torch's global generator by default.

    Returns:
        The loss, to be averaged, of shape (B,), and the terms, each of shape (B,).
    """
    terms = five_terms(model, y, config.mc_samples, view, known, generator)
    return weigh(terms, config, model.config.assignment, epoch), terms


def elbo(terms: Terms) -> Tensor:
    """The lower bound on log p(y), without any weights: terms 1 - 2 - 3 - 4, in nats, shape (B,)."""
    return terms.reconstruction - terms.conditional_prior - terms.w_prior - terms.z_prior


def weigh(
    terms: Terms,
    config: ObjectiveConfig,
    assignment: str,
    epoch: float = math.inf,
    weights: Tensor | None = None,
    average: Callable[[Tensor], Tensor] = torch.mean,
) -> Tensor:
    r"""The loss to minimise, shape (B,).

    With the recogniser (paper version 1), :math:`-1 + 2 + 3 + \eta \cdot 4 + \alpha \cdot 5`; with the
    posterior (version 2), :math:`-1 + 2 + 3 + \max(\lambda, \text{batch mean of } 4)`. If the batch's
    information about z is below :math:`\lambda`, term 4 has no gradient. ``view_weight`` times the view
    consistency is added to both. ``weights`` of the observations, (B,), enter this batch mean only: the
    losses are not multiplied by them. ``average`` computes the batch mean if a batch is spread over
    processes.

    During warm-up (:meth:`gmvae.config.ObjectiveConfig.warmth`), first terms 2, 3 and 4 are multiplied by a
    common factor that grows to 1 (Sonderby et al., arXiv 1602.02282), then term 5 by one of its own.

    Differs: if term 4 is above :math:`\lambda`, version 2 of the original code multiplies its gradient by
    alpha (2 on the spiral, 0.4 on MNIST). It also reverses the sign of term 2's gradient into z: it flips the
    sum of both gradients, although only that of term 4 has the wrong sign. Here it is the gradient of the
    formula, without alpha. The original's branch for SVHN has no :math:`\lambda`: its term 4 always acts, as
    with 0 here. Differs: the original prints a bound that contains the weighted term 4; see :func:`elbo`.
    """
    warmth, cv_warmth = config.warmth(epoch)
    views = config.view_weight * terms.view_consistency
    if assignment == "posterior":
        mean = average(terms.z_prior)
        if weights is not None:
            mean = (weights * terms.z_prior).sum() / weights.sum()
        z_prior = mean.clamp(min=config.min_information)
        return -terms.reconstruction + warmth * (terms.conditional_prior + terms.w_prior + z_prior) + views
    z_prior = config.z_prior_weight * terms.z_prior
    divergences = warmth * (terms.conditional_prior + terms.w_prior + z_prior)
    violation = cv_warmth * config.cv_weight * terms.consistency_violation
    return -terms.reconstruction + divergences + violation + views


def formula(config: ObjectiveConfig, assignment: str, *, views: bool = False) -> str:
    """The loss of :func:`weigh` in words, with its full weights; with view consistency if there are
    ``views``."""
    bound = "- reconstruction + conditional prior + w prior"
    weighted = {"view consistency": config.view_weight} if views else {}
    if assignment == "posterior":
        bound += f" + max({config.min_information:g}, z prior)"
    else:
        terms = {"z prior": config.z_prior_weight, "consistency violation": config.cv_weight}
        weighted = {**terms, **weighted}
    return bound + "".join(f" + {w:g} x {name}" for name, w in weighted.items() if w)


def five_terms(
    model: GaussianMixtureVAE,
    y: Tensor,
    mc_samples: int = 1,
    view: Tensor | None = None,
    known: Categorical | None = None,
    generator: Generator | None = None,
    noise: Tensor | None = None,
) -> Terms:
    """The terms of observations of shape (B, *y_shape), with M samples of x and w each.

    The samples come from ``noise`` of shape (M, B, x_size + w_size) or else from ``generator``
    (:meth:`gmvae.model.vae.GaussianMixtureVAE.infer`). Expectations over z are exact sums over the K
    clusters.
    """
    return terms_of(model.infer(y, mc_samples, generator, noise), model, y, view, known)


def terms_of(
    given: Inference,
    model: GaussianMixtureVAE,
    y: Tensor,
    view: Tensor | None = None,
    known: Categorical | None = None,
) -> Terms:
    """The terms, computed from the result of :meth:`gmvae.model.vae.GaussianMixtureVAE.infer` for ``y``."""
    p_w, p_z = model.generative.p_w(), model.generative.p_z()
    return Terms(
        reconstruction=given.p_y.log_prob(y.flatten(1)).mean(0),
        conditional_prior=conditional_prior(given, model.config.assignment),
        w_prior=given.q_w.kl(p_w),
        z_prior=given.q_z.kl(p_z).mean(0),
        consistency_violation=given.p_z_given.entropy().mean(0),
        view_consistency=view_consistency(given, model, view, known),
    )


def conditional_prior(given: Inference, assignment: str) -> Tensor:
    r"""Term 2, :math:`\mathbb E_{q(w|y)\,q(z|\cdot)} \mathrm{KL}(q(x|y) \,\|\, p_\beta(x|w,z))`, shape (B,).

    The recogniser's z does not depend on the sample of x, so the divergence of the two Gaussians is exact.
    The posterior's z depends on that sample, so both densities are evaluated at the sample:
    :math:`\mathbb E_{q(x|y)q(w|y)} \sum_k p_\beta(z{=}k|x,w)\,[\log q(x|y) - \log p_\beta(x|w,z{=}k)]`.

    Differs: version 2 of the original code weighs the exact divergences by the posterior at the sample,
    as if the two were independent. That is not the bound.
    """
    if assignment == "recogniser":
        divergence = given.q_x.unsqueeze(-2).kl(given.p_x)  # (M, B, K)
    else:
        log_q, log_p = given.q_x.log_prob(given.x), given.p_x.log_prob(given.x.unsqueeze(-2))
        divergence = log_q.unsqueeze(-1) - log_p  # (M, B, K)
    return (given.q_z.probs * divergence).sum(-1).mean(0)


def view_consistency(
    given: Inference, model: GaussianMixtureVAE, view: Tensor | None, known: Categorical | None
) -> Tensor:
    r"""How far q(z | ...) of an augmented view v is from the target for the observation's z, shape (B,):

    .. math:: \mathrm{KL}(\pi(y) \,\|\, q(z|v))

    The target :math:`\pi(y)` is the pseudo-label that a start has taught the model, or else the current
    q(z | y). It is treated as a constant: only q(z | v) gets a gradient (Xie et al., arXiv 1904.12848).
    Without a view, v is y. Without a view and a pseudo-label the term is 0.
    """
    q_z = Categorical(given.q_z.probs.mean(0).clamp_min(torch.finfo(given.x.dtype).tiny).log())
    target = Categorical((q_z if known is None else known).log_probs.detach())
    if view is None:
        return target.kl(q_z) if known is not None else torch.zeros_like(given.x[0, :, 0])
    return target.kl(model.assign(view))
