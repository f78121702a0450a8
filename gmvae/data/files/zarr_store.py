"""Zarr stores: folders with an array in chunks, several arrays, or an AnnData object."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

from gmvae.data.files.annotated import AnnotatedMatrix
from gmvae.data.files.matrices import Matrix
from gmvae.data.files.stores import of_observations
from gmvae.data.limits import check_shape
from gmvae.data.schema import first_line


class _InStore:
    """A source whose path is the folder of a store: every file in it belongs to it."""

    path: Path

    def reads(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.path.resolve())


class ZarrArray(_InStore, Matrix):
    """An array of a Zarr store, read from disk by rows."""

    def size(self) -> int:
        return math.prod(self.array.shape) * self.array.dtype.itemsize


class ZarrAnnData(_InStore, AnnotatedMatrix):
    """An AnnData object of a Zarr store, in memory."""


def open_zarr(path: Path) -> Matrix:
    """Open a Zarr store: its array, the array of observations of a group (``X``, or the only one with more
    than one axis), or an AnnData object.

    Arrays are read from disk by rows, AnnData objects as a whole. Arrays with one value for each observation
    can be chosen as labels, ids or weights by their names.

    Raises:
        ValueError: if a package is not installed, the store is damaged, or it is not clear which array has
            the observations.
    """
    try:
        import zarr
    except ImportError as error:
        raise ValueError(f"{path} needs the package zarr: pip install 'gmvae[zarr]'") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about formats that have no specification yet
            found = zarr.open(path, mode="r")
            if isinstance(found, zarr.Array):
                return _checked(path, found)
            if found.attrs.get("encoding-type") == "anndata":
                return _annotated(path)
            arrays = dict(sorted(found.arrays()))
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path} is not a complete Zarr store: {first_line(error)}") from error
    except Exception as error:  # zarr raises errors of any kind
        if isinstance(error, PermissionError):
            raise
        raise ValueError(f"{path} is not a complete Zarr store: {first_line(error)}") from error
    array, beside = of_observations(path, arrays)
    return _checked(path, array, {name: values[:] for name, values in beside.items()})


def _checked(path: Path, array: Any, beside: Any = None) -> ZarrArray:
    if array.ndim > 1:
        check_shape(path, (1, *array.shape[1:]))  # only blocks of rows are held in memory
    return ZarrArray(path, array, beside=beside)


def _annotated(path: Path) -> ZarrAnnData:
    try:
        import anndata
    except ImportError as error:
        raise ValueError(f"{path} needs the package anndata: pip install 'gmvae[h5ad]'") from error
    return ZarrAnnData(path, anndata.read_zarr(path))
