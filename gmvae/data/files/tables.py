"""Tables of named columns: choose the features, and turn batches into numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gmvae.data.files.base import FLAGS, ROWS, Block, Source, at_most
from gmvae.data.files.columns import (
    check_distinct,
    check_once,
    check_options,
    chosen,
    listing,
    places,
)
from gmvae.data.files.complaints import RefusedTableError, Uses
from gmvae.data.files.unusable import unusable, unusable_error
from gmvae.data.files.values import date, flags, index_columns, kind, no_number, numbers, texts, unit
from gmvae.data.schema import UNNAMED, ReadOptions, Schema, UnusableValueError, first_line

REMARKS = 10
"""Maximum number of texts in a column whose texts all differ, apart from gaps; a column with more is taken
for remarks."""
CATEGORIES = 100
"""Maximum number of different values of a text column that can become features."""


class Table(Source):
    """A file with named columns of their own types."""

    columns_have_types = True

    @abstractmethod
    def arrow_schema(self, options: ReadOptions | None = None) -> pa.Schema:
        """Names and types of the columns; with options, the types that these need."""

    @abstractmethod
    def batches(self, names: Sequence[str], schema: Schema, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield these columns in batches of rows."""

    def take_spelling(self, given: ReadOptions | Schema) -> None:
        """Take over the format of the file, if separator, decimal mark and so on were given."""

    def spelled(self, words: Sequence[str]) -> tuple[str, str, list[str]]:  # noqa: ARG002
        """Text columns whose values are numbers in another notation: the flags that read them, what is
        special about the notation, and the names of the columns."""
        return "", "", []

    def names(self) -> Sequence[str]:
        with self.reading():
            return self.arrow_schema().names

    def index(self) -> Sequence[str]:
        with self.reading():
            return index(self.arrow_schema())

    def schema(self, options: ReadOptions) -> Schema:
        with self.reading():
            self.take_spelling(options)
            found = self.arrow_schema(options)
            there = found.names
        rows = {*self.index()}
        columns = [name for name in there if name not in rows]
        check_options(self.path, options, there, columns)
        names = chosen(options, columns)
        if not names:
            raise ValueError(f"{self.path} has no column to take as a feature: it has {listing(there)}")
        kinds = {name: kind(found.field(name).type) for name in names}
        words = [name for name in names if kinds[name] == "text"]
        odd = [f"{name} ({found.field(name).type})" for name in names if kinds[name] == "other"]
        wrong = []
        if odd:
            wrong.append(
                f"columns that are neither numbers nor text: {listing(odd)}; leave them out with "
                f"{self.advice['drop']}"
            )
        reading, what, spelled = self.spelled(words)
        uses = self._uses([name for name in words if name not in spelled], options)
        if options.text == "error":
            wrong += uses.complaints(self.advice)
        if reading and (wrong or options.text == "error"):
            wrong.append(f"numbers with {what} in {listing(spelled)}: {reading} reads them")
        if wrong:
            left = {name: found for name, found in kinds.items() if name not in uses.dropped}
            unusable = self._unusable(left, options)
            flags: list[str] = []
            if self.advice is FLAGS:
                others = [name for name in names if kinds[name] == "other"]
                flags = [reading] * bool(reading) + uses.flags(others, options)
                flags += ["--missing impute"] * any(said.startswith("missing") for said in unusable)
            raise RefusedTableError(self.path, [*wrong, *unusable], flags)
        made = Schema(
            y_shape=(len(names),),
            columns=names,
            categories=dict.fromkeys(words, ()),
            impute=options.missing == "impute",
            label_column=options.label_column,
            id_column=options.id_column,
            weight_column=options.weight_column,
            separator=options.separator,
            decimal=options.decimal,
            thousands=options.thousands,
            encoding=options.encoding,
        )
        made = self._surveyed(made) if words or made.impute else made
        check_distinct(self.path, made.features, self.advice["drop"])
        return made

    def blocks(self, schema: Schema, rows: int = ROWS) -> Iterator[Block]:
        rows = at_most(rows, schema.y_shape)
        with self.reading():
            schema, there = self._found(schema)
            wanted = there if self.keeps_columns else [*schema.columns, *sorted(schema.beside & {*there})]
            check_once(self.path, there, wanted)
            done = 0
            for batch in self.batches(wanted, schema, rows):
                for start in range(0, len(batch), rows):
                    part = batch.slice(start, rows)
                    yield self._block(part, schema, done)
                    done += len(part)

    def _found(self, schema: Schema) -> tuple[Schema, list[str]]:
        """The schema with this file's own names, and all names of the file."""
        self.take_spelling(schema)
        found = self.arrow_schema()
        there = found.names
        apart = ({*self.index()} - {*schema.columns}) | schema.beside
        names = [name for name in there if name not in apart]
        where = places(self.path, schema, schema.columns, names, len(names))
        return schema.renamed([names[place] for place in where]), there

    def _block(self, part: pa.RecordBatch, schema: Schema, done: int) -> Block:
        def column(name: str | None) -> Any:
            return part.column(name) if name in part.schema.names else None

        try:
            y = schema.encode(part)
        except UnusableValueError as error:
            values, impute = self._values(schema), self.advice["impute"]
            raise unusable_error(
                self.path, schema.columns, values, impute, missing=not schema.impute
            ) from error
        except ValueError as error:
            raise ValueError(f"{self.path}, in rows {done} to {done + len(part) - 1}: {error}") from error
        for name, (count, text) in schema.unseen(part).items():
            before, first = self.unseen.get(name, (0, text))
            self.unseen[name] = (before + count, first)
        ids, labels, weights = map(column, (schema.id_column, schema.label_column, schema.weight_column))
        return Block(y, ids, labels, weights, part if self.keeps_columns else None)

    def _unusable(self, kinds: Mapping[str, str], options: ReadOptions) -> list[str]:
        """What is wrong with the values of these columns, so that one message has all that is wrong with a
        file."""
        names = tuple(name for name, found in kinds.items() if found != "other")
        schema = Schema((len(names),), names, {name: () for name in names if kinds[name] == "text"})
        if not names:
            return []
        with self.reading():
            values = self._values(schema)
            return unusable(names, values, self.advice["impute"], missing=options.missing == "error")

    def _uses(self, words: Sequence[str], options: ReadOptions) -> Uses:
        """Group text columns by what can be done with them, from the first rows."""
        uses = Uses()
        if options.text == "one-hot" or not words:
            return uses
        with self.reading():
            as_text = Schema((1,), tuple(words), dict.fromkeys(words, ()))
            first = next(self.batches(list(words), as_text, ROWS), None)
        for name in words:
            known = None if first is None else texts(first.column(name)).drop_null()
            count = 0 if known is None else len(known.unique())
            gaps = first is not None and known is not None and len(known) < len(first)
            if first is not None and (when := date(first.column(name))):
                uses.dates[name] = when
            elif first is not None and (odd := no_number(first.column(name))) is not None:
                where, sign = f"{odd[1]!r} in row {odd[0]}", unit(first.column(name))
                if sign:
                    uses.units[name] = sign, where
                else:
                    uses.odd[name] = where
            elif first is not None and count == len(first) > 1 and options.id_column is None:
                (uses.drop if uses.id else uses.id).append(name)
            else:
                remarks = gaps and known is not None and count == len(known) > REMARKS
                (uses.drop if count > CATEGORIES or remarks else uses.features).append(name)
        return uses

    def _values(self, schema: Schema) -> Iterator[NDArray[np.float64]]:
        """Yield the numbers of all rows, (B, columns), with NaN for what is missing; 0 for each text."""
        for batch in self.batches(list(schema.columns), schema, at_most(ROWS, schema.y_shape)):
            yield np.stack([_numbers(batch.column(name), schema, name) for name in schema.columns], 1)

    def _surveyed(self, schema: Schema) -> Schema:
        """Return the schema with the values of text columns, and the means that fill missing numbers."""
        words: dict[str, Counter[str | None]] = {name: Counter() for name in schema.categories}
        sums = {name: 0.0 for name in schema.columns if name not in words}
        counts = dict.fromkeys(sums, 0)
        with self.reading():
            for batch in self.batches(list(schema.columns), schema, at_most(ROWS, schema.y_shape)):
                for name, seen in words.items():
                    for text in texts(batch.column(name)).value_counts().to_pylist():
                        seen[text["values"]] += text["counts"]
                    self._check_number(name, seen)
                for name in sums:
                    values = numbers(batch.column(name))
                    known = np.isfinite(values)
                    sums[name] += float(values[known].sum())
                    counts[name] += int(known.sum())
        empty = [name for name, number in counts.items() if not number]
        empty += [name for name, seen in words.items() if not seen.keys() - {None}]
        if empty and schema.impute:
            raise ValueError(
                f"{self.path} has no value at all in column {listing(empty)}: leave it out with "
                f"{self.advice['drop']}"
            )
        categories = {name: tuple(sorted(v for v in seen if v is not None)) for name, seen in words.items()}
        fill = {name: total / counts[name] for name, total in sums.items()} if schema.impute else {}
        for name, seen in words.items():  # a missing or new text is filled with the share of each value
            fill |= {f"{name}={v}": seen[v] / (seen.total() - seen[None]) for v in categories[name]}
        full = replace(schema, categories=categories, fill=fill)
        return replace(full, y_shape=(len(full.features),))

    def _check_number(self, name: str, seen: Mapping[str | None, int]) -> None:
        if len(seen.keys() - {None}) > CATEGORIES:
            raise ValueError(
                f"{self.path} has more than {CATEGORIES} different texts in column {name}: leave it out with "
                f"{self.advice['drop']}, or use it as {self.advice['id']}"
            )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn Arrow's errors into one line that names the file."""
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise self.refusal(first_line(error)) from error

    def refusal(self, message: str) -> ValueError:
        """Our error for an error message of Arrow."""
        return ValueError(self.complaint(message))

    def complaint(self, message: str) -> str:
        """Our message for an error message of Arrow."""
        return f"{self.path} cannot be read as a table: {message}"


def index(schema: pa.Schema) -> tuple[str, ...]:
    """The columns that pandas wrote as an index. They are not features unless they are asked for."""
    there = {*schema.names}
    unnamed = tuple(name for name in UNNAMED if name in there)
    return tuple(dict.fromkeys((*unnamed, *index_columns(schema))))


def _numbers(values: pa.Array, schema: Schema, name: str) -> NDArray[np.float64]:
    if name in schema.categories:
        return np.where(flags(texts(values).is_null()), np.nan, 0.0)
    return numbers(values)
