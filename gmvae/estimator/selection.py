"""Choose one of several models, without labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.data.observations import Observations
from gmvae.estimator.gmvae import GMVAE
from gmvae.fit.scores import restart_scores
from gmvae.model.answers import MEASURED, most_probable
from gmvae.model.isolation import isolated


@isolated
def select(models: Sequence[GMVAE], X: Any) -> tuple[int, NDArray[np.float64]]:
    """Choose among fitted models, with any settings, without labels.

    With fewer than 1,000 rows it is the model whose clusters agree most with those of the others. With more
    rows it is the model whose clusters have the greatest modularity in the nearest-neighbour graph
    (:func:`gmvae.fit.scores.restart_scores`).

    Arguments:
        models: Two or more fitted estimators. Among models with equal scores (two models always agree
            equally), the one with the greatest bound is chosen.
        X: Rows to compare them on, (N, D); at most 10,000 distinct rows, drawn at random, are used.
            Neighbours are those of the rows as an estimator with default settings would scale them.

    Returns:
        The position of the chosen model, and the agreement or the modularity of each, (R,).

    Raises:
        ValueError: if there are fewer than two models.
    """
    if len(models) < 2:
        raise ValueError(f"there are {len(models)} models: there must be at least two")
    tables = [model._rows(X) for model in models]
    shape = next((model.image_shape for model in models if model.image_shape), None)
    distinct = Observations.of(tables[0].source, shape)
    # the widest table can have fewer rows in memory than the others
    compared = distinct.sample(min(len(rows.sample(MEASURED).order) for rows in (distinct, *tables)))
    partitions = [
        most_probable(model.model_, rows.part(compared.order))
        for model, rows in zip(models, tables, strict=True)
    ]
    *_, scores = restart_scores(partitions, compared).values()
    best = np.flatnonzero(np.isclose(scores, scores.max(), rtol=0, atol=1e-9))
    if len(best) == 1:
        return int(best[0]), scores
    return max(map(int, best), key=lambda i: models[i].score(X)), scores
