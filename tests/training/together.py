"""A small model trained by several processes, and the same by one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gmvae.config import ModelConfig, ObjectiveConfig, TrainingConfig
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.training.loop import Trainer
from gmvae.training.random import RandomStream
from gmvae.training.workers import ALONE

WORK = """
import sys, torch
sys.path.insert(0, sys.argv[3])
from together import trained
from gmvae.training.workers import start_workers
workers = start_workers("cpu")
state, record, _ = trained(sys.argv[1], workers)
if not workers.rank:
    torch.save((state, record), sys.argv[2])
workers.end()
"""
FORMS = {
    "recogniser": (ModelConfig(clusters=4, assignment="recogniser"), (6,)),
    "posterior": (ModelConfig(clusters=4, assignment="posterior"), (6,)),
    "images": (ModelConfig(clusters=4, network="compact", filters=4, likelihood="bernoulli"), (1, 8, 8)),
}


def trained(form, workers=ALONE):
    """The weights after a few epochs of a small model in 32 bits, the last record, and the weights before."""
    config, shape = FORMS[form]
    likelihood = "gaussian" if config.likelihood == "auto" else config.likelihood
    config = ModelConfig(**{
        **config.__dict__, "x_size": 3, "w_size": 2, "hidden_size": 16, "likelihood": likelihood,
        "network": "fc" if config.network == "auto" else config.network,
    })  # fmt: skip
    stream = RandomStream(5, torch.device("cpu"))
    model = fresh(lambda: GaussianMixtureVAE(shape, config), stream.cpu)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    y = torch.rand(101, *shape, generator=torch.Generator().manual_seed(1))
    training = TrainingConfig(optimiser="sgd", learning_rate=0.01, batch_size=33, epochs=2)
    objective = ObjectiveConfig(min_information=0.02)
    trainer, halfway = Trainer(model, objective, training, stream, workers), {}

    def keep(done):
        if done == 1.5:  # what a checkpoint in the middle of an epoch has
            halfway["sum"] = float(trainer.state()[0]["pass.totals"][0])

    *_, record = trainer.epochs(y, keep)
    return model.state_dict(), record | {"halfway": halfway["sum"]}, before


def work(folder, form):
    """The script that each process runs, with its arguments. The first writes its weights into the folder."""
    script = folder / "work.py"
    script.write_text(WORK)
    return [str(script), form, str(folder / "state.pt"), str(Path(__file__).parent)]


def same_steps_as_one_process(folder, form):
    """Assert that the weights and the last record of several processes are those of one."""
    state, record = torch.load(folder / "state.pt")
    expected, alone, before = trained(form)
    if form == "images":  # the last bit of a sum decides now and then whether a unit is 0
        flat = [
            torch.cat([one[name].double().flatten() for name in expected])
            for one in (before, state, expected)
        ]
        assert torch.dist(flat[1], flat[2]) <= 0.01 * torch.dist(flat[0], flat[2])
    else:
        for name, value in expected.items():
            np.testing.assert_allclose(state[name], value, rtol=2e-4, atol=2e-5, err_msg=name)
    for name in ("halfway", "loss", "elbo", "reconstruction", "z_prior"):
        assert record[name] == pytest.approx(alone[name], rel=1e-3 if form == "images" else 1e-4)
