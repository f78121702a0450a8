"""Which of several models to keep, told without labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.estimator import GMVAE
from gmvae.metrics import consensus


def select(models: Sequence[GMVAE], X: Any) -> tuple[int, NDArray[np.float64]]:
    """Choose among fitted models, of whatever settings, without labels: the one whose clusters agree most
    with those of the others.

    Arguments:
        models: Two or more fitted estimators; with two, which agree as much with each other, the one with the
            greater bound is chosen.
        X: Rows to compare them on, (N, D).

    Returns:
        The position of the chosen model, and the agreement of each with the others, (R,)
        (:func:`gmvae.metrics.consensus`).

    Raises:
        ValueError: where there are fewer than two models.
    """
    if len(models) < 2:
        raise ValueError(f"there are {len(models)} models: it takes two to agree")
    agreement = consensus([model.predict(X) for model in models])
    if len(models) == 2 and agreement[0] == agreement[1]:
        return int(models[1].score(X) > models[0].score(X)), agreement
    return int(agreement.argmax()), agreement
