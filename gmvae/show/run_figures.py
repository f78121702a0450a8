"""Draw the pictures of a run from the files in its folder."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gmvae.assess.shown import Snapshot
from gmvae.partition.relabelling import Relabelling
from gmvae.show import figures
from gmvae.show.epochs import OF_HISTORY
from gmvae.show.naming import Naming
from gmvae.show.pictures import naming, save_figure
from gmvae.show.stability import UNKNOWN, of_numbers
from gmvae.store.files import read_arrays
from gmvae.store.model_file import ModelFile
from gmvae.store.run_folder import RunFolder


def draw_plot(folder: RunFolder, name: str, suffix: str = "", out: Path | None = None) -> Path:
    """Draw one of a run's pictures from the files in its folder, and return the path of the picture.

    Arguments:
        folder: The run's folder.
        name: Which picture.
        suffix: What follows the picture's name in the name of its file.
        out: The file to write, if it is not the PNG file with that name in the folder.

    Raises:
        ValueError: if the run has not yet written what the picture needs.
    """
    return save_figure(draw_on(folder, name), out or folder.plots / f"{name}{suffix}.png")


def draw_on(folder: RunFolder, name: str, figure: Figure | None = None) -> Figure:
    """Draw one of a run's pictures on a figure, or on a new one."""
    if name in figures.OF_SNAPSHOT:
        if not folder.snapshot.exists():
            raise ValueError(f"{folder.path} has no checkpoint yet to draw {name} from: wait for it")
        return draw_from(folder, folder.snapshot, name, figure)
    if name == "stability":
        choice = folder.about().get("choice")
        if choice is None:
            raise ValueError(UNKNOWN)
        return of_numbers(choice, figure)
    history = kept_records(folder)
    if not history:
        raise ValueError(f"{folder.path} has no epoch yet to draw {name} from: wait for it")
    return OF_HISTORY[name](history, figure)


def draw_from(folder: RunFolder, path: Path, name: str, figure: Figure | None = None) -> Figure:
    """Draw one of the pictures of a snapshot from its file, on a figure or on a new one, with the names that
    a run has for columns and clusters."""
    shown = read_snapshot(path)
    names = naming_of(folder, shown)
    return figures.OF_SNAPSHOT[name](divided(shown, names.relabelling), figure, names)


def divided(shown: Snapshot, edits: Relabelling) -> Snapshot:
    """A snapshot with the splits of clusters applied. What the model generates for a part of a cluster is
    that of the whole cluster, since a snapshot does not say from which x it was generated."""
    if not edits.split:
        return shown
    count = len(shown.component_mean)
    components = edits.components(count)

    def parts(clusters: NDArray[np.int64], x: NDArray[Any]) -> NDArray[np.int64]:
        return edits.divided(np.eye(count)[clusters], x).argmax(1)

    kept = -(-len(shown.x) // max(1, len(shown.y)))  # rows of images are spaced
    return replace(
        shown,
        clusters=parts(shown.clusters, shown.x),
        y_clusters=parts(shown.y_clusters, shown.x[::kept]),
        samples=shown.samples[:, components],
        styles=shown.styles[:, components],
    )


def naming_of(folder: RunFolder, shown: Snapshot) -> Naming:
    """The names that a run has for its columns, and the names, merges and splits that people gave its
    clusters (``gmvae relabel``)."""
    clusters, relabelling = len(shown.component_mean), Relabelling()
    if folder.model.exists():
        edits = ModelFile.load(folder.model).about.get("relabelled", {})
        relabelling = Relabelling.of(edits, clusters, shown.x.shape[1])
    return naming(shown, folder.about()["data"].get("features") or (), relabelling)


def kept_records(folder: RunFolder) -> list[dict[str, Any]]:
    """The records of the restart that is kept or, before the end, of the one in progress."""
    records = folder.history()
    last = (folder.read_summary() or {}).get("restart", records[-1].get("restart") if records else None)
    return [record for record in records if record.get("restart") == last]


def rows_resampled(folder: RunFolder) -> bool:
    """Whether the stability of a run's rows is known."""
    return folder.model.exists() and ModelFile.load(folder.model).about.get("resampling") is not None


def read_snapshot(path: Path) -> Snapshot:
    """Read a snapshot from its file.

    Raises:
        ValueError: if another version wrote it.
    """
    arrays = read_arrays(path)
    if set(arrays) != {field.name for field in fields(Snapshot)}:
        raise ValueError(f"{path} was written by another version: delete it, and it will be made again")
    return Snapshot(**arrays)
