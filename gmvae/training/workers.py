"""Processes that train one model together, each on its share of every batch (``torchrun``).

Every process has the same weights, reads the same order of observations, and draws the noise of the whole
batch from a generator in the same state. It uses its own share of both. Gradients, batch statistics, the
minimum information constraint and the recorded values are sums over all processes. So W processes take the
same steps as one process, up to rounding, and a checkpoint does not depend on their number.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gmvae.config import ObjectiveConfig
from gmvae.model import objective
from gmvae.model.distributions import Categorical
from gmvae.model.networks import FLOAT
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.training.meeting import Meeting, meet


@dataclass
class Workers:
    """The processes that train together.

    Arguments:
        rank: The number of this process, from 0.
        size: The number of processes.
        local: The number of this process on its machine, from 0.
        machine: The number of its machine, from 0.
        meeting: What the processes agreed on when they met.
        launch: The launchers of all processes (:func:`launcher`). A restart keeps them.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    machine: int = 0
    meeting: Meeting = field(default_factory=Meeting)
    launch: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._own: Generator | None = None
        self.last: list[Callable[[], object]] = []  # called before this process ends

    @property
    def restarted(self) -> bool:
        """Whether ``torchrun`` has restarted all processes because one had died."""
        return self.meeting.restarted

    @property
    def about(self) -> dict[str, Any]:
        """What a run folder keeps of several processes: ``launch``, to know their run after a restart."""
        return {"launch": self.launch} if self.launch else {}

    def share(self, batch: Tensor) -> Tensor:
        """The share of this process in a batch, or in anything with as many rows."""
        return batch if self.size == 1 else batch[self.rank :: self.size]

    def own(self, generator: Generator) -> Generator:
        """A generator for numbers that each process draws for itself; with one process, the given one."""
        if self.size == 1:
            return generator
        if self._own is None:
            seed = generator.initial_seed() + 1 + self.rank
            self._own = Generator(generator.device).manual_seed(seed)
        return self._own

    def loss(
        self,
        model: GaussianMixtureVAE,
        y: Tensor,
        count: int,
        config: ObjectiveConfig,
        epoch: float,
        view: Tensor | None,
        known: Categorical | None,
        generator: Generator,
    ) -> tuple[Tensor, objective.Terms]:
        """:func:`gmvae.model.objective.loss` of ``y``, the share of this process in a batch of ``count``
        observations, with its share of the noise."""
        if self.size == 1:
            return objective.loss(model, y, config, epoch, view, known, generator)
        sizes = model.config.x_size, model.config.w_size
        draw = partial(torch.randn, generator=generator, dtype=FLOAT, device=y.device)
        noise = torch.cat([draw((config.mc_samples, count, size)) for size in sizes], -1)
        mine = noise[:, self.rank :: self.size]
        terms = objective.five_terms(model, y, config.mc_samples, view, known, noise=mine)
        average = lambda values: all_sum(values.sum()) / count  # noqa: E731
        return objective.weigh(terms, config, model.config.assignment, epoch, average=average), terms

    def add_gradients(self, parameters: Iterable[Tensor], beside: Tensor) -> None:
        """Add up the gradients of all processes, and ``beside``, in place and in one message."""
        if self.size == 1:
            return
        gradients = [*(p.grad for p in parameters if p.grad is not None), beside]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def agree(self, tensors: Iterable[Tensor]) -> None:
        """Copy the tensors of the first process to all others."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def gathered(self, value: Any) -> list[Any]:
        """The values of all processes, by rank. Any object that can be pickled will do."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def of_first(self, value: bool) -> bool:
        """The value that the first process gives."""
        found = [value]
        if self.size > 1:
            dist.broadcast_object_list(found, 0)
        return found[0]

    def wait(self) -> None:
        """Wait until all processes have called this."""
        if self.size > 1:
            dist.barrier()

    def end(self) -> None:
        """End this process once all are done, if there are several.

        A process that ended earlier would break the connections of the others. And if Python shuts down while
        gloo's threads run, they sometimes end it by SIGABRT, which torchrun would take for a failure.
        """
        if self.size > 1:
            dist.barrier()
            dist.destroy_process_group()
            for last in self.last:
                last()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

    @contextmanager
    def global_statistics(self, model: nn.Module) -> Iterator[None]:
        """Within the ``with`` block, batch norm in training takes the mean and variance over the batches of
        all processes, like torch's SyncBatchNorm, which does not support the CPU."""
        layers = [m for m in model.modules() if isinstance(m, _BatchNorm)] if self.size > 1 else []
        for layer in layers:
            layer.forward = partial(normalise, layer, layer.forward)  # type: ignore[method-assign]
        try:
            yield
        finally:
            for layer in layers:
                del layer.forward


