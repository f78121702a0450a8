"""The training step of benchmarks/speed.py in JAX, compiled, with a scan over steps that Python does not see.

It has the fully connected networks, q(z | y) of the recogniser, one sample, and Adam. Before it is timed, its
loss is compared with PyTorch's for the same weights and noise.
"""

from __future__ import annotations

import copy
import math
import time
from typing import Any

import jax
import jax.numpy as jnp
import torch
from torch import Tensor, nn

from gmvae.config import ObjectiveConfig
from gmvae.model import objective
from gmvae.model.vae import LOG_VARIANCES, GaussianMixtureVAE, Recognition
from gmvae.training.fast.frozen import Frozen

STEPS = 5
"""Number of steps in a scan."""
RATE, FIRST, SECOND, EPSILON = 1e-4, 0.9, 0.999, 1e-8
Tree = Any


class JaxStep:
    """A step in JAX, with a copy of a model's weights.

    Arguments:
        model: A fully connected model with q(z | y), in training mode.
        y: The batch, (B, *y_shape).
        weights: Weights of the terms. Warm-ups are over.
        teacher: The frozen teacher that q(z | y) is anchored to.

    Raises:
        AssertionError: if its loss is not that of PyTorch.
    """

    def __init__(
        self, model: GaussianMixtureVAE, y: Tensor, weights: ObjectiveConfig, teacher: Recognition | None
    ) -> None:
        recognition, generative = model.recognition, model.generative
        self.config, self.objective = model.config, weights
        self.parameters = {
            "body": layers(recognition.body),
            "heads": [layers(one)[0] for one in (recognition.x, recognition.w, recognition.z)],
            "prior": layers(generative.prior),
            "decoder": layers(generative.decoder),
        }
        self.inside, self.y = array(recognition.inside(y).flatten(1)), array(y.flatten(1))
        self.known = None
        if teacher is not None:
            known = Frozen([teacher]).layers
            self.known = [(array(weight[0]), array(bias[0, :, 0])) for weight, bias in known]
        self._compare(model, y, teacher)
        self._scan = jax.jit(lambda state: jax.lax.scan(self._step, state, None, STEPS)[0])

    def _compare(self, model: GaussianMixtureVAE, y: Tensor, teacher: Recognition | None) -> None:
        c = self.config
        noise = torch.randn(1, len(y), c.x_size + c.w_size)
        with torch.no_grad():
            known = None if teacher is None else teacher(y)[2]
            terms = objective.five_terms(copy.deepcopy(model), y, 1, None, known, noise=noise)
            want = objective.weigh(terms, self.objective, c.assignment).mean().item()
        found = float(self.loss(self.parameters, *map(array, noise[0].split([c.x_size, c.w_size], 1))))
        assert math.isclose(want, found, rel_tol=1e-4), f"the loss is {found}, PyTorch's {want}"

    def compile(self) -> float:
        """The seconds until the first scan is done."""
        began = time.perf_counter()
        zeros = jax.tree.map(jnp.zeros_like, self.parameters)
        self.state: Tree = (self.parameters, zeros, zeros, jnp.zeros(()), jax.random.key(0))
        self()
        return time.perf_counter() - began

    def __call__(self) -> None:
        """Take ``STEPS`` steps."""
        self.state = jax.block_until_ready(self._scan(self.state))

    def _step(self, state: Tree, _: None) -> tuple[Tree, None]:
        """A step of Adam."""
        parameters, first, second, count, key = state
        key, *keys = jax.random.split(key, 3)
        x_noise, w_noise = (
            jax.random.normal(one, (len(self.y), size))
            for one, size in zip(keys, (self.config.x_size, self.config.w_size), strict=True)
        )
        gradient = jax.grad(self.loss)(parameters, x_noise, w_noise)
        count += 1
        first = jax.tree.map(lambda m, g: FIRST * m + (1 - FIRST) * g, first, gradient)
        second = jax.tree.map(lambda v, g: SECOND * v + (1 - SECOND) * g * g, second, gradient)
        parameters = jax.tree.map(
            lambda p, m, v: (
                p - RATE * m / (1 - FIRST**count) / (jnp.sqrt(v / (1 - SECOND**count)) + EPSILON)
            ),
            parameters, first, second,
        )  # fmt: skip
        return (parameters, first, second, count, key), None

    def loss(self, parameters: Tree, x_noise: jax.Array, w_noise: jax.Array) -> jax.Array:
        """The mean loss of the batch."""
        c, o, count = self.config, self.objective, len(self.y)
        hidden = self.inside
        for layer in parameters["body"]:
            hidden = jax.nn.relu(batch_norm(linear(hidden, layer), *layer[2:]))
        q_x, q_w, logits = (linear(hidden, head) for head in parameters["heads"])
        (x_mean, x_log), (w_mean, w_log) = (jnp.split(q, 2, 1) for q in (q_x, q_w))
        x_log, w_log = (jnp.clip(one, *LOG_VARIANCES) for one in (x_log, w_log))
        x = x_mean + jnp.exp(0.5 * x_log) * x_noise
        w = w_mean + jnp.exp(0.5 * w_log) * w_noise

        first, last = parameters["prior"]
        p_x = linear(jnp.tanh(linear(w, first)), last).reshape(count, 2, c.clusters, c.x_size)
        mean, log = p_x[:, 0], p_x[:, 1]
        density = -0.5 * ((x[:, None] - mean) ** 2 * jnp.exp(-log) + log).sum(-1)
        log_pi = jax.nn.log_softmax(density)
        violation = -(jnp.exp(log_pi) * log_pi).sum(-1)

        log_q = jax.nn.log_softmax(logits)
        q = jnp.exp(log_q)
        apart = x_log[:, None] - log
        squares = (x_mean[:, None] - mean) ** 2 * jnp.exp(-log) + jnp.exp(apart)
        conditional_prior = (q * 0.5 * (squares - 1 - apart).sum(-1)).sum(-1)
        w_prior = 0.5 * (w_mean**2 + jnp.exp(w_log) - w_log - 1).sum(-1)
        z_prior = (q * log_q).sum(-1) + math.log(c.clusters)
        loss = conditional_prior + w_prior + o.z_prior_weight * z_prior + o.cv_weight * violation
        if self.known is not None:
            loss += o.view_weight * self._consistency(log_q)
        return (loss - self._reconstruction(parameters, x)).mean()

    def _reconstruction(self, parameters: Tree, x: jax.Array) -> jax.Array:
        """Term 1 of each observation."""
        *hidden, last = parameters["decoder"]
        for layer in hidden:
            x = jax.nn.relu(linear(x, layer))
        p_y = linear(x, last)
        if self.config.likelihood == "bernoulli":
            return (self.y * p_y - jax.nn.softplus(p_y)).sum(-1)
        mean, log = jnp.split(p_y, 2, 1)
        if self.config.min_variance:
            log = jnp.logaddexp(log, math.log(self.config.min_variance))
        return -0.5 * ((self.y - mean) ** 2 * jnp.exp(-log) + log + math.log(2 * math.pi)).sum(-1)

    def _consistency(self, log_q: jax.Array) -> jax.Array:
        """The view consistency of each observation, with the teacher's pseudo-labels."""
        *hidden, last = self.known  # type: ignore[misc]
        out = self.inside
        for weight, bias in hidden:
            out = jax.nn.relu(linear(out, (weight, bias)))
        known = jax.lax.stop_gradient(jax.nn.log_softmax(linear(out, last)))
        return (jnp.exp(known) * (known - log_q)).sum(-1)


def layers(module: Any) -> list[tuple[jax.Array, ...]]:
    """Weight, bias and, where batch norm follows, its weight and bias, of each linear layer."""
    found: list[tuple[jax.Array, ...]] = []
    for one in [module] if isinstance(module, nn.Linear) else module:
        if isinstance(one, nn.Linear):
            found.append((array(one.weight), array(one.bias)))
        elif isinstance(one, nn.BatchNorm1d):
            found[-1] += (array(one.weight), array(one.bias))
    return found


def linear(inputs: jax.Array, layer: tuple[jax.Array, ...]) -> jax.Array:
    """(N, inputs) to (N, outputs)."""
    return inputs @ layer[0].T + layer[1]


def batch_norm(inputs: jax.Array, weight: jax.Array, bias: jax.Array) -> jax.Array:
    """Batch norm with the statistics of the batch."""
    scale = weight * jax.lax.rsqrt(inputs.var(0) + 1e-5)
    return (inputs - inputs.mean(0)) * scale + bias


def array(tensor: Tensor) -> jax.Array:
    """The tensor in JAX."""
    return jnp.asarray(tensor.detach().cpu().numpy().copy())
