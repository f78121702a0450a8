"""Arrays and matrices as sources of observations: .npy, .npz, .t7, and the X of .h5ad files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gmvae.data.arrays import read_array
from gmvae.data.recipe import MissingValueError, Recipe, Wish
from gmvae.data.source import ROWS, Block, Source, check_names, chosen, some

NAMES = ("X", "x", "data", "images", "y")
"""What the array of observations may be called in a .npz file of several, in this order."""


class Matrix(Source):
    """An array whose first axis is that of observations.

    Arguments:
        path: Where it is.
        array: Anything that gives rows when it is sliced: an array, a memmap, a sparse matrix.
        names: Names of the columns; empty where they have none but their numbers.
        beside: Other values of each row, such as labels, by name.
        ids: Names of the rows, where they have some without being asked.
    """

    def __init__(
        self,
        path: Path,
        array: Any,
        names: Sequence[str] = (),
        beside: Mapping[str, NDArray[Any]] | None = None,
        ids: NDArray[Any] | None = None,
    ) -> None:
        super().__init__(path)
        self.array, self.names, self.beside, self.ids = array, tuple(names), beside or {}, ids
        self.levels = array.dtype == np.uint8 and len(array.shape) in (3, 4)
        self.shape = tuple(array.shape[1:]) if len(array.shape) != 3 else (1, *array.shape[1:])
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{path} holds values of type {array.dtype}: they must be numbers")
        if len(array.shape) not in (2, 3, 4) or 0 in array.shape:
            raise ValueError(
                f"{path} has shape {tuple(array.shape)}: it must be (observations, numbers in each), or "
                "images as (observations, channels, height, width)"
            )
        if self.levels and self.shape[-1] in (1, 3, 4) and self.shape[0] not in (1, 3, 4):
            raise ValueError(
                f"{path} has shape {tuple(array.shape)}: images must have shape (N, channels, height, "
                "width), so move the last axis to the second place"
            )

    def count(self) -> int | None:
        return int(self.array.shape[0])

    def recipe(self, wish: Wish) -> Recipe:
        if len(self.shape) == 3:
            columns: tuple[str, ...] = ()
            check_names(self.path, replace(wish, columns=(), drop=()), [*self.beside])
        else:
            known = self.names or tuple(map(str, range(self.shape[0])))
            check_names(self.path, wish, [*known, *self.beside])
            columns = chosen(wish, known)
            columns = columns if self.names or wish.columns or wish.drop else ()
            if (self.names or wish.columns or wish.drop) and not columns:
                raise ValueError(f"{self.path} has no column left to take as a feature")
        made = Recipe(
            y_shape=(len(columns),) if columns else self.shape,
            columns=columns,
            impute=wish.missing == "impute",
            label_column=wish.label_column,
            id_column=wish.id_column,
        )
        return self._surveyed(made) if made.impute and not self.levels else made

    def blocks(self, recipe: Recipe, rows: int = ROWS) -> Iterator[Block]:
        places = self._places(recipe)
        for start in range(0, self.array.shape[0], rows):
            part = slice(start, start + rows)
            y = self._numbers(self.array[part])
            if y.dtype != np.uint8:
                y = self._checked(y if places is None else y[:, places], recipe, start)
            ids = self.beside.get(recipe.id_column or "", self.ids)
            labels = self.beside.get(recipe.label_column or "")
            yield Block(y, *(None if values is None else values[part] for values in (ids, labels)))

    def _numbers(self, values: Any) -> NDArray[Any]:
        values = values.toarray() if sparse.issparse(values) else np.asarray(values)
        if self.levels:
            return values.reshape(-1, *self.shape)
        return values.astype(np.float64).reshape(-1, *self.shape)

    def _places(self, recipe: Recipe) -> list[int] | None:
        """The columns that a recipe takes, or ``None`` for all as they are."""
        known = self.names or tuple(map(str, range(self.shape[0])))
        by_number = all(name.isdecimal() for name in recipe.columns)
        if recipe.columns and (self.names or by_number) and len(self.shape) == 1:
            lacking = [name for name in recipe.columns if name not in known]
            if lacking:
                raise ValueError(f"{self.path} has no column {some(lacking)}: the model was trained on it")
            place = {name: number for number, name in enumerate(known)}
            return [place[name] for name in recipe.columns]
        features = recipe.y_shape
        if self.shape != features:
            raise ValueError(
                f"{self.path} has observations of shape {self.shape}, and the model was trained on "
                f"{features}: they must be alike"
            )
        return None

    def _checked(self, y: NDArray[np.float64], recipe: Recipe, start: int) -> NDArray[np.float64]:
        flat = y.reshape(len(y), -1)
        names = list(recipe.columns) or list(map(str, range(flat.shape[1])))
        try:
            return recipe.filled(flat, names).reshape(y.shape)
        except MissingValueError as error:
            self._explain(recipe, start + error.row)
            raise
        except ValueError as error:
            raise ValueError(f"{self.path}, in rows {start} to {start + len(y) - 1}: {error}") from error

    def _explain(self, recipe: Recipe, first: int) -> None:
        places, count = self._places(recipe), 0
        for start in range(0, self.array.shape[0], ROWS):
            y = self._numbers(self.array[start : start + ROWS])
            y = y if places is None else y[:, places]
            count += int(np.isnan(y.reshape(len(y), -1)).any(1).sum())
        raise ValueError(
            f"{self.path} has missing values in {count:,} rows, first in row {first}, counted from 0: train "
            "with --missing impute, which fills them with their column's mean, or remove these rows"
        )

    def _surveyed(self, recipe: Recipe) -> Recipe:
        """The recipe with the means that stand for missing numbers."""
        places, sums = self._places(recipe), 0.0
        count: Any = 0
        for start in range(0, self.array.shape[0], ROWS):
            y = self._numbers(self.array[start : start + ROWS])
            y = (y if places is None else y[:, places]).reshape(len(y), -1)
            sums, count = sums + np.where(np.isfinite(y), y, 0).sum(0), count + np.isfinite(y).sum(0)
        names = recipe.columns or tuple(map(str, range(len(count))))
        empty = [name for name, number in zip(names, count, strict=True) if not number]
        if empty:
            raise ValueError(
                f"{self.path} has no value at all in column {some(empty)}: leave it out with --drop"
            )
        return replace(recipe, fill=dict(zip(names, (sums / count).tolist(), strict=True)))


def open_array(path: Path) -> Matrix:
    """The array in a .npy or .t7 file, or that of observations in a .npz file.

    Raises:
        ValueError: where the file is not whole, or does not tell which array it is.
        OSError: where it cannot be read.
    """
    if path.suffix == ".npz":
        return _open_npz(path)
    return Matrix(path, read_array(path, mapped=True))


def open_h5ad(path: Path) -> Matrix:
    """The X of an AnnData file, read from disk by rows: features are its variables, labels and ids columns of
    its ``obs``, and without an id column the names of its observations are the ids.

    Raises:
        ValueError: where ``anndata`` is not installed, or the file is not whole.
    """
    try:
        import anndata
    except ImportError as error:
        raise ValueError(f"{path} needs the package anndata: pip install 'gmvae[h5ad]'") from error
    try:
        data = anndata.read_h5ad(path, backed="r")
    except Exception as error:  # h5py and anndata raise whatever comes
        raise ValueError(f"{path} is not a whole .h5ad file: {str(error).splitlines()[0]}") from error
    beside = {str(name): np.asarray(data.obs[name].astype(object)) for name in data.obs.columns}
    return Matrix(
        path, data.X, list(map(str, data.var_names)), beside, np.asarray(data.obs_names.astype(object))
    )


def _open_npz(path: Path) -> Matrix:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, BadZipFile, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise ValueError(f"{path} is not a whole .npz file of numbers or texts: {error}") from error
    if {"format", "shape", "data"} <= arrays.keys():
        return Matrix(path, sparse.csr_array(sparse.load_npz(path)))
    many = {name: array for name, array in arrays.items() if array.ndim > 1}
    name = next((name for name in NAMES if name in many), next(iter(many)) if len(many) == 1 else None)
    if name is None:
        raise ValueError(
            f"{path} has arrays {some(list(arrays))}: that of the observations must be called X, or be the "
            "only one with more than one axis"
        )
    array = arrays.pop(name)
    beside = {key: values for key, values in arrays.items() if values.shape == array.shape[:1]}
    return Matrix(path, array, beside=beside)
