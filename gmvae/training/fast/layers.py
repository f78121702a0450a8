r"""Forward and backward passes of the networks' bodies, without autograd.

``forward`` keeps what ``backward`` needs. ``backward`` takes the gradient :math:`G = \partial L / \partial
\mathrm{out}`, writes the gradients of the weights into their ``grad``, and returns that of the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

relu_backward = torch.ops.aten.threshold_backward.default
tanh_backward = torch.ops.aten.tanh_backward.default
batch_norm_backward = torch.ops.aten.native_batch_norm_backward.default
batch_norm = torch.ops.aten.native_batch_norm.default
KINDS = ("weight", "bias")


def gradient(parameter: Tensor) -> Tensor:
    """The tensor that a parameter's gradient is written to."""
    if parameter.grad is None:
        parameter.grad = torch.empty_like(parameter)
    return parameter.grad


class Linear:
    r""":math:`H W^\top + b` for H of shape (N, inputs)."""

    def __init__(self, layer: nn.Linear) -> None:
        self.weight, self.bias = layer.weight.detach(), layer.bias.detach()
        self.d_weight, self.d_bias = gradient(layer.weight), gradient(layer.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, inputs) to (N, outputs)."""
        self.inputs = inputs
        return torch.addmm(self.bias, inputs, self.weight.t())

    def backward(self, d_out: Tensor) -> Tensor:
        """(N, outputs) to (N, inputs)."""
        self.last(d_out)
        return d_out.mm(self.weight)

    def last(self, d_out: Tensor) -> None:
        """The backward pass of a layer whose inputs need no gradient."""
        torch.mm(d_out.t(), self.inputs, out=self.d_weight)
        torch.sum(d_out, 0, out=self.d_bias)


class Heads(Linear):
    """Several linear layers with the same inputs, as one product; their outputs are concatenated."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        self.weights, self.biases = ([getattr(one, kind).detach() for one in layers] for kind in KINDS)
        self.weight, self.bias = torch.cat(self.weights), torch.cat(self.biases)
        self.d_weight, self.d_bias = torch.empty_like(self.weight), torch.empty_like(self.bias)
        sizes = [one.out_features for one in layers]
        for kind, whole in zip(KINDS, (self.d_weight, self.d_bias), strict=True):
            for one, grad in zip(layers, whole.split(sizes), strict=True):
                getattr(one, kind).grad = grad

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, inputs) to (N, all outputs)."""
        torch.cat(self.weights, out=self.weight)
        torch.cat(self.biases, out=self.bias)
        return super().forward(inputs)


class BatchNormReLU:
    """Batch norm with the statistics of the batch, then ReLU. It updates the running statistics as torch
    does."""

    def __init__(self, layer: nn.BatchNorm1d) -> None:
        self.momentum, self.eps = layer.momentum, layer.eps
        self.weight, self.bias = layer.weight.detach(), layer.bias.detach()
        self.d_weight, self.d_bias = gradient(layer.weight), gradient(layer.bias)
        self.running: tuple[Any, Any] = (layer.running_mean, layer.running_var)
        self.tracked: Any = layer.num_batches_tracked

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, C) to (N, C)."""
        self.tracked.add_(1)
        self.inputs = inputs
        out, *self.saved = batch_norm(
            inputs, self.weight, self.bias, *self.running, True, self.momentum, self.eps
        )
        self.out = out.relu_()
        return self.out

    def backward(self, d_out: Tensor) -> Tensor:
        """(N, C) to (N, C)."""
        d_in, d_weight, d_bias = batch_norm_backward(
            relu_backward(d_out, self.out, 0), self.inputs, self.weight, *self.running, *self.saved,
            True, self.eps, (True, True, True),
        )  # fmt: skip
        self.d_weight.copy_(d_weight)
        self.d_bias.copy_(d_bias)
        return d_in


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


class Chain:
    """The layers of a network's body, one after the other, all of the kinds above."""

    def __init__(self, body: nn.Sequential) -> None:
        self.layers: list[Any] = []
        for layer in body:
            if isinstance(layer, nn.Linear):
                self.layers.append(Linear(layer))
            elif isinstance(layer, nn.BatchNorm1d):
                self.layers.append(BatchNormReLU(layer))
            elif isinstance(layer, nn.Tanh):
                self.layers.append(Tanh())
            elif isinstance(layer, nn.ReLU) and not isinstance(self.layers[-1], BatchNormReLU):
                self.layers.append(ReLU())

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, inputs) to (N, outputs)."""
        for layer in self.layers:
            inputs = layer.forward(inputs)
        return inputs

    def backward(self, d_out: Tensor) -> Tensor:
        """(N, outputs) to (N, inputs)."""
        for layer in reversed(self.layers):
            d_out = layer.backward(d_out)
        return d_out

    def last(self, d_out: Tensor) -> None:
        """The backward pass of a network whose inputs need no gradient."""
        for layer in reversed(self.layers[1:]):
            d_out = layer.backward(d_out)
        self.layers[0].last(d_out)
