"""The networks' bodies: what lies between an observation and the heads of the recogniser, between
x and the parameters of y, and between w and the parameters of the components of x."""

from __future__ import annotations

import math

from torch import Tensor, nn


def recogniser(network: str, y_shape: tuple[int, ...], hidden_size: int) -> nn.Module:
    """The body of the recogniser: (N, *y_shape) to (N, hidden_size).

    Differs: Torch7 draws the scales of batch norm from U(0, 1); here they start at 1.
    """
    return RECOGNISERS[network](y_shape, hidden_size)


def decoder(
    network: str, x_size: int, hidden_size: int, y_shape: tuple[int, ...], parameters: int
) -> nn.Module:
    """The decoder: (N, x_size) to (N, parameters, size of y), with so many parameters per number in y."""
    return DECODERS[network](x_size, hidden_size, y_shape, parameters)


def prior(w_size: int, hidden_size: int, clusters: int, x_size: int) -> nn.Module:
    """The prior network: (N, w_size) to (N, 2, clusters, x_size), means and log-variances."""
    return nn.Sequential(
        nn.Linear(w_size, hidden_size),
        nn.Tanh(),
        nn.Linear(hidden_size, 2 * clusters * x_size),
        nn.Unflatten(-1, (2, clusters, x_size)),
    )


def fc_recogniser(y_shape: tuple[int, ...], hidden_size: int) -> nn.Module:
    """y-H-H, batch norm before each ReLU (the original's FullyConnected)."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(y_shape), hidden_size),
        nn.BatchNorm1d(hidden_size),
        nn.ReLU(),
        nn.Linear(hidden_size, hidden_size),
        nn.BatchNorm1d(hidden_size),
        nn.ReLU(),
    )


def fc_decoder(x_size: int, hidden_size: int, y_shape: tuple[int, ...], parameters: int) -> nn.Module:
    """x-H-H-y, ReLU without batch norm (the original's FullyConnected)."""
    y_size = math.prod(y_shape)
    return nn.Sequential(
        nn.Linear(x_size, hidden_size),
        nn.ReLU(),
        nn.Linear(hidden_size, hidden_size),
        nn.ReLU(),
        nn.Linear(hidden_size, parameters * y_size),
        nn.Unflatten(-1, (parameters, y_size)),
    )


RECOGNISERS = {"fc": fc_recogniser}
DECODERS = {"fc": fc_decoder}


def over_batches(module: nn.Module, inputs: Tensor) -> Tensor:
    """``module`` applied to inputs of shape (*, D) as if they were of shape (N, D)."""
    return module(inputs.flatten(0, -2)).unflatten(0, inputs.shape[:-1])
