"""The result of a fit: the restart that is kept, its clusters, and their diagnostics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.diagnostics import Diagnostics, examine
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
from gmvae.model.weights import copied
from gmvae.partition.metrics import clusters_used
from gmvae.partition.stability import Choice
from gmvae.start.begin import Start


@dataclass(frozen=True)
class Result:
    """The result of a fit.

    Arguments:
        config: The resolved configuration.
        data: The data it was fitted to.
        model: The model that is kept. For the user's own data its clusters are numbered by size.
        labels: The cluster of each row of the data, (N,); for a stream, of the rows in memory.
        weights: Means of q(z | ...) over the data, (K,).
        elbo: The mean lower bound, in nats per observation, in the units of the data.
        kept: The number of the restart that is kept, from 0.
        restarts: ``seed``, ``agreement`` (and ``modularity``), ``loss`` and ``n_iter`` of each restart.
        history: The records of the restart that is kept.
        start: The start of that restart.
        choice: How the number of clusters was chosen, if it was open.
        holdout: What held-out rows show, if some were held out.
        diagnostics, findings: Diagnostics of the model, and the doctor's findings from them.
        clusters_used: Number of clusters with at least one row.
        limits: Limits beyond which a row of the user's own data belongs to no cluster.
        resampling: The stability under resampling, if it was asked for.
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
    diagnostics: Diagnostics
    findings: list[Finding]
    clusters_used: int
    limits: Limits | None = None
    resampling: Resampling | None = None

    def ask_doctor(self, history: Sequence[Record]) -> list[Finding]:
        """The doctor's findings on the result and on records of its epochs."""
        return ask_doctor(self.config, self.data, self.diagnostics, history, self.holdout, self.start)


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
    """Make the result of a fit from the outcomes of its restarts.

    For the user's own data it is computed in 64 bits and does not depend on the order of the rows. For the
    paper's data sets, which are large, it is computed in 32 bits and comes from the last epoch.

    Arguments:
        config: The resolved configuration.
        data: The observations.
        outcomes: The outcome of each restart.
        parts: The fitted rows, and the rows that early stopping held out.
        choice: How the number of clusters was chosen, if it was open.
        holdout: What held-out rows showed about the number of epochs, if some were held out.
        renumber: Whether clusters of the user's own data are numbered by size, or keep their numbers.
    """
    kept, scores, rows, limits = 0, [{"agreement": 0.0}], data.rows.at_hand, None
    if len(outcomes) > 1:
        partitions = [most_probable(outcome.model, rows) for outcome in outcomes]
        kept, scores = best(partitions, [outcome.loss for outcome in outcomes], rows.sample(MEASURED))
    outcome = outcomes[kept]
    model = copied(outcome.model)
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
    # over all rows: a small cluster can have no row in the sample
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
    config: Config,
    data: Prepared,
    diagnostics: Diagnostics,
    history: Sequence[Record],
    holdout: Holdout | None,
    start: Start | None = None,
) -> list[Finding]:
    """The doctor's findings from the diagnostics of a fit, finished or not, and from records of its
    epochs."""
    weights = data.rows.weights
    heaviest = float(weights.max() / weights.sum())
    init = config.training.init if start is None else start.init
    return diagnose(
        diagnostics, config.model, config.objective, history, heaviest, holdout, data.oddities, init
    )


def stopped(outcome: Outcome, used: Observations, held_out: Observations, epochs: int) -> Holdout:
    """What the held-out rows of early stopping show about a fit of at most ``epochs`` epochs."""
    parts = used.sample(MEASURED), held_out.sample(MEASURED)
    seen, unseen = (elbo(each_terms(outcome.model, rows)).numpy() for rows in parts)
    trial = Trial.of(outcome.history[-1]["epoch"], seen, unseen, *(rows.weights for rows in parts))
    return Holdout(len(held_out.order), trial.epochs, epochs, math.prod(used.y_shape), (trial,))
