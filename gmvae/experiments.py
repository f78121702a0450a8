"""The experiments of the paper, and the user's own data, as configurations: the command line's defaults."""

from __future__ import annotations

from dataclasses import replace

from gmvae.config import Config, DataConfig, ModelConfig, ObjectiveConfig, RunConfig, TrainingConfig
from gmvae.rules import similar

SPIRAL = Config(
    model=ModelConfig(clusters=8, x_size=2, w_size=2, hidden_size=100, network="fc", likelihood="gaussian"),
    # Differs: alpha is 2 in the original, from the first step on, and each step is 1e-4 * sign(gradient).
    # Then the first steps decide how many clusters are left (docs/spiral.md has the figures).
    objective=ObjectiveConfig(cv_weight=20.0, warm_up=20, cv_warm_up=40),
    training=TrainingConfig(batch_size=200, epochs=200, learning_rate=3e-4),
    data=DataConfig(dataset="spiral"),
    run=RunConfig(plots=("latent", "recon", "bound", "consistency")),
)

# The original's branch version2: q(z | ...) is the posterior, alpha is gone, and each step is
# rate * sign(gradient) (gmvae.training.optimisers.Sign). Differs: see weigh and conditional_prior in
# gmvae.model.objective.
SPIRAL_VERSION2 = replace(
    SPIRAL,
    model=replace(SPIRAL.model, assignment="posterior"),
    objective=ObjectiveConfig(min_information=0.5),
    training=TrainingConfig(optimiser="sign", batch_size=200, epochs=500, learning_rate=1e-4),
)

MNIST = Config(
    model=ModelConfig(
        clusters=14, x_size=200, w_size=150, hidden_size=500, network="conv", likelihood="bernoulli"
    ),
    # Differs: in the original alpha is 0.4 from the first step on, and 100 epochs of batches of 50 take
    # steps of 1e-4 * sign(gradient). That loses clusters before x tells digits apart (docs/mnist.md).
    objective=ObjectiveConfig(cv_weight=0.4, cv_warm_up=10),
    training=TrainingConfig(batch_size=200, epochs=40, learning_rate=1e-3),
    data=DataConfig(dataset="mnist"),
    run=RunConfig(plot_every=5),
)

MNIST_FC = replace(MNIST, model=replace(MNIST.model, network="fc", hidden_size=1000))

MNIST_VERSION2 = replace(
    MNIST,
    model=replace(MNIST.model, assignment="posterior"),
    objective=ObjectiveConfig(min_information=0.5),
    training=TrainingConfig(optimiser="sign", batch_size=50, epochs=100, learning_rate=1e-4),
)

MNIST_FC_VERSION2 = replace(MNIST_VERSION2, model=replace(MNIST_FC.model, assignment="posterior"))

FASHION_MNIST = replace(MNIST, data=DataConfig(dataset="fashion_mnist"))

SVHN = Config(
    model=ModelConfig(
        clusters=10, x_size=200, w_size=150, hidden_size=500, network="svhn", filters=64,
        likelihood="bernoulli", assignment="posterior",
    ),
    # The branch svhn has no lambda: its z term always acts, as with 0 here.
    objective=ObjectiveConfig(min_information=0.0),
    # Differs: its 500 epochs go through all 604,388 images each, in 13 parts of 50,000 at most, and leave
    # out the last incomplete batch of each part; here an epoch is one pass of 50,000, drawn anew.
    # Differs: its Adam starts afresh at each step, so each step is the gradient's sign (optimiser sign).
    training=TrainingConfig(batch_size=128, epochs=500, epoch_size=50_000, learning_rate=1e-4),
    data=DataConfig(dataset="svhn", extra=True),
    run=RunConfig(plot_every=5),
)  # fmt: skip

DATA = Config(
    model=ModelConfig(
        clusters=8,
        x_size=10,
        w_size=10,
        hidden_size=128,
        network="auto",
        likelihood="auto",
        min_variance=0.01,
    ),
    objective=ObjectiveConfig(cv_weight=1.0, warm_up=0.15, cv_warm_up=0.3),
    training=TrainingConfig(batch_size=128, epochs=0, learning_rate=0, init="auto", augment="auto"),
    data=DataConfig(dataset="file", scale="auto"),
    run=RunConfig(plots=("latent", "samples", "shares", "bound", "scores"), plot_every=1000),
)

EXPERIMENTS = {
    "data": DATA,
    "spiral": SPIRAL,
    "mnist": MNIST,
    "mnist_fc": MNIST_FC,
    "spiral_version2": SPIRAL_VERSION2,
    "mnist_version2": MNIST_VERSION2,
    "mnist_fc_version2": MNIST_FC_VERSION2,
    "fashion_mnist": FASHION_MNIST,
    "svhn": SVHN,
}

DESCRIPTIONS = {
    "data": "your own data: a table, an array or a folder of pictures (--path), as gmvae.GMVAE fits it.",
    "spiral": "5,000 points in the plane, on five arcs: find the arcs (paper, section 4.1).",
    "mnist": "60,000 handwritten digits, with convolutions (paper, section 4.2).",
    "mnist_fc": "60,000 handwritten digits, with fully connected layers.",
    "spiral_version2": "spiral with version 2 of the paper: q(z | ...) is the posterior.",
    "mnist_version2": "mnist with version 2 of the paper.",
    "mnist_fc_version2": "mnist_fc with version 2 of the paper.",
    "fashion_mnist": "60,000 pictures of clothes, as mnist.",
    "svhn": "604,388 house numbers, 50,000 in each pass (paper, section 4.2).",
}


def experiment(name: str) -> Config:
    """The configuration of an experiment; ``ValueError`` if no experiment has that name."""
    if name not in EXPERIMENTS:
        near = similar(name, EXPERIMENTS)
        rest = f"did you mean {near[0]}?" if near else f"it must be one of {', '.join(EXPERIMENTS)}"
        raise ValueError(f"experiment is {name!r}: {rest}")
    return EXPERIMENTS[name]
