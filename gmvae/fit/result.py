"""What a fit came to: the restart that is kept, its clusters, and what is known of it."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.diagnostics import Signs, examine
from gmvae.assess.doctor import Finding, diagnose
from gmvae.assess.holdout import Holdout, Trial
from gmvae.assess.outliers import Limits
from gmvae.config import Config
from gmvae.data.observations import Observations
from gmvae.data.prepare import Prepared
from gmvae.fit.numbering import number
from gmvae.fit.resampling import Resampling
from gmvae.fit.restart import Outcome
from gmvae.fit.scores import best
from gmvae.fit.state import Record
from gmvae.model.answers import MEASURED, batches, each_terms, most_probable, precise, probabilities
from gmvae.model.inference import assign
from gmvae.model.objective import elbo
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.partition.metrics import clusters_used
from gmvae.partition.stability import Choice
from gmvae.start.begin import Start


@dataclass(frozen=True)
class Result:
    """A fit that is over.

    Arguments:
        config: The resolved configuration.
        data: What it was fitted to.
        model: The model that is kept; of the user's own data its clusters are numbered by size.
        labels: The cluster of each row of the data, (N,); of a stream those of the rows at hand.
        weights: Means of q(z | ...) over the data, (K,).
        elbo: The mean lower bound, nats per observation, in the units of the data.
        kept: The number of the restart that is kept, from 0.
        restarts: ``seed``, ``agreement`` (and ``modularity``), ``loss`` and ``n_iter`` of each.
        history: The records of the restart that is kept.
        start: Where it started.
        choice: How the number of clusters was chosen, where it was open.
        holdout: What rows say that were held out, where some were.
        diagnostics, findings: What the data show of the model, and what the doctor says of that.
        clusters_used: Clusters that hold a row, however few.
        limits: Beyond which a row of the user's own data belongs to no cluster.
        resampling: What starts from other samples say of the clusters, where they are asked for.
    """

    config: Config
    data: Prepared
    model: GaussianMixtureVAE
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]
    elbo: float
    kept: int
    restarts: list[dict[str, Any]]
    history: list[Record]
    start: Start | None
    choice: Choice | None
    holdout: Holdout | None
    diagnostics: Signs
    findings: list[Finding]
    clusters_used: int
    limits: Limits | None = None
    resampling: Resampling | None = None

    def ask_doctor(self, history: Sequence[Record]) -> list[Finding]:
        """What the doctor says of the result, and of records of its epochs."""
        return ask_doctor(self.config, self.data, self.diagnostics, history, self.holdout)


def conclude(
    config: Config,
    data: Prepared,
    outcomes: Sequence[Outcome],
    parts: tuple[Observations, Observations | None],
    choice: Choice | None = None,
    holdout: Holdout | None = None,
    *,
    renumber: bool = True,
) -> Result:
    """What a fit came to whose restarts are all over.

    Answers about the user's own data come in 64 bits and do not depend on the order of the rows; those about
    the paper's data sets, which are large, in 32 bits and from the last epoch.

    Arguments:
        config: The resolved configuration.
        data: The observations.
        outcomes: What became of each restart.
        parts: The rows that were fitted to, and those that early stopping held out.
        choice: How the number of clusters was chosen, where it was open.
        holdout: What held-out rows said of the number of epochs, where they were asked.
        renumber: Whether clusters of the user's own data are numbered by size, or keep their numbers.
    """
    kept, scores, rows, limits = 0, [{"agreement": 0.0}], data.rows.at_hand, None
    if len(outcomes) > 1:
        partitions = [most_probable(outcome.model, rows) for outcome in outcomes]
        kept, scores = best(partitions, [outcome.loss for outcome in outcomes], rows.sample(MEASURED))
    outcome = outcomes[kept]
    model = copy.deepcopy(outcome.model)
    if data.own:
        labels, weights = number(model, data.everything, rows, by_size=renumber)
        sample, exact = rows.sample(MEASURED), precise(model)
        density = elbo(each_terms(exact, sample)).numpy()
        bound = float(np.average(density, weights=sample.weights)) + data.log_det
        limits = Limits.of(density, probabilities(exact, sample))
        diagnostics, _ = examine(exact, batches(sample))
    else:
        q = assign(model, data.everything.tensor())
        labels, weights = q.argmax(1), q.mean(0, dtype=np.float64)
        bound = outcome.history[-1]["elbo"]
        diagnostics, _ = examine(model, data.everything.spaced(MEASURED).tensor())
    restarts = [
        {"seed": each.seed, **score, "loss": each.loss, "n_iter": each.history[-1]["epoch"]}
        for each, score in zip(outcomes, scores, strict=True)
    ]
    held = np.bincount(labels[rows.order], minlength=config.model.clusters)
    # of all rows: a small cluster may have none among those that were looked at
    diagnostics = replace(diagnostics, occupancy=tuple((held / len(rows.order)).tolist()))
    used, held_out = parts
    if held_out is not None and data.own:
        holdout = stopped(outcome, used, held_out, config.training.epochs).shifted(data.log_det)
    result = Result(
        config, data, model, labels, weights, bound, kept, restarts, outcome.history, outcome.start,
        choice, holdout, diagnostics, [], clusters_used(labels[rows.order]), limits,
    )  # fmt: skip
    return replace(result, findings=result.ask_doctor(outcome.history))


def ask_doctor(
    config: Config, data: Prepared, diagnostics: Signs, history: Sequence[Record], holdout: Holdout | None
) -> list[Finding]:
    """What the doctor says of diagnostics of a fit, over or not, and of records of its epochs."""
    weights = data.rows.weights
    heaviest = float(weights.max() / weights.sum())
    return diagnose(diagnostics, config.model, config.objective, history, heaviest, holdout, data.oddities)


def stopped(outcome: Outcome, used: Observations, held_out: Observations, epochs: int) -> Holdout:
    """What rows say that a fit of at most so many epochs has stopped early by."""
    parts = used.sample(MEASURED), held_out.sample(MEASURED)
    seen, unseen = (elbo(each_terms(outcome.model, rows)).numpy() for rows in parts)
    trial = Trial.of(outcome.history[-1]["epoch"], seen, unseen, *(rows.weights for rows in parts))
    return Holdout(len(held_out.order), trial.epochs, epochs, math.prod(used.y_shape), (trial,))
