"""Tables of named columns: choose the features, and turn batches into numbers."""

from __future__ import annotations

import shlex
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
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
from gmvae.data.files.numerals import notation
from gmvae.data.files.unusable import Unusable, unusable
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
    decimal = "."
    """The decimal mark of numbers in texts."""

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
        self.options = options
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
        others = [name for name in names if kinds[name] == "other"]
        weights = [
            name for name in (options.weight_column,) if name and kind(found.field(name).type) == "text"
        ]
        reading, what, spelled = self.spelled([*words, *weights])
        uses = self._grouped([name for name in words if name not in spelled], options)
        wrong = self._complaints(uses, [f"{name} ({found.field(name).type})" for name in others], names)
        if reading and (wrong or options.text == "error" or {*weights} & {*spelled}):
            wrong.append(f"numbers with {what} in {listing(spelled)}: {reading} reads them")
        if wrong:
            left = {name: found for name, found in kinds.items() if name not in uses.dropped}
            unusable = self._unusable(left, options)
            flags = [reading] * bool(reading) + uses.flags([*others, *unusable.empty], options)
            raise self._refused([*wrong, *unusable.said], flags, names, gaps=unusable.gaps)
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
            raise self._of_values(schema, missing=not schema.impute) from error
        except ValueError as error:
            raise ValueError(f"{self.path}, in rows {done} to {done + len(part) - 1}: {error}") from error
        for name, (count, text) in schema.unseen(part).items():
            before, first = self.unseen.get(name, (0, text))
            self.unseen[name] = (before + count, first)
        ids, labels, weights = map(column, (schema.id_column, schema.label_column, schema.weight_column))
        return Block(y, ids, labels, weights, part if self.keeps_columns else None)

    def _refused(
        self, said: Sequence[str], flags: Sequence[str], names: Sequence[str], *, gaps: bool
    ) -> RefusedTableError:
        """The refusal of a file to train on, with the flags that mend it, unless they leave none of the
        columns that would be features."""
        words = shlex.split(" ".join(flags))
        flags = [*flags, *["--missing impute"] * gaps]
        if {*names} <= {*words}:
            return RefusedTableError(self.path, [*said, "no other columns to take as features"])
        return RefusedTableError(self.path, said, flags if self.advice is FLAGS else ())

    def _unusable(self, kinds: Mapping[str, str], options: ReadOptions) -> Unusable:
        """What is wrong with the values of these columns, so that one message has all that is wrong with a
        file."""
        names = tuple(name for name, found in kinds.items() if found != "other")
        schema = Schema((len(names),), names, {name: () for name in names if kinds[name] == "text"})
        if not names:
            return Unusable()
        with self.reading():
            values = partial(self._values, schema)
            return unusable(names, values, self.advice, missing=options.missing == "error")

    def _of_values(self, schema: Schema, *, missing: bool) -> ValueError:
        """The error about missing and infinite values."""
        values, options = partial(self._values, schema), self.options
        names, training = schema.columns, options is not None
        found = unusable(names, values, self.advice, missing=missing, training=training)
        if options is None:
            return ValueError(f"{self.path} has {'; and '.join(found.said)}")
        flags = Uses().flags(found.empty, options)
        return self._refused(found.said, flags, names, gaps=found.gaps)

    def _complaints(self, uses: Uses, others: Sequence[str], names: Sequence[str]) -> list[str]:
        """Complaints about columns that are no numbers. ``others`` are neither numbers nor text, with their
        types."""
        leave = len(names) > len(others) + len(uses.dropped) + len(uses.id)
        wrong = []
        if others:
            out = f"; leave them out with {self.advice['drop']}" if leave else ""
            wrong.append(f"columns that are neither numbers nor text: {listing(others)}{out}")
        return [*wrong, *uses.complaints(self.advice, leave=leave)]

    def _grouped(self, words: Sequence[str], options: ReadOptions) -> Uses:
        """Group text columns by what can be done with them, from the first rows."""
        numbers, dates = {}, {}
        with self.reading():
            as_text = Schema((1,), tuple(words), dict.fromkeys(words, ()))
            first = next(self.batches(list(words), as_text, ROWS), None) if words else None
        for name in words:
            column = None if first is None else first.column(name)
            if column is None:
                continue
            if options.text == "error" and (found := notation(column, self.decimal)):
                numbers[name] = found
            elif options.text == "one-hot" and (when := date(column)):
                dates[name] = when
        uses = self._uses([name for name in words if name not in numbers], options)
        uses.numbers, uses.dates = numbers, uses.dates | dates
        return uses

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
        counts, rows = dict.fromkeys(sums, 0), 0
        with self.reading():
            for batch in self.batches(list(schema.columns), schema, at_most(ROWS, schema.y_shape)):
                rows += len(batch)
                for name, seen in words.items():
                    if len(seen) > CATEGORIES + 1:  # one of them can be a missing one
                        continue
                    for text in texts(batch.column(name)).value_counts().to_pylist():
                        seen[text["values"]] += text["counts"]
                for name in sums:
                    values = numbers(batch.column(name))
                    known = np.isfinite(values)
                    sums[name] += float(values[known].sum())
                    counts[name] += int(known.sum())
        if not rows:
            raise ValueError(f"{self.path} has no rows: it must have at least two")
        empty = [name for name, number in counts.items() if not number]
        empty += [name for name, seen in words.items() if not seen.keys() - {None}]
        self._check_survey(schema, words, empty)
        categories = {name: tuple(sorted(v for v in seen if v is not None)) for name, seen in words.items()}
        fill = {name: total / counts[name] for name, total in sums.items()} if schema.impute else {}
        for name, seen in words.items():  # a missing or new text is filled with the share of each value
            fill |= {f"{name}={v}": seen[v] / (seen.total() - seen[None]) for v in categories[name]}
        full = replace(schema, categories=categories, fill=fill)
        return replace(full, y_shape=(len(full.features),))

    def _check_survey(
        self, schema: Schema, words: Mapping[str, Mapping[str | None, int]], empty: Sequence[str]
    ) -> None:
        """Raise ``ValueError`` if columns have too many texts for features or, where missing values are to be
        filled, no value at all."""
        many = [name for name, seen in words.items() if len(seen.keys() - {None}) > CATEGORIES]
        if not many and not (empty and schema.impute):
            return
        kinds = {n: "text" if n in words else "number" for n in schema.columns if n not in many}
        found = self._unusable(kinds, self.options or ReadOptions())
        said = [*found.said]
        if many:
            said.insert(
                0,
                f"more than {CATEGORIES} different texts in column {listing(many)}: leave it out with "
                f"{self.advice['drop']}, or use it as {self.advice['id']}",
            )
        flags = Uses().flags([*many, *found.empty], self.options or ReadOptions())
        raise self._refused(said, flags, schema.columns, gaps=found.gaps)

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
