"""The bodies of the networks: from an observation to the heads of the recogniser, from x to the parameters
of y, and from w to the parameters of the components of x.

Every convolution, and every layer of a recogniser, has batch norm before its ReLU. A decoder that mirrors a
recogniser is built from the same list of layers, in reverse.

Differs: Torch7 draws the scales of batch norm from U(0, 1); here they start at 1. It draws the weights and
biases of a k x k transposed convolution from U(-b, b) with b = 1 / sqrt(k^2 * input channels), PyTorch with
1 / sqrt(k^2 * output channels). Batch norm cancels the difference. Only the last convolution of a decoder
has no batch norm after it: its b is 4 times the original's for MNIST, 4.6 times for SVHN.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

Shape = tuple[int, ...]

FLOAT = torch.float32
"""Data type of all weights, whatever torch's default type is."""
Linear = partial(nn.Linear, dtype=FLOAT)
Conv2d = partial(nn.Conv2d, dtype=FLOAT)
ConvTranspose2d = partial(nn.ConvTranspose2d, dtype=FLOAT)
BatchNorm1d = partial(nn.BatchNorm1d, dtype=FLOAT)
BatchNorm2d = partial(nn.BatchNorm2d, dtype=FLOAT)


class Body(nn.Sequential):
    """The layers of a network's body. In training, they can compute in another number format: matrix products
    and convolutions do then, and the rest where autocast holds it to be safe. Weights, inputs and outputs
    keep theirs, and so do all terms of the objective."""

    inner: torch.dtype | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        if self.inner is None or not self.training:
            out: Tensor = super().forward(inputs)
            return out
        with torch.autocast(inputs.device.type, self.inner):
            out = super().forward(inputs)
        return out.to(inputs.dtype)


def train_in(model: nn.Module, precision: str) -> None:
    """Let the bodies of a model compute in a number format (``float32``, ``bfloat16``) while it trains."""
    for module in model.modules():
        if isinstance(module, Body):
            module.inner = torch.bfloat16 if precision == "bfloat16" else None


def recogniser(network: str, y_shape: Shape, hidden_size: int, filters: int) -> nn.Module:
    """The body of the recogniser: (N, *y_shape) to (N, hidden_size).

    Raises:
        ValueError: if observations of this shape do not fit the network.
    """
    if network == "fc":
        return Body(*fc_recogniser(math.prod(y_shape), hidden_size))
    if network == "compact":
        return Body(*compact_recogniser(y_shape, hidden_size, filters))
    return Body(*conv_recogniser(convolutions(network, y_shape, hidden_size, filters)))


def decoder(
    network: str, x_size: int, hidden_size: int, y_shape: Shape, filters: int, parameters: int
) -> nn.Module:
    """The decoder: (N, x_size) to (N, parameters, size of y). ``parameters`` is their number for each number
    in y.

    Raises:
        ValueError: if observations of this shape do not fit the network.
    """
    y_size = math.prod(y_shape)
    if network == "compact":
        _check_image(network, y_shape, SMALLEST)
    if network in ("fc", "compact"):
        body = fc_decoder(x_size, hidden_size, parameters * y_size)
    else:
        body = conv_decoder(x_size, convolutions(network, y_shape, hidden_size, filters), parameters)
    return Body(*body, nn.Flatten(), nn.Unflatten(-1, (parameters, y_size)))


def prior(w_size: int, hidden_size: int, clusters: int, x_size: int) -> nn.Module:
    """The prior network: (N, w_size) to (N, 2, clusters, x_size), means and log-variances."""
    return Body(
        Linear(w_size, hidden_size),
        nn.Tanh(),
        Linear(hidden_size, 2 * clusters * x_size),
        nn.Unflatten(-1, (2, clusters, x_size)),
    )


def over_batches(module: nn.Module, inputs: Tensor) -> Tensor:
    """``module`` applied to inputs of shape (*, D) as if they were of shape (N, D)."""
    return module(inputs.flatten(0, -2)).unflatten(0, inputs.shape[:-1])


def fc_recogniser(y_size: int, hidden_size: int) -> nn.Sequential:
    """y-H-H, batch norm before each ReLU (the original's FullyConnected)."""
    return nn.Sequential(
        nn.Flatten(),
        Linear(y_size, hidden_size),
        BatchNorm1d(hidden_size),
        nn.ReLU(),
        Linear(hidden_size, hidden_size),
        BatchNorm1d(hidden_size),
        nn.ReLU(),
    )


def fc_decoder(x_size: int, hidden_size: int, y_size: int) -> nn.Sequential:
    """x-H-H-y, ReLU without batch norm (the original's FullyConnected)."""
    return nn.Sequential(
        Linear(x_size, hidden_size),
        nn.ReLU(),
        Linear(hidden_size, hidden_size),
        nn.ReLU(),
        Linear(hidden_size, y_size),
    )


