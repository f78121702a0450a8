"""Check the names in an AnnData file with h5py alone, since importing anndata takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gmvae.data.files.columns import check_options, listing
from gmvae.data.schema import ReadOptions, first_line
from gmvae.rules import similar

HDF5 = b"\x89HDF\r\n\x1a\n"
"""The first bytes of an HDF5 file."""


def check_begin(path: Path) -> None:
    """Raise ``ValueError`` if a file does not begin as HDF5 files do."""
    with open(path, "rb") as file:
        if file.read(len(HDF5)) != HDF5:
            raise ValueError(f"{path} is not a complete .h5ad file: it does not begin as HDF5 files do")


def check_layer(path: Path, layer: str | None, there: Sequence[str]) -> None:
    """Raise ``ValueError`` if a file does not have a layer, or none is named and there is no ``X``.

    Arguments:
        path: The file.
        layer: The layer or embedding that is asked for, if any.
        there: Names of all arrays that can be read.
    """
    if not there:
        raise ValueError(f"{path} has no X: it must hold the observations there")
    if layer is None and "X" not in there:
        raise ValueError(f"{path} has no X: choose a layer with --layer: {listing(there)}")
    if layer is not None and layer not in there:
        near = similar(layer, there, 3, 0.5)
        rest = f"did you mean {' or '.join(near)}?" if near else f"it has {listing(there)}"
        raise ValueError(f"--layer is {layer!r}, which {path} does not have: {rest}")


def check_h5ad(path: Path, options: ReadOptions) -> None:
    """Check the names in options. What h5py cannot find out is left to the reader.

    Raises:
        ValueError: if the file is not whole, or does not have a layer or a column that is named.
    """
    check_begin(path)
    try:
        import h5py
    except ImportError:  # the reader says what to install
        return
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        raise ValueError(f"{path} is not a complete .h5ad file: {first_line(error)}") from error
    with file:
        try:
            there = layers(file)
        except (KeyError, AttributeError):
            return
        check_layer(path, options.layer, there)
        try:
            columns, beside = column_names(file, options.layer), order(file["obs"])
        except (KeyError, AttributeError, TypeError, IndexError):  # an older form of the file
            return
    check_options(path, replace(options, layer=None), [*columns, *beside], columns)


def layers(file: Any) -> list[str]:
    """Names of all arrays that can be read: ``X``, the layers and the embeddings."""
    first = ["X"] if "X" in file and file["X"].attrs.get("encoding-type") != "null" else []
    groups = [file[group] for group in ("layers", "obsm") if group in file]
    # older files have the embeddings as fields of one array
    return [
        *first,
        *(name for group in groups for name in (group.dtype.names if hasattr(group, "dtype") else group)),
    ]


def column_names(file: Any, layer: str | None) -> list[str]:
    """Names of the columns of an array: the variables or, for an embedding, its own, or else numbers."""
    if layer in (None, "X") or layer in file.get("layers", ()):
        var = file["var"]
        return [name.decode() for name in var[var.attrs["_index"]][:]]
    found = file["obsm"][layer]
    if found.attrs.get("encoding-type") == "dataframe":
        return order(found)
    shape = found.attrs.get("shape")  # of a sparse one, which has several parts
    return [f"{layer}{d}" for d in range((found.shape if shape is None else shape)[1])]


def order(table: Any) -> list[str]:
    """Names of the columns of a table, in their order."""
    return [name if isinstance(name, str) else name.decode() for name in table.attrs["column-order"].tolist()]
