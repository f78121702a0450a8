"""How long to fit few rows of many columns, of which a network learns more than holds for others.

Some of the rows are held out, fits of growing lengths are made to the rest, and the length is taken whose
model has the greatest bound on the rows that it has not seen. No label has a part in it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from torch import Tensor

from gmvae.assess.holdout import TRIMMED, Array, Holdout, Trial, trimmed_mean
from gmvae.config import ModelConfig, ObjectiveConfig, TrainingConfig
from gmvae.model.inference import bound
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.progress import Progress
from gmvae.start.begin import lead, look
from gmvae.start.kmeans import ROWS_EACH
from gmvae.training.loop import Observations, Trainer
from gmvae.training.random import RandomStream

LEAST = 20
"""Distinct rows, fewer than ``ROWS_EACH`` for each column, of which some are held out: two, at least."""
SHARE = 0.1
"""Share of the distinct rows that is held out."""
HALVINGS = 6
"""How often the full length is halved for the shortest fit."""
WORSE = 2
"""Fits in a row that are worse than the best, after which no longer one is made."""
MEASURED, DRAWS = 1000, 10
"""Rows that bounds are averaged over, at most, and samples of x and w for each."""


def few(rows: int, y_shape: tuple[int, ...]) -> bool:
    """Whether so many distinct rows are few for their columns, and yet enough to hold some out."""
    return LEAST <= rows < ROWS_EACH * math.prod(y_shape)


def choose_epochs(
    y: Callable[[RandomStream], Observations],
    some: Tensor,
    held_out: Tensor,
    model: ModelConfig,
    objective: Callable[[int], ObjectiveConfig],
    training: TrainingConfig,
    *,
    seed: int,
    weights: Array | None = None,
    held_out_weights: Array | None = None,
    edges: tuple[Tensor, Tensor] | None = None,
    progress: Progress = lambda _: None,
) -> Holdout:
    r"""Find the number of epochs by rows that are held out.

    Fits of :math:`\lceil E / 2^6 \rceil, \lceil E / 2^5 \rceil, \dots, E` epochs are made, each from the
    start and with its warm-ups in full, until two in a row are worse than the best: the one with the greatest
    trimmed mean of the bounds of the held-out rows, of which a few outliers would decide otherwise. The
    shortest is chosen that the best is better than by no more than a standard error, row by row (Breiman et
    al., Classification and Regression Trees, 1984, section 3.4.3). Of the start, what does not depend on the
    length is done once.

    Arguments:
        y: From where chance comes from to the observations to fit to.
        some: Those that a start looks for clusters in, (n, *y_shape).
        held_out: Observations that are not among ``y``, (m, *y_shape).
        model: Its sizes, the number of clusters among them.
        objective: From a number of epochs to the weights of the terms, whose warm-ups may depend on it.
        training: Optimiser, batches, start, and the epochs E of the longest fit.
        seed: Seed of everything.
        weights: Weights of ``some``, (n,).
        held_out_weights: Weights of ``held_out``, (m,).
        edges: The least and the greatest of each number of an observation, (size of y,) each, all rows taken.
        progress: Called with the share of this that is done.
    """
    device, shape = some.device, tuple(some.shape[1:])
    stream = RandomStream(seed, device)
    new = fresh(lambda: GaussianMixtureVAE(shape, model), stream.cpu).to(device)
    if edges is not None:
        new.recognition.take_range(*edges)
    rows, full = y(stream), training.epochs
    lengths = sorted({-(-full // 2**halving) for halving in range(HALVINGS + 1)})
    found = look(new, rows, some, training, seed=seed, stream=stream, weights=weights)
    taught = found.init == "manifold"
    if taught:
        lead(found, new, rows, some, objective(full), training, seed=seed, stream=stream, weights=weights)
    begun, states = copy.deepcopy(new.state_dict()), stream.states
    held_out, sample = held_out[:MEASURED], some[:MEASURED]
    seen_weights = None if weights is None else weights[:MEASURED]
    unseen_weights = np.ones(len(held_out)) if held_out_weights is None else held_out_weights[:MEASURED]
    trials: list[Trial] = []
    bounds: list[Array] = []
    for length in lengths:
        new.load_state_dict(begun)
        stream.states = states
        config, weighing = replace(training, epochs=length), objective(length)
        if not taught:
            lead(found, new, rows, some, weighing, config, seed=seed, stream=stream, weights=weights)
        trainer = Trainer(new, weighing, config, stream)
        if taught:
            trainer.anchor()
        for _ in trainer.epochs(rows):
            pass
        seen, unseen = bound(new, sample, DRAWS), bound(new, held_out, DRAWS)
        bounds.append(unseen)
        trials.append(Trial.of(length, seen, unseen, seen_weights, unseen_weights))
        progress(sum(trial.epochs for trial in trials) / sum(lengths))
        if len(trials) - 1 - best(trials) >= WORSE:
            break
    progress(1.0)
    gains = (bounds[best(trials)] - unseen for unseen in bounds)
    chosen = next(i for i, gain in enumerate(gains) if not surely_positive(gain, unseen_weights))
    return Holdout(len(held_out), trials[chosen].epochs, full, math.prod(shape), tuple(trials))


def best(trials: list[Trial]) -> int:
    """The place of the trial with the greatest bound on held-out rows, outliers apart."""
    return max(range(len(trials)), key=lambda i: trials[i].trimmed)


def surely_positive(values: Array, weights: Array) -> bool:
    """Whether the trimmed mean of values, (n,), is above its standard error, which comes from their variance
    with each of the trimmed values at the nearest that is not (Tukey and McLaughlin, 1963)."""
    order = np.argsort(values)
    share = weights[order] / weights.sum()
    ends = np.cumsum(share)
    last = len(ends) - 1
    low, high = (values[order[min(int(np.searchsorted(ends, q)), last)]] for q in (TRIMMED, 1 - TRIMMED))
    winsorised = np.clip(values[order], low, high)
    error = math.sqrt(np.square(share) @ np.square(winsorised - share @ winsorised)) / (1 - 2 * TRIMMED)
    return trimmed_mean(values, weights) > error
