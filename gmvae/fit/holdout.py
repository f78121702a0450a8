"""Choose the number of epochs for few rows with many columns, which a network would overfit.

Some of the rows are held out, and fits of growing lengths are made to the rest. The length with the greatest
bound on the held-out rows is chosen. No labels are used.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gmvae.assess.holdout import TRIMMED, Array, Holdout, Trial, trimmed_mean
from gmvae.config import Config, ObjectiveConfig
from gmvae.data.observations import Observations
from gmvae.fit.restart import Restart
from gmvae.model.inference import bound
from gmvae.progress import Progress
from gmvae.start.kmeans import ROWS_EACH

MINIMUM_ROWS = 20
"""Minimum number of distinct rows for holding some out, so that at least two are held out."""
HALVINGS = 6
"""How many times the full length is halved for the shortest fit."""
MINIMUM_STEPS = 12
"""Minimum number of steps of a fit; fewer teach the model nothing."""
PIXELS = 16
"""Pixels of an image for each place in the smallest maps of the compact network."""
WORSE = 2
"""After this many fits in a row that are worse than the best, longer ones are not tried."""
MEASURED, DRAWS = 1000, 10
"""Maximum number of rows that bounds are averaged over, and the number of samples of x and w for each."""


def few_rows(rows: int, y_shape: tuple[int, ...]) -> bool:
    """Whether there are few distinct rows for their columns, but enough to hold some out. For images, the
    columns are the places in the smallest maps of the compact network, since convolutions share weights."""
    columns = math.prod(y_shape) / (PIXELS if len(y_shape) == 3 else 1)
    return MINIMUM_ROWS <= rows < ROWS_EACH * columns


def choose_epochs(
    restart: Restart,
    held_out: Observations,
    objective: Callable[[int], ObjectiveConfig],
    progress: Progress = lambda _: None,
) -> Holdout:
    r"""Find the number of epochs with held-out rows.

    Fits of :math:`\lceil E / 2^6 \rceil, \lceil E / 2^5 \rceil, \dots, E` epochs, but at least 12 steps, are
    made, each from the start and with complete warm-ups, until two in a row are worse than the best. The best
    fit has the greatest mean bound on the held-out rows; the mean is trimmed, so that a few outliers do not
    decide. The chosen length is the shortest whose bounds are no more than a standard error worse than the
    best, compared row by row (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3). The
    part of the start that does not depend on the length is done only once.

    Arguments:
        restart: A new restart of a fit to the other rows, with E epochs.
        held_out: The held-out rows.
        objective: From a number of epochs to the weights of the terms, since warm-ups can depend on it.
        progress: Called with the share of the work that is done.
    """
    full = restart.config.training.epochs
    steps = -(-len(restart.rows) // restart.config.training.batch_size)
    halved = {-(-full // 2**halving) for halving in range(HALVINGS + 1)}
    lengths = sorted(length for length in halved if length * steps >= MINIMUM_STEPS)

    def for_epochs(length: int) -> Config:
        training = replace(restart.config.training, epochs=length)
        return replace(restart.config, objective=objective(length), training=training)

    restart.look()
    taught = restart.taught
    if taught:
        restart.renew(for_epochs(full))
        restart.begin()
    model, stream = restart.model, restart.stream
    started, states = copy.deepcopy(model.state_dict()), stream.states
    seen, unseen = restart.rows.sample(MEASURED), held_out.sample(MEASURED)
    trials: list[Trial] = []
    bounds: list[Array] = []
    for length in lengths:
        model.load_state_dict(started)
        stream.states = states
        restart.renew(for_epochs(length))
        if taught:
            restart.anchor()
        else:
            restart.begin()
        for _ in restart.epochs():
            pass
        found, bound_unseen = (bound(model, rows.tensor(), DRAWS) for rows in (seen, unseen))
        bounds.append(bound_unseen)
        trials.append(Trial.of(length, found, bound_unseen, seen.weights, unseen.weights))
        progress(sum(trial.epochs for trial in trials) / sum(lengths))
        if len(trials) - 1 - best(trials) >= WORSE:
            break
    progress(1.0)
    gains = (bounds[best(trials)] - values for values in bounds)
    chosen = next(i for i, gain in enumerate(gains) if not surely_positive(gain, unseen.weights))
    shape = math.prod(restart.rows.y_shape)
    return Holdout(len(unseen.order), trials[chosen].epochs, full, shape, tuple(trials))


def best(trials: list[Trial]) -> int:
    """The index of the trial with the greatest trimmed mean of the bound on held-out rows."""
    return max(range(len(trials)), key=lambda i: trials[i].trimmed)


def surely_positive(values: Array, weights: Array) -> bool:
    """Whether the trimmed mean of values, (n,), is greater than its standard error, which comes from the
    winsorised variance (Tukey and McLaughlin, 1963)."""
    order = np.argsort(values)
    share = weights[order] / weights.sum()
    ends = np.cumsum(share)
    last = len(ends) - 1
    low, high = (values[order[min(int(np.searchsorted(ends, q)), last)]] for q in (TRIMMED, 1 - TRIMMED))
    winsorised = np.clip(values[order], low, high)
    error = math.sqrt(np.square(share) @ np.square(winsorised - share @ winsorised)) / (1 - 2 * TRIMMED)
    return trimmed_mean(values, weights) > error
