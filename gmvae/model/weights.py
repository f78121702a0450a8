"""New modules: without weights, with weights drawn as torch draws them, but from a given generator, or with
those of another module."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Generator, nn

Module = TypeVar("Module", bound=nn.Module)


def blank(build: Callable[[], Module]) -> Module:
    """Return the module that ``build`` makes, on the CPU, with uninitialised weights; buffers are 0.

    The initial weights that the layers would draw from torch's global generator are never drawn.
    """
    with torch.device("meta"):
        module = build()
    # not to_empty, which calls empty_like: for a tensor on "meta", torch would import sympy first
    module._apply(lambda one: torch.empty_strided(one.shape, one.stride(), dtype=one.dtype, device="cpu"))
    for buffer in module.buffers():
        buffer.zero_()
    return module


def fresh(build: Callable[[], Module], generator: Generator | None = None) -> Module:
    """Return the module that ``build`` makes, on the CPU, with weights drawn by :func:`initialise`."""
    module = blank(build)
    initialise(module, generator)
    return module


def copied(module: Module, dtype: torch.dtype | None = None) -> Module:
    """Return ``copy.deepcopy(module).to(dtype)``, several times faster.

    Only tensors, modules and the containers of modules, tensors and hooks are copied. Everything else that a
    module of this package holds, such as its configuration, is immutable: both have the same. Every module
    and tensor must be in one place only.
    """
    twin = module.__new__(type(module))
    for name, value in vars(module).items():
        twin.__dict__[name] = value.copy() if isinstance(value, dict | set) else value
    for name, parameter in module._parameters.items():
        if parameter is not None:
            data = _converted(parameter.detach(), dtype)
            twin._parameters[name] = nn.Parameter(data, parameter.requires_grad)
    for name, buffer in module._buffers.items():
        twin._buffers[name] = None if buffer is None else _converted(buffer, dtype)
    for name, child in module._modules.items():
        twin._modules[name] = None if child is None else copied(child, dtype)
    return twin


def _converted(tensor: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    return tensor.to(dtype if tensor.is_floating_point() else None, copy=True)


@torch.no_grad()
def initialise(module: nn.Module, generator: Generator | None = None) -> None:
    r"""Draw all weights of a module anew.

    Those of linear layers and convolutions come from :math:`U(-1/\sqrt n, 1/\sqrt n)`, with n the fan-in as
    torch counts it. Batch norm starts at scale 1 and shift 0. All other modules with ``reset_parameters``
    are reset.

    Arguments:
        module: The module, changed in place.
        generator: A generator on the module's device; torch's global one by default.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
            nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
            if layer.bias is not None:
                bound = 1 / math.sqrt(nn.init._calculate_fan_in_and_fan_out(layer.weight)[0])
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
        elif callable(reset := getattr(layer, "reset_parameters", None)):
            reset()
