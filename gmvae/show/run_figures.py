"""The pictures of a run, from what it wrote into its folder."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from matplotlib.figure import Figure

from gmvae.assess.snapshot import Snapshot
from gmvae.show import figures
from gmvae.store.files import read_arrays, write_whole
from gmvae.store.run_folder import RunFolder
from gmvae.store.tables import check_ending

FORMATS = (".png", ".svg", ".pdf")
"""Endings of the files that figures go into."""


def draw_plot(folder: RunFolder, name: str, suffix: str = "", out: Path | None = None) -> Path:
    """Draw one of a run's pictures from what the run wrote; the path of its file.

    Arguments:
        folder: The run's folder.
        name: Which picture.
        suffix: What the file's name has after that.
        out: Another file than a PNG file of that name in the folder.

    Raises:
        ValueError: where the run has not got to it yet.
    """
    return save_figure(draw_on(folder, name), out or folder.plots / f"{name}{suffix}.png")


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure in the form that the file's name asks for; its path.

    Raises:
        ValueError: where that is none of ``FORMATS``.
    """
    check_ending(path, FORMATS)
    write_whole(path, lambda part: figure.savefig(part, format=path.suffix[1:], dpi=120))
    return path


def draw_on(folder: RunFolder, name: str, figure: Figure | None = None) -> Figure:
    """Draw one of a run's pictures on a figure, or on a new one."""
    if name in figures.OF_SNAPSHOT:
        if not folder.snapshot.exists():
            raise ValueError(f"{folder.path} has no checkpoint yet to draw {name} from: wait for it")
        return draw_from(folder.snapshot, name, figure)
    if name == "stability":
        choice = folder.about().get("choice")
        if choice is None:
            raise ValueError(
                f"{folder.path} was given its number of clusters: stability shows how one was chosen"
            )
        return figures.stability(choice, figure)
    history = folder.history()
    if not history:
        raise ValueError(f"{folder.path} has no epoch yet to draw {name} from: wait for it")
    return figures.OF_HISTORY[name](history, figure)


def draw_from(path: Path, name: str, figure: Figure | None = None) -> Figure:
    """Draw one of the pictures of a snapshot from its file, on a figure or on a new one."""
    return figures.OF_SNAPSHOT[name](read_snapshot(path), figure)


def read_snapshot(path: Path) -> Snapshot:
    """A snapshot from its file.

    Raises:
        ValueError: where another version wrote it.
    """
    arrays = read_arrays(path)
    if set(arrays) != {field.name for field in fields(Snapshot)}:
        raise ValueError(f"{path} was written by another version: delete it, and it is made anew")
    return Snapshot(**arrays)
