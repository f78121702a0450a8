"""Check what a command is given before PyTorch is imported, which takes seconds."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from gmvae.cli.answers import Describe, Embed, Predict
from gmvae.config import DataConfig
from gmvae.data.limits import check_file, nearest

READ_STANDARD_INPUT = (Predict, Embed, Describe)
"""The commands whose file can be standard input."""
SMALL = 20 << 20
"""Files of at most this many bytes are read in full before training: it takes less time than importing
PyTorch."""


def check_data(data: DataConfig) -> None:
    """Open the file to train on, and check its columns and, if it is small, every value.

    Raises:
        ValueError: if the content of the file is not valid.
        OSError: if it cannot be read.
    """
    if data.path is None:
        return
    if not any(mark in data.path for mark in ("://", "*", "?")):
        check_file(Path(data.path))  # before the readers are imported
    if data.labels_path is not None:
        check_file(Path(data.labels_path))
    from gmvae.data.files.open import open_source
    from gmvae.data.schema import ReadOptions

    options = ReadOptions(**{field.name: getattr(data, field.name) for field in fields(ReadOptions)})
    path = Path(data.path)
    if path.suffix.lower() == ".h5ad" and path.is_file():
        from gmvae.data.files.annotated_check import check_h5ad

        check_h5ad(path, options, numbers=path.stat().st_size <= SMALL)
    source = open_source(data.path)
    small = source.path.is_file() and source.path.stat().st_size <= SMALL
    quick = (options.missing, options.text) == ("error", "error")  # others need a pass over the file
    if small or (source.columns_have_types and quick):
        schema = source.schema(options)
        if small and not sum(len(block.y) for block in source.blocks(schema)):
            raise ValueError(f"{source.path} has no rows: it must have at least two")


def check_applied(command: object) -> None:
    """Check that the run or model, and the file, of a command are there and can be opened.

    Raises:
        ValueError: if one of them is not what it must be.
        OSError: if it cannot be read.
    """
    run, file = (getattr(command, name, None) for name in ("run", "file"))
    if isinstance(run, Path) and not run.exists():
        rest = nearest(run) or ": it must be a run folder or a model file"
        raise ValueError(f"{run} does not exist{rest}")
    for other in (getattr(command, name, None) for name in ("labels_path", "edits")):
        if isinstance(other, Path):
            check_file(other)
    if isinstance(file, Path) and str(file) == "-" and not isinstance(command, READ_STANDARD_INPUT):
        raise ValueError(
            "FILE is -, standard input, which only predict, embed and describe read: save it to a file first"
        )
    if isinstance(file, Path) and str(file) != "-":
        from gmvae.data.files.open import open_source

        open_source(file)
