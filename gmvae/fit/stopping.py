"""Early stopping: keep the best state of a model on held-out rows, and decide when to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from gmvae.config import ObjectiveConfig, TrainingConfig


class Stopping:
    """Keeps the best state of a model after its warm-ups, and decides when to stop.

    Arguments:
        objective: The warm-ups. The losses of their epochs cannot be compared.
        training: ``tol``, by how many nats the loss on held-out rows must fall to count as better, and
            ``n_iter_no_change``, the number of epochs without such a fall after which to stop.
    """

    def __init__(self, objective: ObjectiveConfig, training: TrainingConfig) -> None:
        self.objective, self.training = objective, training
        self.minimum, self.since = math.inf, 0
        self.best: dict[str, Tensor] | None = None

    def after(self, epoch: int, loss: float, model: nn.Module) -> bool:
        """Whether to stop after an epoch with this loss on held-out rows."""
        if min(self.objective.warmth(epoch)) < 1:
            return False
        self.since = 0 if loss < self.minimum - self.training.tol else self.since + 1
        if loss < self.minimum:
            self.minimum = loss
            self.best = {name: value.clone() for name, value in model.state_dict().items()}
        return self.since >= max(1, int(self.training.n_iter_no_change))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The state that later decisions depend on."""
        minimum = None if math.isinf(self.minimum) else self.minimum
        return self.best or {}, {"minimum": minimum, "since": self.since}

    def restore(self, tensors: dict[str, Tensor], about: Mapping[str, Any]) -> None:
        """Restore the state that :meth:`state` returned."""
        self.minimum = math.inf if about["minimum"] is None else about["minimum"]
        self.since, self.best = about["since"], tensors or None
