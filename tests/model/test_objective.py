"""The five terms, compared with calculations that share no code with them."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import distributions as td
from torch import nn

from gmvae.config import ObjectiveConfig
from gmvae.model.distributions import Categorical
from gmvae.model.objective import Terms, elbo, five_terms, formula, loss, weigh

FORMS = ("recogniser", "posterior")
LIKELIHOODS = ("bernoulli", "gaussian")


def normal(mean, log_variance):
    return td.Independent(td.Normal(mean, (0.5 * log_variance).exp()), 1)


def draws(model, y, samples):
    """Plain Monte Carlo: log p(y, x, w, z) - log q(x, w, z | y), and pieces of it, shape (samples, B).

    z is drawn too, so that nothing is summed exactly; all densities are torch.distributions'.
    """
    g, c = model.generative, model.config
    q_x, q_w, q_z = model.recognition(y)
    q_x, q_w = normal(q_x.mean, q_x.log_variance), normal(q_w.mean, q_w.log_variance)
    x, w = q_x.sample((samples,)), q_w.sample((samples,))
    p_x = g.p_x(w)
    components = normal(p_x.mean, p_x.log_variance)
    log_p_x = components.log_prob(x.unsqueeze(-2))
    posterior = td.Categorical(logits=log_p_x)
    head = posterior if q_z is None else td.Categorical(logits=q_z.log_probs.expand(samples, -1, -1))
    z = head.sample()
    parameters = g.p_y(x)
    if c.likelihood == "bernoulli":
        p_y = td.Independent(td.Bernoulli(logits=parameters.logits, validate_args=False), 1)
    else:
        p_y = normal(parameters.mean, parameters.log_variance)
    standard = td.Independent(td.Normal(torch.zeros_like(w), torch.ones_like(w)), 1)
    chosen = log_p_x.gather(-1, z.unsqueeze(-1)).squeeze(-1)
    return {
        "reconstruction": p_y.log_prob(y),
        "conditional_prior": q_x.log_prob(x) - chosen,
        "w_prior": q_w.log_prob(w) - standard.log_prob(w),
        "z_prior": head.log_prob(z) + math.log(c.clusters),
        "consistency_violation": -posterior.log_prob(posterior.sample()),
    }


def within_standard_error(ours, estimates, factor=4.5):
    """Whether the means over dimension 0 agree; both arguments have their draws there."""
    difference = ours.mean(0) - estimates.mean(0)
    error = (ours.var(0) / len(ours) + estimates.var(0) / len(estimates)).sqrt()
    return bool((difference.abs() <= factor * error + 1e-9).all())


@pytest.mark.parametrize(
    ("assignment", "likelihood", "mc_samples"),
    [
        ("posterior", "gaussian", 5),
        *(
            pytest.param(assignment, likelihood, mc_samples, marks=pytest.mark.slow)
            for assignment, likelihood, mc_samples in (
                *product(("recogniser",), LIKELIHOODS, (5,)),
                ("posterior", "bernoulli", 5),
                *product(FORMS, LIKELIHOODS, (1,)),
            )
        ),
    ],
)
def test_terms_and_bound_agree_with_plain_monte_carlo(
    build, observations, assignment, likelihood, mc_samples
):
    model = build(assignment=assignment, likelihood=likelihood, scale=1.3)
    y = observations(likelihood)
    with torch.no_grad():
        torch.default_generator.manual_seed(1)
        many = y.repeat(4000, 1)
        terms = Terms(*(t.view(4000, 5) for t in five_terms(model, many, mc_samples)))
        plain = draws(model, y, 60_000)
    assert not terms.view_consistency.any()  # there are no views
    for name, value in terms._asdict().items():
        if name in plain:
            assert within_standard_error(value, plain[name]), name
    bound = plain["reconstruction"] - plain["conditional_prior"] - plain["w_prior"] - plain["z_prior"]
    assert within_standard_error(elbo(terms), bound)


@pytest.mark.slow
@pytest.mark.parametrize("assignment", FORMS)
def test_bound_is_below_the_evidence_by_the_divergence(build, assignment):
    """In one dimension everything can be integrated: ELBO = log p(y) - KL(q(x,w,z|y) || p(x,w,z|y))."""
    model = build((1,), assignment=assignment, x_size=1, w_size=1, clusters=3, scale=1.2)
    y = torch.tensor([[0.4]], dtype=torch.float64)
    with torch.no_grad():
        grid = torch.linspace(-12, 12, 1201, dtype=torch.float64)
        step = (grid[1] - grid[0]).item()
        components = model.generative.p_x(grid[:, None])  # (w, K)
        p_y = model.generative.p_y(grid[:, None])
        log_p_y = normal(p_y.mean, p_y.log_variance).log_prob(y)  # (x,)
        log_p_x = normal(components.mean[..., None, :], components.log_variance[..., None, :]).log_prob(
            grid[:, None]
        )  # (w, K, x)
        log_p_w = td.Normal(0.0, 1.0).log_prob(grid)
        joint = log_p_y + log_p_x + log_p_w[:, None, None] - math.log(3)
        q_x, q_w, q_z = model.recognition(y)
        log_q_x = normal(q_x.mean, q_x.log_variance).log_prob(grid[:, None])
        log_q_w = normal(q_w.mean, q_w.log_variance).log_prob(grid[:, None])
        if q_z is None:
            log_q_z = log_p_x - log_p_x.logsumexp(1, keepdim=True)
        else:
            log_q_z = q_z.log_probs[0][None, :, None]
        log_q = log_q_x + log_q_w[:, None, None] + log_q_z
        q, area = log_q.exp(), step * step
        assert (q.sum() * area).item() == pytest.approx(1, abs=1e-6)
        expected = ((joint - log_q) * q).sum().item() * area
        evidence = joint.logsumexp((0, 1, 2)).item() + math.log(area)
        torch.default_generator.manual_seed(0)
        ours = elbo(five_terms(model, y.repeat(40_000, 1), 5))
    assert ours.mean().item() == pytest.approx(expected, abs=5 * ours.std().item() / 200)
    assert expected < evidence


def test_consistency_violation_by_numerical_integration(build):
    model = build((1,), x_size=1, w_size=1, clusters=3)
    y = torch.tensor([[0.2]], dtype=torch.float64)
    with torch.no_grad():
        q_x, q_w, _ = model.recognition(y)
        nodes, weights = np.polynomial.hermite_e.hermegauss(60)
        weights = weights / weights.sum()
        mx, sx = q_x.mean.item(), q_x.variance.sqrt().item()
        mw, sw = q_w.mean.item(), q_w.variance.sqrt().item()
        p_x = model.generative.p_x(torch.from_numpy(mw + sw * nodes)[:, None])  # batch (w, K)
        x = (mx + sx * nodes)[:, None, None]
        density = stats.norm.pdf(x, p_x.mean[..., 0], p_x.variance[..., 0].sqrt())  # (x, w, K)
        expected = weights @ stats.entropy(density, axis=-1) @ weights
        torch.default_generator.manual_seed(0)
        ours = five_terms(model, y.repeat(50_000, 1)).consistency_violation
    assert ours.mean().item() == pytest.approx(expected, abs=4 * ours.std().item() / 50_000**0.5 + 1e-3)


def test_exact_divergence_by_quadrature(build):
    """Term 2 of the recogniser for a known w is a sum over K of one-dimensional integrals."""
    model = build((1,), x_size=1, w_size=1, clusters=3)
    with torch.no_grad():
        model.recognition.w.weight.zero_()
        model.recognition.w.bias.copy_(torch.tensor([0.7, -60.0]))  # w = 0.7, without variance
        y = torch.tensor([[-0.3]], dtype=torch.float64)
        q_x, _, q_z = model.recognition(y)
        p_x = model.generative.p_x(torch.tensor([[0.7]], dtype=torch.float64))
        q = stats.norm(q_x.mean.item(), q_x.variance.sqrt().item())
        expected = 0.0
        for k in range(3):
            p = stats.norm(p_x.mean[0, k, 0].item(), p_x.variance[0, k, 0].sqrt().item())
            kl, _ = integrate.quad(
                lambda x, p=p: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)), *q.interval(1 - 1e-13), limit=200
            )
            expected += q_z.probs[0, k].item() * kl
        ours = five_terms(model, y).conditional_prior
    assert ours.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("assignment", FORMS)
def test_one_cluster_has_no_z_terms(build, observations, assignment):
    terms = five_terms(build(clusters=1, assignment=assignment), observations("gaussian"), 3)
    zero = torch.zeros(5, dtype=torch.float64)
    torch.testing.assert_close(terms.z_prior, zero)
    torch.testing.assert_close(terms.consistency_violation, zero)


@pytest.mark.parametrize("assignment", FORMS)
def test_renaming_clusters_renames_outputs_and_changes_no_term(build, observations, assignment):
    model, y = build(assignment=assignment), observations("gaussian")
    order = torch.tensor([2, 0, 3, 1])

    def results():
        torch.default_generator.manual_seed(5)
        with torch.no_grad():
            return five_terms(model, y, 2), model.assign(y).probs

    before, probs = results()
    with torch.no_grad():
        last = model.generative.prior[2]
        rows = torch.arange(16).view(2, 4, 2)[:, order].flatten()
        last.weight.copy_(last.weight[rows])
        last.bias.copy_(last.bias[rows])
        if model.recognition.z is not None:
            model.recognition.z.weight.copy_(model.recognition.z.weight[order])
            model.recognition.z.bias.copy_(model.recognition.z.bias[order])
    after, renamed = results()
    torch.testing.assert_close(renamed, probs[:, order])
    assert not torch.allclose(renamed, probs)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("network", "y_shape", "assignment"),
    [
        ("fc", (3,), "recogniser"),
        ("fc", (3,), "posterior"),
        ("conv", (2, 13, 12), "recogniser"),
        ("svhn", (2, 9, 8), "posterior"),
        pytest.param("conv", (2, 13, 12), "posterior", marks=pytest.mark.slow),
        pytest.param("svhn", (2, 9, 8), "recogniser", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_parameter_gets_the_gradient_of_the_loss(
    build, observations, assignment, likelihood, network, y_shape
):
    """Autograd compared with central differences, in float64, for an element of every named parameter."""
    model = build(
        y_shape, assignment=assignment, likelihood=likelihood, network=network, filters=2, scale=1.5
    ).train()
    y = observations(likelihood, count=8, size=math.prod(y_shape)).reshape(8, *y_shape)
    config = ObjectiveConfig(cv_weight=0.7, z_prior_weight=1.3, min_information=0.01)

    def value() -> torch.Tensor:
        torch.default_generator.manual_seed(3)
        return loss(model, y, config)[0].mean() / math.prod(y_shape)

    value().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        index = parameter.grad.abs().argmax()
        gradient = parameter.grad.view(-1)[index].item()
        with torch.no_grad():
            flat, step = parameter.view(-1), 1e-6
            flat[index] += step
            above = value().item()
            flat[index] -= 2 * step
            below = value().item()
            flat[index] += step
        assert gradient == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-7), name
        assert (abs(gradient) > 1e-8) == (name not in taken_away(model)), name


def taken_away(model) -> set[str]:
    """Biases whose effect is removed by batch norm."""
    bodies = (nn.Sequential, nn.Flatten, nn.Unflatten)
    layers = [(name, layer) for name, layer in model.named_modules() if not isinstance(layer, bodies)]
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    return {f"{name}.bias" for (name, _), (_, after) in pairwise(layers) if isinstance(after, norms)}


def test_minimum_information_has_no_gradient_below_lambda(build, observations):
    model, y = build(assignment="posterior"), observations("gaussian")

    def gradients(min_information: float, term: bool) -> torch.Tensor:
        model.zero_grad()
        torch.default_generator.manual_seed(2)
        values, terms = loss(model, y, ObjectiveConfig(min_information=min_information))
        total = values.mean()
        if term:  # the loss written out, with the z prior term and without it
            total = (-terms.reconstruction + terms.conditional_prior + terms.w_prior + terms.z_prior).mean()
        elif term is None:
            total = (-terms.reconstruction + terms.conditional_prior + terms.w_prior).mean()
        total.backward()
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    torch.default_generator.manual_seed(2)
    information = five_terms(model, y).z_prior.mean().item()
    assert 0.01 < information < math.log(4)
    with_term, without = gradients(0, True), gradients(0, None)
    torch.testing.assert_close(gradients(information * 1.01, False), without)
    torch.testing.assert_close(gradients(information * 0.99, False), with_term)
    assert not torch.allclose(with_term, without)


def test_weights_reach_the_loss_and_never_the_bound():
    terms = Terms(*(torch.tensor([value, 2 * value]) for value in (-5.0, 1.0, 0.5, 0.25, 0.125, 2.0)))
    config = ObjectiveConfig(cv_weight=3, z_prior_weight=2, min_information=1.0, view_weight=0.5)
    torch.testing.assert_close(elbo(terms), torch.tensor([-6.75, -13.5]))
    torch.testing.assert_close(weigh(terms, config, "recogniser"), torch.tensor([8.375, 16.75]))
    torch.testing.assert_close(weigh(terms, config, "posterior"), torch.tensor([8.5, 16.0]))
    none = ObjectiveConfig(cv_weight=0, z_prior_weight=0, min_information=0.1, view_weight=0)
    torch.testing.assert_close(weigh(terms, none, "recogniser"), torch.tensor([6.5, 13.0]))
    torch.testing.assert_close(weigh(terms, none, "posterior"), torch.tensor([6.875, 13.375]))


def test_warm_up_raises_the_divergences_and_then_the_consistency_violation():
    terms = Terms(*(torch.tensor([value]) for value in (-5.0, 1.0, 0.5, 0.25, 0.125, 0.0)))
    config = ObjectiveConfig(cv_weight=8, z_prior_weight=2, min_information=1.0, warm_up=4, cv_warm_up=2)
    shares = {1: (0, 0), 2: (0.25, 0), 4: (0.75, 0), 5: (1, 0), 6: (1, 0.5), 7: (1, 1), 500: (1, 1)}
    for epoch, (divergences, violation) in shares.items():
        expected = torch.tensor([5 + 2.0 * divergences + violation])
        torch.testing.assert_close(weigh(terms, config, "recogniser", epoch), expected)
        expected = torch.tensor([5 + 2.5 * divergences])
        torch.testing.assert_close(weigh(terms, config, "posterior", epoch), expected)
    torch.testing.assert_close(weigh(terms, config, "recogniser"), torch.tensor([8.0]))
    at_once = ObjectiveConfig(cv_weight=8, z_prior_weight=2)
    torch.testing.assert_close(weigh(terms, at_once, "recogniser", 1), torch.tensor([8.0]))


def test_the_formula_describes_the_loss():
    config = ObjectiveConfig(cv_weight=2, z_prior_weight=0, min_information=0.5)
    assert formula(config, "recogniser").endswith("w prior + 2 x consistency violation")
    assert formula(config, "posterior").endswith("w prior + max(0.5, z prior)")
    assert formula(config, "posterior", views=True).endswith("z prior) + 10 x view consistency")
    assert formula(config, "recogniser", views=True).endswith("violation + 10 x view consistency")


@pytest.mark.parametrize("assignment", FORMS)
def test_view_consistency_is_the_divergence_from_the_teacher(build, observations, assignment):
    """Compared with torch's divergence; only the output for the view has a gradient."""
    model = build(assignment=assignment).eval()
    y = observations("bernoulli").double()
    view = (y + 0.3).clamp(max=1)
    with torch.no_grad():
        target = td.Categorical(
            probs=torch.softmax(torch.arange(len(y) * 4.0).view(len(y), 4) % 3, -1).double()
        )
        expected = td.kl_divergence(target, td.Categorical(logits=model.assign(view).log_probs))
    known = Categorical(target.logits.requires_grad_())
    terms = five_terms(model, y, view=view, known=known)
    torch.testing.assert_close(terms.view_consistency, expected)
    terms.view_consistency.sum().backward()
    assert known.log_probs.grad is None
    if assignment == "recogniser":
        with torch.no_grad():
            now = td.kl_divergence(
                td.Categorical(logits=model.assign(y).log_probs),
                td.Categorical(logits=model.assign(view).log_probs),
            )
        torch.testing.assert_close(five_terms(model, y, view=view).view_consistency, now)
        held = five_terms(model, y, known=known).view_consistency
        torch.testing.assert_close(
            held, td.kl_divergence(target, td.Categorical(logits=model.assign(y).log_probs))
        )
