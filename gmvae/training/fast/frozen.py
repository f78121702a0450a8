"""q(z | y) of frozen recognisers, with batch norm folded into their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from gmvae.model.vae import Recognition

FOLDED: dict[type[nn.Module], Any] = {nn.BatchNorm1d: fuse_linear_bn_eval, nn.BatchNorm2d: fuse_conv_bn_eval}
"""What folds each kind of batch norm into the layer before it."""


class Frozen:
    """log q(z | y) of frozen recognisers, one for each model; of a single one if they have convolutions."""

    @torch.no_grad()
    def __init__(self, recognitions: Sequence[Recognition]) -> None:
        bodies = [folded(one.body) for one in recognitions]
        self.maps, self.y_shape = None, recognitions[0].y_shape
        if any(isinstance(layer, nn.Conv2d) for layer in bodies[0]):
            (self.maps,) = bodies
            bodies = [nn.Sequential()]
        heads: list[Any] = [one.z for one in recognitions]
        linear = [
            [one for one in (*body, head) if isinstance(one, nn.Linear)]
            for body, head in zip(bodies, heads, strict=True)
        ]
        self.layers = [
            (
                torch.stack([one.weight for one in alike]),
                torch.stack([one.bias for one in alike]).unsqueeze(-1),
            )
            for alike in zip(*linear, strict=True)
        ]

    def __call__(self, inside: Tensor) -> Tensor:
        """(R, size of y, B), each number in its range, to (R, K, B)."""
        if self.maps is not None:
            inside = self.maps(inside[0].mT.unflatten(1, self.y_shape)).mT.unsqueeze(0)
        *hidden, (weight, bias) = self.layers
        for one, other in hidden:
            inside = torch.baddbmm(other, one, inside).relu_()
        return torch.baddbmm(bias, weight, inside).log_softmax(1)


def folded(body: nn.Module) -> nn.Sequential:
    """The same layers with each batch norm, in evaluation mode, folded into the layer before it."""
    layers: list[Any] = []
    for layer in body.children():
        fold = FOLDED.get(type(layer))
        if fold is None:
            layers.append(layer)
        else:
            layers[-1] = fold(layers[-1], layer)
    return nn.Sequential(*layers)
