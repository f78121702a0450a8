"""Forward and backward passes of the compact network's convolutions, without autograd, for one model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gmvae.training.fast.stack import Stack

relu_backward = torch.ops.aten.threshold_backward.default
batch_norm_backward = torch.ops.aten.native_batch_norm_backward.default
batch_norm = torch.ops.aten.native_batch_norm.default
convolution_backward = torch.ops.aten.convolution_backward.default
LAST = torch.channels_last
SERIAL = 4
"""Maximum number of threads with which a compiled loop, which uses one, is faster than torch."""


class Convolutions:
    """Convolutions, each with batch norm and ReLU, and the flattening after them. Feature maps have the shape
    (N, C, height, width), with the channels last in memory.

    Arguments:
        stack: One model.
        name: The body that starts with these layers.
        layers: The layers, by their names in it.
        y_shape: Shape of an observation.
    """

    def __init__(
        self, stack: Stack, name: str, layers: dict[str, nn.Module], y_shape: tuple[int, ...]
    ) -> None:
        self.y_shape = y_shape
        kinds = {nn.Conv2d: Convolution, nn.BatchNorm2d: BatchNormReLU}
        self.layers: list[Any] = [
            made(stack, f"{name}.{number}", layer)
            for number, layer in layers.items()
            for kind, made in kinds.items()
            if isinstance(layer, kind)
        ]

    def forward(self, inputs: Tensor) -> Tensor:
        """(1, size of y, N) to (1, features, N), with the observations first in memory."""
        shape = inputs.shape[2], *self.y_shape
        maps = torch.empty(shape, dtype=inputs.dtype, device=inputs.device, memory_format=LAST)
        maps.copy_(inputs[0].mT.unflatten(1, self.y_shape))
        for layer in self.layers:
            maps = layer.forward(maps)
        self.out = maps
        return maps.flatten(1).mT.unsqueeze(0)

    def last(self, d_out: Tensor) -> None:
        """The backward pass, (1, features, N). The observations need no gradient."""
        d_maps = torch.empty_like(self.out).copy_(d_out[0].mT.view_as(self.out))
        for layer in reversed(self.layers[1:]):
            d_maps = layer.backward(d_maps)
        self.layers[0].last(d_maps)


class Convolution:
    """A convolution before a batch norm, which takes its bias away again. So the bias has no effect, and the
    gradient 0."""

    def __init__(self, stack: Stack, name: str, layer: nn.Conv2d) -> None:
        self.weight, self.d_weight = stack[f"{name}.weight"][0], stack.gradient(f"{name}.weight")[0]
        stack.gradient(f"{name}.bias").zero_()
        self.where = list(layer.stride), [int(one) for one in layer.padding], [1, 1], False, [0, 0], 1

    def forward(self, maps: Tensor) -> Tensor:
        """The output of the convolution, without bias."""
        self.inputs, self.turned = maps, self.weight.contiguous(memory_format=LAST)
        return torch.convolution(maps, self.turned, None, *self.where)

    def backward(self, d_out: Tensor) -> Tensor:
        """The gradient by the inputs."""
        return self._gradients(d_out, by_inputs=True)

    def last(self, d_out: Tensor) -> None:
        """The backward pass of a layer whose inputs need no gradient."""
        self._gradients(d_out, by_inputs=False)

    def _gradients(self, d_out: Tensor, *, by_inputs: bool) -> Tensor:
        d_in, d_weight, _ = convolution_backward(
            d_out, self.inputs, self.turned, None, *self.where, [by_inputs, True, False]
        )
        self.d_weight.copy_(d_weight)
        return d_in


class BatchNormReLU:
    """Batch norm with the statistics of the batch, then ReLU, for the output of a convolution without its
    bias. It updates the running statistics as torch does. With few threads, compiled loops do it
    (:mod:`gmvae.training.fast.kernels`)."""

    def __init__(self, stack: Stack, name: str, layer: nn.BatchNorm2d) -> None:
        self.momentum, self.eps = float(layer.momentum or 0.0), layer.eps
        body, _, number = name.rpartition(".")
        self.missing = stack[f"{body}.{int(number) - 1}.bias"][0]  # of the convolution
        names = ("weight", "bias", "running_mean", "running_var")
        self.weight, self.bias, *running = (stack[f"{name}.{one}"][0] for one in names)
        self.running: tuple[Any, Any] = tuple(running)  # type: ignore[assignment]
        self.d_weight, self.d_bias = (stack.gradient(f"{name}.{one}")[0] for one in names[:2])
        self.tracked = stack[f"{name}.num_batches_tracked"]
        self.compiled = self.weight.device.type == "cpu" and torch.get_num_threads() <= SERIAL
        if self.compiled:
            from gmvae.training.fast.kernels import Loops  # numba takes half a second to import

            numbers = self.weight, self.bias, *self.running, self.d_weight, self.d_bias
            self.loops = Loops([one.numpy() for one in numbers], self.momentum, self.eps)

    def forward(self, maps: Tensor) -> Tensor:
        """Feature maps to feature maps of the same shape."""
        self.tracked.add_(1)
        self.inputs = maps
        if self.compiled:
            out = torch.empty_like(maps)
            self.loops.forward(as_rows(maps), as_rows(out))
        else:
            out, *self.saved = batch_norm(
                maps, self.weight, self.bias, *self.running, True, self.momentum, self.eps
            )
            self.out = out.relu_()
        self.running[0].add_(self.missing, alpha=self.momentum)
        return out

    def backward(self, d_out: Tensor) -> Tensor:
        """The gradient by the inputs, which can take the place of ``d_out``."""
        if self.compiled:
            d_out = d_out.contiguous(memory_format=LAST)
            self.loops.backward(as_rows(d_out))
            return d_out
        d_in, d_weight, d_bias = batch_norm_backward(
            relu_backward(d_out, self.out, 0), self.inputs, self.weight, *self.running, *self.saved,
            True, self.eps, (True, True, True),
        )  # fmt: skip
        self.d_weight.copy_(d_weight)
        self.d_bias.copy_(d_bias)
        return d_in


def as_rows(maps: Tensor) -> Any:
    """Feature maps with the channels last in memory as an array (N height width, C)."""
    return maps.permute(0, 2, 3, 1).view(-1, maps.shape[1]).numpy()
