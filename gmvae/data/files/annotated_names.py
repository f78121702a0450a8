"""Names in an AnnData file, as h5py gives them."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gmvae.data.files.columns import listing
from gmvae.rules import similar

HDF5 = b"\x89HDF\r\n\x1a\n"
"""The first bytes of an HDF5 file."""
TRIED = 20 << 20
"""Files of at most this many bytes are tried in another process first."""
WAIT = 60
"""Maximum number of seconds that it takes, whatever it waits for."""
TEXTS = 1_000_000
"""Maximum number of strings that are read there from a data set."""


def check_begin(path: Path) -> None:
    """Raise ``ValueError`` if a file does not begin as HDF5 files do, or HDF5 crashes on it or reads it
    without end."""
    with open(path, "rb") as file:
        if file.read(len(HDF5)) != HDF5:
            raise ValueError(f"{path} is not a complete .h5ad file: it does not begin as HDF5 files do")
    if not _survives(path):
        raise ValueError(f"{path} is not a complete .h5ad file: HDF5 crashes on it, or reads it without end")


def _survives(path: Path) -> bool:
    """Whether a child process survives reading all attributes and strings of a small file, within half a
    second of processor time, and another for every 2 MB. Errors are left to the reader."""
    try:
        import resource

        import h5py
    except ImportError:  # resource is not on Windows; the reader says how to install h5py
        return True
    size = path.stat().st_size
    if size > TRIED:
        return True

    def read(_: str, found: Any) -> None:
        dict(found.attrs)
        if isinstance(found, h5py.Dataset) and found.dtype.kind == "O" and found.size <= TEXTS:
            found[()]

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # about threads, whose locks the child does not use
        child = os.fork()
    if not child:
        try:
            for limit in (signal.SIGALRM, signal.SIGPROF):
                signal.signal(limit, signal.SIG_DFL)
            signal.alarm(WAIT)
            signal.setitimer(signal.ITIMER_PROF, 0.5 + size / 4e6)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            with h5py.File(path, "r") as file:
                read("/", file)
                file.visititems(read)
        except BaseException:
            os._exit(0)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


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


def text_error(path: Path, layer: str, columns: Sequence[str] = ()) -> ValueError:
    """The error about an array that holds text or, in a data frame, about the columns that do."""
    found = f"text or categories in column {listing(columns)} of" if columns else "text in"
    return ValueError(f"{path} has {found} {layer}: choose an array of numbers with --layer")


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
    """Names of the columns of an array: the variables or, for an embedding, its own, or else numbers; empty
    for images."""
    if layer in (None, "X") or layer in file.get("layers", ()):
        var = file["var"]
        return [name.decode() for name in var[var.attrs["_index"]][:]]
    found = file["obsm"][layer]
    if found.attrs.get("encoding-type") == "dataframe":
        return order(found)
    shape = found.attrs.get("shape")  # of a sparse one, which has several parts
    shape = found.shape if shape is None else shape
    return [f"{layer}{d}" for d in range(shape[1])] if len(shape) == 2 else []


def order(table: Any) -> list[str]:
    """Names of the columns of a table, in their order."""
    return [name if isinstance(name, str) else name.decode() for name in table.attrs["column-order"].tolist()]
