"""Eight threads at once, Python's and joblib's: the same answers, and the caller's generators untouched."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from small_fits import quick, three_blobs

Y = three_blobs()[0]
WORK = ("scores", "sample", "scores", "fit", "sample", "probabilities", "fit", "scores")


def pool(jobs: list[Callable[[], np.ndarray]]) -> list[np.ndarray]:
    with ThreadPoolExecutor(len(jobs)) as threads:
        return list(threads.map(lambda job: job(), jobs))


def joblibs(jobs: list[Callable[[], np.ndarray]]) -> list[np.ndarray]:
    return list(Parallel(n_jobs=len(jobs), backend="threading")(delayed(job)() for job in jobs))


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [pool, joblibs])
def test_threads_do_not_disturb_each_other(at_once):
    model = quick().fit(Y)
    kinds: dict[str, Callable[[], np.ndarray]] = {
        "scores": lambda: model.score_samples(Y),
        "sample": lambda: model.sample(50)[0],
        "probabilities": lambda: model.predict_proba(Y),
        "fit": lambda: clone(model).fit(Y).predict_proba(Y),
    }
    alone = {name: kind() for name, kind in kinds.items()}
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()  # noqa: NPY002
    for kind, found in zip(WORK, at_once([kinds[kind] for kind in WORK]), strict=True):
        np.testing.assert_array_equal(found, alone[kind], err_msg=kind)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.get_num_threads() == before[2]
