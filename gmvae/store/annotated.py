"""Write results into a copy of an AnnData file, where scverse tools look for them."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gmvae.store.files import write_whole


def write_annotated(
    out: Path, source: Path, obs: Mapping[str, NDArray[Any]], obsm: Mapping[str, NDArray[Any]]
) -> None:
    """Copy an .h5ad file, and add columns to its ``obs`` and arrays to its ``obsm``. Existing ones with the
    same names are replaced. Everything else is copied without being read. An AnnData object in Zarr is read
    and written as .h5ad.

    Arguments:
        out: The file to write; it appears when it is complete.
        source: The file, or the Zarr store, to copy.
        obs: Columns of shape (N,); strings become categories.
        obsm: Arrays of shape (N, D).

    Raises:
        ValueError: if the file has another number of observations.
    """
    import anndata
    import h5py
    from anndata.io import read_elem, write_elem

    def taken(table: Any) -> Any:
        """The ``obs`` with the new columns."""
        for name, values in obs.items():
            if len(values) != len(table):
                raise ValueError(f"{source} has {len(table):,} observations, not {len(values):,}")
            table[name] = values
            if values.dtype == object:
                table[name] = table[name].astype("category")
        return table

    def write(part: Path) -> None:
        if source.is_dir() or _old(source):  # read all of it, and write the current format
            data = anndata.read_zarr(source) if source.is_dir() else anndata.read_h5ad(source)
            taken(data.obs)
            data.obsm.update(obsm)
            data.write_h5ad(part)
            return
        shutil.copyfile(source, part)
        with h5py.File(part, "r+") as file:
            write_elem(file, "obs", taken(read_elem(file["obs"])))
            for name, array in obsm.items():
                write_elem(file, f"obsm/{name}", array)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names that occur twice, and older formats
        write_whole(out, write)


def _old(source: Path) -> bool:
    """Whether a file has the format of AnnData 0.6 or older."""
    import h5py

    with h5py.File(source) as file:
        return not isinstance(file["obs"], h5py.Group)
