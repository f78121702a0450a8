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

from gmvae.assess.holdout import TRIMMED, Array, Holdout, Trial, trimmed_mean
from gmvae.config import Config, ObjectiveConfig
from gmvae.data.observations import Observations
from gmvae.fit.restart import Restart
from gmvae.model.inference import bound
from gmvae.progress import Progress
from gmvae.start.kmeans import ROWS_EACH

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
    restart: Restart,
    held_out: Observations,
    objective: Callable[[int], ObjectiveConfig],
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
        restart: A new restart of a fit to the other rows, whose epochs are E.
        held_out: Rows that it is not fitted to.
        objective: From a number of epochs to the weights of the terms, whose warm-ups may depend on it.
        progress: Called with the share of this that is done.
    """
    full = restart.config.training.epochs
    lengths = sorted({-(-full // 2**halving) for halving in range(HALVINGS + 1)})

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
