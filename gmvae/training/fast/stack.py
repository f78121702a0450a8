"""Models of the same shape side by side: each of their tensors is a part of a common one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn


class Stack:
    """R models of the same shape. The tensor of each name has the shape (R, ...); the models' own tensors are
    its parts, so what changes one changes the other. The tensors of a single model stay where they are.

    Arguments:
        models: The models.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self.models = tuple(models)
        self._own = [
            dict(chain(one.named_parameters(), one.named_buffers())) for one in self.models
        ]  # by model, then by name
        self._common: dict[str, Tensor] = {}
        self.gradients: dict[str, Tensor] = {}
        for one in self.models:
            one.zero_grad()  # of an earlier stage

    def __len__(self) -> int:
        return len(self.models)

    def __getitem__(self, name: str) -> Tensor:
        """The tensor of a parameter or a buffer, (R, ...)."""
        if name not in self._common:
            self._common[name] = common([own[name] for own in self._own])
        return self._common[name]

    def gradient(self, name: str, whole: Tensor | None = None) -> Tensor:
        """The tensor that the gradient of a parameter is written to, (R, ...): a new one, or ``whole``."""
        self.gradients[name] = torch.empty_like(self[name]) if whole is None else whole
        for own, part in zip(self._own, self.gradients[name], strict=True):
            own[name].grad = part
        return self.gradients[name]


def common(tensors: Sequence[Tensor]) -> Tensor:
    """One tensor (R, ...) whose parts are R tensors of the same shape from now on."""
    if len(tensors) == 1:
        return tensors[0].detach().unsqueeze(0)
    whole = torch.stack([one.detach() for one in tensors])
    for one, part in zip(tensors, whole, strict=True):
        one.data = part
    return whole
