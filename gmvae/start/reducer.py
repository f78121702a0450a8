"""UMAP (McInnes et al., arXiv 1802.03426), with its loops compiled only once on a machine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import torch


@contextmanager
def umap(**options: Any) -> Iterator[Any]:
    """Return an unfitted ``umap.UMAP`` with one thread and these options, for use within the block.

    Afterwards torch's number of threads is restored, since numba changes that of OpenMP, which torch shares.
    """
    threads = torch.get_num_threads()
    try:
        with warnings.catch_warnings():
            # it warns that there is no TensorFlow, that a seed means one thread, and that an embedding of
            # given neighbours cannot place new rows
            warnings.simplefilter("ignore")
            yield _compiled()(n_jobs=1, **options)
    finally:
        torch.set_num_threads(threads)


@cache
def _compiled() -> Any:
    """Import the class. That takes seconds, so it is done only when needed.

    By default numba compiles its loops again in each process, for about ten seconds. Here numba caches what
    it has compiled, in a folder beside UMAP's files or in the user's cache, if one of them is writable.
    """
    from umap import UMAP, distances, layouts, spectral, umap_, utils

    for module in (distances, layouts, spectral, umap_, utils):
        for function in vars(module).values():
            if hasattr(function, "enable_caching"):
                with suppress(RuntimeError):  # no writable folder
                    function.enable_caching()
    return UMAP
