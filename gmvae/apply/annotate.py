"""Add results to an AnnData file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gmvae.data.files.annotated import AnnotatedMatrix
from gmvae.data.files.base import Source

if TYPE_CHECKING:
    import pyarrow as pa

ARRAYS = {"p": "gmvae_probabilities", "x": "X_gmvae"}
"""By the letter of numbered columns, such as p0, p1, ...: the array in ``obsm`` that they become."""


def annotate(out: Path, source: Source, *answers: Iterator[pa.RecordBatch]) -> int:
    """Write an .h5ad file: an AnnData object with results for its rows, and return the number of rows.

    ``obs`` gets ``gmvae_cluster``, a category, and ``gmvae_probability`` and so on; ``obsm`` gets ``X_gmvae``
    and ``gmvae_probabilities``.

    Arguments:
        out: The file to write.
        source: The file that the results are for.
        answers: The columns of the results, as :mod:`gmvae.apply.apply` gives them.

    Raises:
        ValueError: if the source has no AnnData object.
    """
    if not isinstance(source, AnnotatedMatrix):
        raise ValueError(f"{out} is an .h5ad file: only results for an .h5ad file can be written as one")
    import pyarrow as pa

    from gmvae.store.annotated import write_annotated

    columns = chain.from_iterable(
        zip(table.column_names, table.columns, strict=True) for table in map(pa.Table.from_batches, answers)
    )
    obs, parts = {}, dict[str, list[np.ndarray]]()
    for name, column in columns:
        values = column.to_numpy()
        numbered = re.fullmatch(r"([px])\d+", name)
        if numbered:
            parts.setdefault(ARRAYS[numbered[1]], []).append(values)
        elif name == "cluster":
            obs["gmvae_cluster"] = values.astype(str).astype(object)
        elif name in ("cluster_name", "probability", "confidence", "log_density"):
            obs[f"gmvae_{name}"] = values
    obsm = {name: np.column_stack(found) for name, found in parts.items()}
    write_annotated(out, source.path, obs, obsm)
    return len(next(iter((*obs.values(), *obsm.values()))))