ALONE = Workers()
"""A single process."""


def start_workers(device: str) -> Workers:
    """Connect the processes that ``torchrun`` or ``accelerate launch`` has started: with nccl on GPUs, one
    for each process, and with gloo elsewhere. Without either launcher this is a single process."""
    size = int(os.environ.get("WORLD_SIZE", 1))
    if size == 1:
        return ALONE
    rank, local, machine, restarts = (
        int(os.environ.get(name, 0))
        for name in ("RANK", "LOCAL_RANK", "GROUP_RANK", "TORCHELASTIC_RESTART_COUNT")
    )
    cuda = device != "cpu" and torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(local)
    meeting = Meeting()
    if not dist.is_initialized():
        store, _, _ = next(dist.rendezvous("env://"))
        meeting = meet(store, rank, size, restarts, store.timeout)
        # a store that outlives a restart still has the addresses of the dead processes
        store = dist.PrefixStore(f"gmvae/{meeting.name}", store)
        dist.init_process_group("nccl" if cuda else "gloo", store=store, rank=rank, world_size=size)
    workers = Workers(rank, size, local, machine, meeting)
    workers.launch = tuple(sorted(set(workers.gathered(launcher()))))
    return workers


def launcher() -> str:
    """A name for the process that started this one, which also starts its successors after a restart: its
    machine, its number and, on Linux, the time of its start."""
    parent = os.getppid()
    try:
        begin = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        begin = ""
    return f"{socket.gethostname()} {parent} {begin}"


def normalise(layer: _BatchNorm, alone: Callable[[Tensor], Tensor], y: Tensor) -> Tensor:
    r"""Batch norm with mean and variance over the batches of all processes, with one message. With d = y - c,

    .. math:: \mu = c + \frac{1}{N} \sum_w \sum_{i \in w} d_i, \qquad
        \sigma^2 = \frac{1}{N} \sum_w \sum_{i \in w} d_i^2 - (\mu - c)^2

    for y of shape (B, C, ...). Here c is the running mean, which is near enough to the mean for the
    difference to keep its digits. The running variance is the unbiased one, as in torch.
    """
    if not layer.training:
        return alone(y)
    over = [d for d in range(y.ndim) if d != 1]
    shape = [1, -1] + [1] * (y.ndim - 2)
    running: Any = layer.running_mean
    origin = running.clone()
    distance = y - origin.view(shape)
    number = torch.full((1,), y.numel() // y.shape[1], dtype=y.dtype, device=y.device)
    sums = all_sum(torch.cat((distance.sum(over), distance.square().sum(over), number)))
    count = sums[-1].detach()
    mean, squares = (sums[:-1] / count).chunk(2)
    variance = (squares - mean.square()).clamp(min=0)
    with torch.no_grad():
        rate: Any = layer.momentum
        running.lerp_(origin + mean, rate)
        layer.running_var.lerp_(variance * count / (count - 1), rate)  # type: ignore[union-attr]
        layer.num_batches_tracked.add_(1)  # type: ignore[union-attr]
    scale = torch.rsqrt(variance + layer.eps) * layer.weight
    return (distance - mean.view(shape)) * scale.view(shape) + layer.bias.view(shape)


def all_sum(values: Tensor) -> Tensor:
    """The sum of the tensors of all processes. Its gradient is the sum of their gradients."""
    found: Tensor = _AllSum.apply(values)
    return found


class _AllSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ARG004
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004
        total = gradient.clone()
        dist.all_reduce(total)
        return total
