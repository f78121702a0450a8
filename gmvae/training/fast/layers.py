r"""Forward and backward passes of the networks' bodies, without autograd, for R models side by side.

Outputs have the shape (R, C, N), with the N observations last, so that sums over the C features add whole
rows. ``forward`` keeps what ``backward`` needs. ``backward`` takes the gradient :math:`G = \partial L /
\partial \mathrm{out}`, writes the gradients of the weights into those of the stack, and returns that of the
inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gmvae.training.fast.convolutions import Convolutions
from gmvae.training.fast.stack import Stack

relu_backward = torch.ops.aten.threshold_backward.default
tanh_backward = torch.ops.aten.tanh_backward.default
batch_norm_backward = torch.ops.aten.native_batch_norm_backward.default
batch_norm = torch.ops.aten.native_batch_norm.default


class Linear:
    r""":math:`W H + b` for H of shape (R, inputs, N)."""

    weight: Tensor  # (R, outputs, inputs)
    bias: Tensor  # (R, outputs, 1)
    d_weight: Tensor
    d_bias: Tensor  # (R, outputs)

    def __init__(self, stack: Stack, name: str) -> None:
        self.weight, self.bias = stack[f"{name}.weight"], stack[f"{name}.bias"].unsqueeze(-1)
        self.d_weight, self.d_bias = stack.gradient(f"{name}.weight"), stack.gradient(f"{name}.bias")

    def forward(self, inputs: Tensor) -> Tensor:
        """(R, inputs, N) to (R, outputs, N)."""
        self.inputs = inputs
        return torch.baddbmm(self.bias, self.weight, inputs)

    def backward(self, d_out: Tensor) -> Tensor:
        """(R, outputs, N) to (R, inputs, N)."""
        self.last(d_out)
        return self.weight.mT.bmm(d_out)

    def last(self, d_out: Tensor) -> None:
        """The backward pass of a layer whose inputs need no gradient."""
        torch.bmm(d_out, self.inputs.mT, out=self.d_weight)
        torch.sum(d_out, -1, out=self.d_bias)


class AfterMaps(Linear):
    """A linear layer of one model whose inputs have the observations first in memory, as feature maps have. A
    product of two large matrices takes less time than a batch of one such product."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(1, inputs, N) to (1, outputs, N)."""
        self.inputs = inputs
        return torch.addmm(self.bias[0], self.weight[0], inputs[0]).unsqueeze(0)

    def backward(self, d_out: Tensor) -> Tensor:
        """(1, outputs, N) to (1, inputs, N), with the observations first in memory."""
        torch.mm(d_out[0], self.inputs[0].mT, out=self.d_weight[0])
        torch.sum(d_out, -1, out=self.d_bias)
        return torch.mm(d_out[0].mT, self.weight[0]).mT.unsqueeze(0)


class Heads(Linear):
    """Several linear layers with the same inputs, as one product; their outputs are concatenated."""

    def __init__(self, stack: Stack, names: Sequence[str]) -> None:
        self.weights, self.biases = ([stack[f"{one}.{kind}"] for one in names] for kind in ("weight", "bias"))
        self.weight, biases = torch.cat(self.weights, 1), torch.cat(self.biases, 1)
        self.bias = biases.unsqueeze(-1)
        self.d_weight, self.d_bias = torch.empty_like(self.weight), torch.empty_like(biases)
        sizes = [one.shape[1] for one in self.biases]
        self.parts = [*self.d_weight.split(sizes, 1), *self.d_bias.split(sizes, 1)]
        # an optimiser needs contiguous gradients: the parts of a single model are
        self.copies = [] if len(stack) == 1 else [torch.empty_like(part) for part in self.parts]
        keys = [f"{name}.{kind}" for kind in ("weight", "bias") for name in names]
        for key, gradient in zip(keys, self.copies or self.parts, strict=True):
            stack.gradient(key, gradient)

    def forward(self, inputs: Tensor) -> Tensor:
        """(R, inputs, N) to (R, all outputs, N)."""
        torch.cat(self.weights, 1, out=self.weight)
        torch.cat(self.biases, 1, out=self.bias.squeeze(-1))
        return super().forward(inputs)

    def last(self, d_out: Tensor) -> None:
        """The backward pass of layers whose inputs need no gradient."""
        super().last(d_out)
        if self.copies:
            torch._foreach_copy_(self.copies, self.parts)


