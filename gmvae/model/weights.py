"""New modules: without weights, or with weights drawn as torch draws them, from a generator of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Generator, nn

Module = TypeVar("Module", bound=nn.Module)


def blank(build: Callable[[], Module]) -> Module:
    """What ``build`` makes, on the CPU, with weights yet to be filled; buffers are 0.

    The layers' own first weights, which would come from torch's global generator, are never drawn.
    """
    with torch.device("meta"):
        module = build()
    module.to_empty(device="cpu")
    for buffer in module.buffers():
        buffer.zero_()
    return module


def fresh(build: Callable[[], Module], generator: Generator | None = None) -> Module:
    """What ``build`` makes, on the CPU, with weights drawn by :func:`initialise`."""
    module = blank(build)
    initialise(module, generator)
    return module


@torch.no_grad()
def initialise(module: nn.Module, generator: Generator | None = None) -> None:
    r"""Draw all weights of a module anew: those of linear layers and convolutions from
    :math:`U(-1/\sqrt n, 1/\sqrt n)`, where n is the number of a unit's inputs as torch counts them; batch
    norm starts at scale 1 and shift 0, and whatever else can be reset is reset.

    Arguments:
        module: The module, changed in place.
        generator: Where the numbers come from, of the module's device; torch's global one unless given.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
            nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
            if layer.bias is not None:
                bound = 1 / math.sqrt(nn.init._calculate_fan_in_and_fan_out(layer.weight)[0])
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
        elif callable(reset := getattr(layer, "reset_parameters", None)):
            reset()
