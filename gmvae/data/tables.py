"""Tables of named columns: which become features, and how their batches become numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gmvae.data.recipe import MissingValueError, Recipe, Wish
from gmvae.data.source import ROWS, Block, Source, check_names, chosen, some

CATEGORIES = 100
"""Different values that a column of text may have to become features."""
UNNAMED = ("", "__index_level_0__")
"""What a column of row numbers is called that pandas wrote. It is no feature unless it is asked for."""


class Table(Source):
    """A file with named columns of their own types."""

    @abstractmethod
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""

    @abstractmethod
    def batches(self, names: Sequence[str], recipe: Recipe, rows: int) -> Iterator[pa.RecordBatch]:
        """These columns, in batches of rows."""

    def recipe(self, wish: Wish) -> Recipe:
        with self.reading():
            schema = self.schema()
        twice = [name for name, count in Counter(schema.names).items() if count > 1]
        if twice:
            raise ValueError(f"{self.path} has more than one column {some(twice)}: rename all but one")
        check_names(self.path, wish, schema.names)
        names = chosen(wish, [name for name in schema.names if name not in UNNAMED])
        if not names:
            raise ValueError(f"{self.path} has no column to take as a feature: it has {some(schema.names)}")
        kinds = {name: _kind(schema.field(name).type) for name in names}
        odd = [f"{name} ({schema.field(name).type})" for name in names if kinds[name] == "other"]
        if odd:
            raise ValueError(
                f"{self.path} has columns that are neither numbers nor text: {some(odd)}; leave them out "
                "with --drop"
            )
        texts = [name for name in names if kinds[name] == "text"]
        if texts and wish.text == "error":
            raise ValueError(
                f"{self.path} has columns of text: {some(texts)}; make 0/1 features of them with "
                "--text one-hot, or leave them out with --drop"
            )
        made = Recipe(
            y_shape=(len(names),),
            columns=names,
            categories=dict.fromkeys(texts, ()),
            impute=wish.missing == "impute",
            label_column=wish.label_column,
            id_column=wish.id_column,
        )
        return self._surveyed(made) if texts or made.impute else made

    def blocks(self, recipe: Recipe, rows: int = ROWS) -> Iterator[Block]:
        with self.reading():
            there = self.schema().names
            names = recipe.columns or tuple(name for name in there if name not in UNNAMED)
            if not recipe.columns:
                recipe = self._by_place(recipe, names)
            lacking = [name for name in names if name not in there]
            if lacking:
                raise ValueError(f"{self.path} has no column {some(lacking)}: the model was trained on it")
            beside = [name for name in (recipe.id_column, recipe.label_column) if name and name in there]
            wanted = list(dict.fromkeys([*names, *beside]))
            done = 0
            for batch in self.batches(wanted, recipe, rows):
                for start in range(0, len(batch), rows):
                    part = batch.slice(start, rows)
                    yield self._block(part, recipe, done)
                    done += len(part)

    def _block(self, part: pa.RecordBatch, recipe: Recipe, done: int) -> Block:
        def column(name: str | None) -> Any:
            return part.column(name) if name in part.schema.names else None

        try:
            y = recipe.encode(part)
        except MissingValueError as error:
            self._explain(recipe, done + error.row)
        except ValueError as error:
            raise ValueError(f"{self.path}, in rows {done} to {done + len(part) - 1}: {error}") from error
        return Block(y, column(recipe.id_column), column(recipe.label_column))

    def _explain(self, recipe: Recipe, first: int) -> None:
        """Say how many rows have a missing value, and in which columns."""
        count, where = 0, Counter[str]()
        for batch in self.batches(list(recipe.columns), recipe, ROWS):
            gaps = [_gaps(batch.column(name)) for name in recipe.columns]
            count += int(np.logical_or.reduce(gaps).sum())
            where.update({name: int(gap.sum()) for name, gap in zip(recipe.columns, gaps, strict=True)})
        named = [f"{name} ({gaps:,})" for name, gaps in where.most_common() if gaps]
        raise ValueError(
            f"{self.path} has missing values in {count:,} rows, in columns {some(named)}, first in row "
            f"{first}, counted from 0: train with --missing impute, which fills them with their column's "
            "mean, or remove these rows"
        )

    def _surveyed(self, recipe: Recipe) -> Recipe:
        """The recipe with the values of columns of text, and the means that stand for missing numbers."""
        kinds: dict[str, set[str]] = {name: set() for name in recipe.categories}
        sums = {name: [0.0, 0] for name in recipe.columns if name not in kinds}
        with self.reading():
            for batch in self.batches(list(recipe.columns), recipe, ROWS):
                for name, seen in kinds.items():
                    seen.update(pc.unique(pc.cast(batch.column(name), pa.string())).to_pylist())
                    if len(seen) > CATEGORIES:
                        raise ValueError(
                            f"{self.path} has more than {CATEGORIES} different texts in column {name}: leave "
                            "it out with --drop, or name it with --id-column"
                        )
                for name, total in sums.items():
                    values = _numbers(batch.column(name))
                    values = values[np.isfinite(values)]
                    total[0] += values.sum()
                    total[1] += len(values)
        empty = [n for n, (_, count) in sums.items() if not count]
        empty += [n for n, seen in kinds.items() if not seen - {None}]
        if empty and recipe.impute:
            raise ValueError(
                f"{self.path} has no value at all in column {some(empty)}: leave it out with --drop"
            )
        categories = {name: tuple(sorted(v for v in seen if v is not None)) for name, seen in kinds.items()}
        fill = {name: total / count for name, (total, count) in sums.items()} if recipe.impute else {}
        full = replace(recipe, categories=categories, fill=fill)
        return replace(full, y_shape=(len(full.features),))

    def _by_place(self, recipe: Recipe, names: Sequence[str]) -> Recipe:
        """For a model of an array, whose columns have no names."""
        if len(names) != recipe.y_shape[0] or len(recipe.y_shape) > 1:
            raise ValueError(
                f"{self.path} has {len(names)} columns: the model was trained on observations of shape "
                f"{recipe.y_shape} without names"
            )
        return replace(
            recipe, columns=tuple(names), fill=dict(zip(names, recipe.fill.values(), strict=False))
        )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Arrow's errors in one line that names the file."""
        try:
            yield
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError, OSError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise ValueError(self.complaint(str(error).splitlines()[0])) from error

    def complaint(self, message: str) -> str:
        """What a message of Arrow's amounts to."""
        return f"{self.path} cannot be read as a table: {message}"


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    t = pa.types
    if any(is_one(kind) for is_one in (t.is_integer, t.is_floating, t.is_boolean, t.is_decimal, t.is_null)):
        return "number"
    text = any(is_one(kind) for is_one in (t.is_string, t.is_large_string, t.is_string_view))
    return "text" if text else "other"


def _numbers(values: pa.Array) -> Any:
    return np.asarray(pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _gaps(values: pa.Array) -> Any:
    return np.asarray(pc.is_null(values, nan_is_null=pa.types.is_floating(values.type)))