class BatchNormReLU:
    """Batch norm with the statistics of the batch, then ReLU. It updates the running statistics as torch
    does. The features of R models are R C channels."""

    def __init__(self, stack: Stack, name: str, layer: nn.BatchNorm1d) -> None:
        self.momentum, self.eps = layer.momentum, layer.eps
        names = ("weight", "bias", "running_mean", "running_var")
        self.weight, self.bias, *running = (stack[f"{name}.{one}"].flatten() for one in names)
        self.running: tuple[Any, Any] = tuple(running)  # type: ignore[assignment]
        self.d_weight, self.d_bias = (stack.gradient(f"{name}.{one}").flatten() for one in names[:2])
        self.tracked = stack[f"{name}.num_batches_tracked"]

    def forward(self, inputs: Tensor) -> Tensor:
        """(R, C, N) to (R, C, N)."""
        self.tracked.add_(1)
        self.inputs = inputs.flatten(0, 1).unsqueeze(0)
        out, *self.saved = batch_norm(
            self.inputs, self.weight, self.bias, *self.running, True, self.momentum, self.eps
        )
        self.out = out.relu_()
        return self.out.view_as(inputs)

    def backward(self, d_out: Tensor) -> Tensor:
        """(R, C, N) to (R, C, N)."""
        d_in, d_weight, d_bias = batch_norm_backward(
            relu_backward(d_out.view_as(self.out), self.out, 0), self.inputs, self.weight, *self.running,
            *self.saved, True, self.eps, (True, True, True),
        )  # fmt: skip
        self.d_weight.copy_(d_weight)
        self.d_bias.copy_(d_bias)
        return d_in.view_as(d_out)


class ReLU:
    """Negative numbers become 0."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape; in place."""
        self.out = inputs.relu_()
        return self.out

    def backward(self, d_out: Tensor) -> Tensor:
        """The same shape."""
        return relu_backward(d_out, self.out, 0)


class Tanh:
    """The hyperbolic tangent."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape; in place."""
        self.out = inputs.tanh_()
        return self.out

    def backward(self, d_out: Tensor) -> Tensor:
        """The same shape."""
        return tanh_backward(d_out, self.out)


WITH_RELU = BatchNormReLU, Convolutions
"""Layers that contain the ReLU after them."""


class Chain:
    """The layers of a network's body, one after the other: all of the kinds above, after convolutions if it
    has any."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.layers: list[Any] = []
        layers = dict(stack.models[0].get_submodule(name).named_children())
        if isinstance(next(iter(layers.values())), nn.Conv2d):
            y_shape: Any = stack.models[0].y_shape
            self.layers.append(Convolutions(stack, name, layers, y_shape))
        for number, layer in layers.items():
            if isinstance(layer, nn.Linear):
                after_maps = self.layers and isinstance(self.layers[-1], Convolutions)
                self.layers.append((AfterMaps if after_maps else Linear)(stack, f"{name}.{number}"))
            elif isinstance(layer, nn.BatchNorm1d):
                self.layers.append(BatchNormReLU(stack, f"{name}.{number}", layer))
            elif isinstance(layer, nn.Tanh):
                self.layers.append(Tanh())
            elif isinstance(layer, nn.ReLU) and not isinstance(self.layers[-1], WITH_RELU):
                self.layers.append(ReLU())

    def forward(self, inputs: Tensor) -> Tensor:
        """(R, inputs, N) to (R, outputs, N)."""
        for layer in self.layers:
            inputs = layer.forward(inputs)
        return inputs

    def backward(self, d_out: Tensor) -> Tensor:
        """(R, outputs, N) to (R, inputs, N)."""
        for layer in reversed(self.layers):
            d_out = layer.backward(d_out)
        return d_out

    def last(self, d_out: Tensor) -> None:
        """The backward pass of a network whose inputs need no gradient."""
        for layer in reversed(self.layers[1:]):
            d_out = layer.backward(d_out)
        self.layers[0].last(d_out)
