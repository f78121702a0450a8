"""AnnData's .h5ad files: cells or other observations, with annotations."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gmvae.data.files.annotated_names import check_begin, check_layer, text_error
from gmvae.data.files.base import ROWS, Block
from gmvae.data.files.matrices import Matrix
from gmvae.data.limits import check_shape
from gmvae.data.schema import ReadOptions, Schema, first_line


class AnnotatedMatrix(Matrix):
    """The X of an AnnData file, one of its layers, or an embedding of its ``obsm``, read from disk by rows.

    Features are its variables, or the columns of the embedding (``X_pca0``, ``X_pca1``, ...). Labels and ids
    are columns of its ``obs``. Without an id column, the names of its observations are the ids.

    Arguments:
        path: Its path.
        data: The object that ``anndata`` read from it.
    """

    def __init__(self, path: Path, data: Any) -> None:
        self.path, self.data = path, data
        self.layer, (array, names) = self._first()
        super().__init__(path, array, names, data.obs, np.asarray(data.obs_names, dtype=object))

    def schema(self, options: ReadOptions) -> Schema:
        self._take(options.layer)
        return replace(super().schema(replace(options, layer=None)), layer=options.layer)

    def blocks(self, schema: Schema, rows: int = ROWS) -> Iterator[Block]:
        self._take(schema.layer)
        done = 0
        for block in super().blocks(schema, rows):
            yield replace(block, table=self._annotations(done, len(block.y))) if self.keeps_columns else block
            done += len(block.y)

    def _annotations(self, start: int, rows: int) -> Any:
        """The columns of ``obs`` of some rows, after the names of these rows, as an Arrow record batch."""
        import pyarrow as pa

        part = self.data.obs.iloc[start : start + rows]
        if "id" not in part.columns:
            part = part.assign(id=self.data.obs_names[start : start + rows])[["id", *part.columns]]
        try:
            return pa.RecordBatch.from_pandas(part, preserve_index=False)
        except pa.ArrowException as error:
            raise ValueError(f"{self.path} has an obs that is not a table: {first_line(error)}") from error

    def _take(self, layer: str | None) -> None:
        check_layer(self.path, layer, self._layers())
        layer = None if layer == "X" else layer
        if layer != self.layer:
            self._hold(*self._of(layer))
            self.layer = layer

    def _first(self) -> tuple[str | None, tuple[Any, tuple[str, ...]]]:
        """The first array that holds numbers: its name, the array, and the names of its columns."""
        said = []
        for layer in (None if name == "X" else name for name in self._layers()):
            try:
                return layer, self._of(layer)
            except ValueError as error:
                said.append(error)
        raise said[0]

    def _layers(self) -> list[str]:
        """Names of all arrays that can be read."""
        first = [] if _observations(self.data) is None else ["X"]
        return [*first, *self.data.layers.keys(), *self.data.obsm.keys()]

    def _of(self, layer: str | None) -> tuple[Any, tuple[str, ...]]:
        """An array, and the names of its columns."""
        names: Sequence[Any] = self.data.var_names
        if layer is None:
            found = self.data.X
        elif layer in self.data.layers:
            found = self.data.layers[layer]
        else:
            found = self.data.obsm[layer]
            names = [f"{layer}{d}" for d in range(found.shape[1])] if len(found.shape) == 2 else ()
            if hasattr(found, "columns"):
                names = found.columns
                if texts := [name for name in names if found[name].dtype.kind not in "biuf"]:
                    raise text_error(self.path, layer, [*map(str, texts)])
                found = found.to_numpy(dtype=np.float64, na_value=np.nan)
        check_shape(self.path, found.shape)
        if found.dtype.kind in "OSTU":
            raise text_error(self.path, layer or "X")
        # stored by columns: reading rows from disk would take too long
        if getattr(found, "format", "csr") == "csc":
            found = (found.to_memory() if hasattr(found, "to_memory") else found).tocsr()
        return found, tuple(map(str, names))


def _observations(data: Any) -> Any:
    """Its ``X``, or ``None`` if it has none."""
    try:
        return data.X
    except KeyError:  # anndata looks for it on the disk
        return None


def open_h5ad(path: Path) -> AnnotatedMatrix:
    """Open an AnnData file.

    Raises:
        ValueError: if ``anndata`` is not installed, or the file is not whole.
    """
    check_begin(path)
    try:
        import anndata
    except ImportError as error:
        raise ValueError(f"{path} needs the package anndata: pip install 'gmvae[h5ad]'") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about names that occur twice: we raise an error for them
            data = anndata.read_h5ad(path, backed="r")
        if _observations(data) is None and not data.layers.keys() and not data.obsm.keys():
            raise ValueError(f"{path} has no X: it must hold the observations there")
        return AnnotatedMatrix(path, data)
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path} is not a complete .h5ad file: {first_line(error)}") from error
    except Exception as error:  # h5py and anndata raise errors of any kind
        if isinstance(error, PermissionError):
            raise
        raise ValueError(f"{path} is not a complete .h5ad file: {first_line(error)}") from error
