"""Draw what a request asks for, without the model or torch."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gmvae.assess.shown import Snapshot
from gmvae.partition.relabelling import Relabelling
from gmvae.show import figures
from gmvae.show.epochs import OF_HISTORY
from gmvae.show.naming import Naming
from gmvae.show.request import Request
from gmvae.show.stability import of_numbers
from gmvae.store.files import write_whole
from gmvae.store.tables import check_ending

FORMATS = (".png", ".svg", ".pdf")
"""Endings of the files that figures can be written to."""


def draw(request: Request) -> None:
    """Draw the pictures of a request.

    Raises:
        OSError: if a file cannot be read or written.
    """
    shown = None
    if request.snapshot:
        with np.load(BytesIO(request.snapshot), allow_pickle=False) as arrays:
            shown = Snapshot(**arrays)
    for name in request.names:
        figure = _figure(request, name, shown)
        for suffix in request.suffixes:
            save_figure(figure, Path(request.plots) / f"{name}{suffix}.png")


def _figure(request: Request, name: str, shown: Snapshot | None) -> Figure:
    if name in figures.OF_SNAPSHOT and shown is not None:
        return figures.OF_SNAPSHOT[name](shown, None, naming(shown, request.columns))
    if name == "stability" and request.choice is not None:
        return of_numbers(request.choice)
    return OF_HISTORY[name](_records(request))


def _records(request: Request) -> list[dict[str, Any]]:
    with open(request.metrics, "rb") as file:
        lines = file.read(request.size).split(b"\n")[:-1]
    records = [json.loads(line) for line in lines]
    return [record for record in records if record.get("restart") == request.restart]


def naming(shown: Snapshot, columns: Any, relabelling: Relabelling | None = None) -> Naming:
    """The names of columns and clusters in pictures of a snapshot. If the model does not see columns as they
    are in the file, their names are not used."""
    names = tuple(columns) if len(columns) == shown.y.shape[1] else ()
    return Naming(len(shown.component_mean), names, relabelling or Relabelling())


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure in the format of the file's ending, and return its path.

    Raises:
        ValueError: if the ending is not one of ``FORMATS``.
        OSError: if it cannot be written.
    """
    check_ending(path, FORMATS)
    write_whole(path, lambda part: figure.savefig(part, format=path.suffix[1:], dpi=120))
    return path
