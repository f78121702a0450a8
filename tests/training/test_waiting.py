"""Steps do not make the CPU wait for the device: numbers are read back once an epoch only."""

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from gmvae.config import ModelConfig, ObjectiveConfig, TrainingConfig
from gmvae.data.observations import Observations
from gmvae.data.scales.scaling import dividing
from gmvae.data.shuffled import shuffle
from gmvae.data.streamed import Streamed
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.start.teaching import teach
from gmvae.training.augmentation import table_view
from gmvae.training.loop import Trainer
from gmvae.training.random import RandomStream

CPU = torch.device("cpu")
READ = {"item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__"}
"""Methods of a tensor that wait for its device."""
COUNTED = {"nonzero", "masked_select", "unique", "one_hot", "repeat_interleave", "bincount"}
"""Functions that wait for the size of their result."""
MADE = {"tensor", "new_tensor", "as_tensor"}
"""Functions that copy Python's numbers to the device, and wait for that."""
DRAWN = {torch.int64, torch.float64}
"""Types of the positions in a pass, and of what is drawn to find them. They are always on the CPU."""


class Waits(TorchFunctionMode):
    """Counts the calls that would wait for a GPU, if the tensors were there."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        drawn = bool(args) and isinstance(args[0], torch.Tensor) and args[0].dtype in DRAWN
        if name in MADE | COUNTED or (name in READ and not drawn):
            self.calls.append(name)
        return function(*args, **kwargs or {})


def waits(action):
    with Waits() as found:
        action()
    return sorted(found.calls)


def table(kind, folder):
    """The same rows as a tensor, as a table with weights, or as a stream."""
    y = np.random.default_rng(0).normal(size=(160, 4)).astype(np.float32)
    if kind == "tensor":
        return torch.from_numpy(y)
    if kind == "table":
        weights = np.random.default_rng(1).uniform(1, 2, size=160)
        return Observations(y.astype(np.float64), dividing(4), (4,), CPU, weights=weights)
    return Streamed(shuffle(iter([(y,)]), folder, 1000, seed=0)[0], (4,), CPU)


@pytest.mark.parametrize(
    ("kind", "options", "training"),
    [
        ("tensor", {}, {}),
        ("table", {}, {}),
        ("stream", {"assignment": "posterior"}, {}),
        ("tensor", {"assignment": "posterior"}, {"augment": "table"}),
        ("stream", {}, {"augment": "table", "optimiser": "sign"}),
    ],
)
def test_the_steps_of_an_epoch_do_not_wait(tmp_path, kind, options, training):
    y = table(kind, tmp_path)

    def epoch(size):
        stream = RandomStream(0, CPU)
        config = ModelConfig(clusters=3, x_size=2, w_size=2, hidden_size=8, **options)
        trainer = Trainer(
            GaussianMixtureVAE((4,), config),
            ObjectiveConfig(),
            TrainingConfig(batch_size=size, epochs=1, **training),
            stream,
        )
        if config.assignment == "recogniser" and "augment" not in training:
            trainer.anchor()
        return waits(lambda: list(trainer.epochs(y)))

    large, small = epoch(80), epoch(40)
    assert large == small
    assert "tolist" in large  # the means of the epoch: the counting works


def test_the_steps_of_teaching_do_not_wait():
    y = table("tensor", None)

    def taught(steps):
        stream = RandomStream(0, CPU)
        model = GaussianMixtureVAE((4,), ModelConfig(clusters=3, x_size=2, w_size=2, hidden_size=8))
        clusters = torch.arange(len(y)) % 3
        return waits(lambda: teach(model, y, y, clusters, table_view, steps, stream, lambda _: None))

    assert taught(2) == taught(5)