def compact_recogniser(y_shape: Shape, hidden_size: int, filters: int) -> nn.Sequential:
    """Convolutions 5x5/F and 3x3/2F, 2F, 4F, the first and the third with stride 2, then a linear layer to H.

    It takes a twentieth of the multiplications of ``svhn`` and a third of those of ``conv``, so that many
    images can be learned on a CPU. The decoder that goes with it is fully connected.

    Raises:
        ValueError: if y_shape is not that of an image of at least 4 x 4 pixels.
    """
    _check_image("compact", y_shape, SMALLEST)
    inputs, *size = y_shape
    layers: list[nn.Module] = []
    for times, kernel, stride in COMPACT:
        outputs = times * filters
        convolution: type[nn.Conv2d] | partial[nn.Conv2d] = Conv2d if layers else ChannelsLast
        layers += [
            convolution(inputs, outputs, kernel, stride, kernel // 2),
            BatchNorm2d(outputs),
            nn.ReLU(inplace=True),  # a tenth of a step's time
        ]
        inputs, size = outputs, [-(-side // stride) for side in size]
    flat = inputs * math.prod(size)
    return nn.Sequential(
        *layers, FlattenChannelsLast(), Linear(flat, hidden_size), BatchNorm1d(hidden_size), nn.ReLU()
    )


class ChannelsLast(nn.Conv2d):
    """A convolution whose output has the channels last in memory, and so have the layers after it. For the
    compact network on a CPU, a step takes an eighth less time like this; for ``conv`` it takes more."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding, dtype=FLOAT)

    def forward(self, y: Tensor) -> Tensor:
        # with one channel, y.contiguous(memory_format=...) would leave the strides as they are
        return super().forward(torch.empty_like(y, memory_format=torch.channels_last).copy_(y))


class FlattenChannelsLast(nn.Flatten):
    """Flattens feature maps. Their gradient has the channels last in memory, as they have: a ReLU and a batch
    norm are slow if the two differ."""

    def forward(self, features: Tensor) -> Tensor:
        if features.requires_grad:
            features.register_hook(lambda grad: grad.contiguous(memory_format=torch.channels_last))
        return super().forward(features)


SMALLEST = 4
"""Minimum height and width of an image for the compact network."""
COMPACT = ((1, 5, 2), (2, 3, 1), (2, 3, 2), (4, 3, 1))
"""For each convolution: its filters as a multiple of F, its kernel and its stride."""


class Convolution(NamedTuple):
    """A convolution of the recogniser, and the height and width of its input."""

    inputs: int
    outputs: int
    kernel: tuple[int, int]
    stride: int
    padding: int
    size: tuple[int, int]


def convolutions(network: str, y_shape: Shape, hidden_size: int, filters: int) -> list[Convolution]:
    """The convolutions of a network, from an image to (hidden_size, 1, 1).

    ``conv`` is the original's for 28x28: 6x6, 6x6, 4x4 with stride 2 and padding 1, 9x9; with F, 2F, 4F
    filters and H. ``svhn`` is the original's for 32x32: 4x4 with stride 2 and padding 1 three times, then
    4x4. The last convolution covers all that the others leave, so larger and smaller images fit, too.

    Raises:
        ValueError: if y_shape is not that of an image, or the image is too small for the last convolution.
    """
    layers, minimum = NETWORKS[network]
    _check_image(network, y_shape, minimum)
    inputs, (height, width) = y_shape[0], y_shape[1:]
    stack: list[Convolution] = []
    for index, (kernel, stride, padding) in enumerate(layers):
        outputs = filters * 2**index
        stack.append(Convolution(inputs, outputs, (kernel, kernel), stride, padding, (height, width)))
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in (height, width))
        inputs = outputs
    return [*stack, Convolution(inputs, hidden_size, (height, width), 1, 0, (height, width))]


NETWORKS = {
    "conv": (((6, 1, 0), (6, 1, 0), (4, 2, 1)), 12),
    "svhn": (((4, 2, 1), (4, 2, 1), (4, 2, 1)), 8),
}
"""Kernel, stride and padding of all but the last convolution, and the minimum height and width."""


def conv_recogniser(stack: list[Convolution]) -> nn.Sequential:
    """The convolutions, each with batch norm and ReLU (the original's ConvAE, SVHNConvAE)."""
    layers: list[nn.Module] = []
    for c in stack:
        layers += [
            Conv2d(c.inputs, c.outputs, c.kernel, c.stride, c.padding),
            BatchNorm2d(c.outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.Flatten())


def conv_decoder(x_size: int, stack: list[Convolution], parameters: int) -> nn.Sequential:
    """A linear layer x-H, then the transposed convolutions, from the last to the first, with batch norm and
    ReLU between them (the original's ConvAE, SVHNConvAE)."""
    hidden_size = stack[-1].outputs
    layers: list[nn.Module] = [Linear(x_size, hidden_size), nn.Unflatten(-1, (hidden_size, 1, 1))]
    for c in reversed(stack):
        outputs = c.inputs if c is not stack[0] else parameters * c.inputs
        layers += [
            BatchNorm2d(c.outputs),
            nn.ReLU(),
            ConvTranspose2d(c.outputs, outputs, c.kernel, c.stride, c.padding, _lost(c)),
        ]
    return nn.Sequential(*layers)


def _lost(c: Convolution) -> tuple[int, int]:
    """The number of rows and columns at the lower and right edges that a convolution does not reach."""
    (height, width), (rows, columns) = c.size, c.kernel
    return (height + 2 * c.padding - rows) % c.stride, (width + 2 * c.padding - columns) % c.stride


def _check_image(network: str, y_shape: Shape, minimum: int) -> None:
    if len(y_shape) != 3 or min(y_shape[1:]) < minimum:
        raise ValueError(
            f"network is {network!r}, but an observation has shape {tuple(y_shape)}: it must be (channels, "
            f"height, width), such as (1, 28, 28), with at least {minimum} x {minimum} pixels; network fc "
            "takes any shape"
        )
