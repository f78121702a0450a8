"""UMAP (McInnes et al., arXiv 1802.03426), whose loops are compiled once for a machine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import torch


@contextmanager
def umap(**options: Any) -> Iterator[Any]:
    """An unfitted ``umap.UMAP`` of one thread with these options, to be used within the block. Afterwards
    torch has its threads again: numba sets OpenMP's, which are torch's as well."""
    threads = torch.get_num_threads()
    try:
        with warnings.catch_warnings():
            # that there is no TensorFlow, that a seed means one thread, and that a layout of given neighbours
            # cannot place new rows
            warnings.simplefilter("ignore")
            yield _compiled()(n_jobs=1, **options)
    finally:
        torch.set_num_threads(threads)


@cache
def _compiled() -> Any:
    """The class, which takes seconds to import, so not before it is needed.

    Its authors have numba compile the loops anew in each process, for about ten seconds. Here numba keeps
    what it compiled, in a folder beside them or of the user's, where there is one that can be written to.
    """
    from umap import UMAP, distances, layouts, spectral, umap_, utils

    for module in (distances, layouts, spectral, umap_, utils):
        for function in vars(module).values():
            if hasattr(function, "enable_caching"):
                with suppress(RuntimeError):  # there is no such folder
                    function.enable_caching()
    return UMAP
