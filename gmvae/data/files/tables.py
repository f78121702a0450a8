"""Tables of named columns: choose the features, and turn batches into numbers."""

from __future__ import annotations

import shlex
from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gmvae.data.files.base import FLAGS, ROWS, Block, Source, at_most
from gmvae.data.files.columns import (
    check_distinct,
    check_once,
    check_options,
    chosen,
    listing,
    places,
    repeated,
)
from gmvae.data.files.complaints import RefusedTableError, Uses
from gmvae.data.files.numerals import notation
from gmvae.data.files.unusable import Unusable, unusable
from gmvae.data.files.values import (
    LEVELS,
    date,
    first_date,
    flags,
    index_columns,
    is_level,
    kind,
    no_number,
    no_numbers,
    numbers,
    numeric_categories,
    plain_name,
    strings,
    texts,
    unit,
)
from gmvae.data.schema import UNNAMED, ReadOptions, Schema, UnusableValueError, first_line

REMARKS = 10
"""Maximum number of strings in a column whose strings all differ, apart from gaps; a column with more is
taken for remarks."""
CATEGORIES = 100
"""Maximum number of different values of a text column that can become features."""


class Table(Source):
    """A file with named columns of their own types."""

    columns_have_types = True
    decimal = "."
    """The decimal mark of numbers in text."""

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
        check_options(self.path, options, there, [name for name in columns if name in options.beside])
        twice = repeated(columns, chosen(options, columns))
        names = tuple(name for name in chosen(options, columns) if name not in twice)
        if not names and not twice:
            raise ValueError(f"{self.path} has no column to take as a feature: it has {listing(there)}")
        kinds = {name: kind(found.field(name).type) for name in names}
        categories = numeric_categories(found) & {*names}
        kinds |= dict.fromkeys(categories, "text")
        words = [name for name in names if kinds[name] == "text"]
        dated = [name for name in names if plain_name(found.field(name).type) in ("dates", "times")]
        others = [name for name in names if kinds[name] == "other" and name not in dated]
        weights = [
            name for name in (options.weight_column,) if name and kind(found.field(name).type) == "text"
        ]
        reading, what, spelled = self.spelled([*words, *weights])
        uses = self._uses([name for name in words if name not in spelled], options, categories)
        uses.dates |= {name: self._first_date(name) for name in dated}
        odd = [f"{name} ({plain_name(found.field(name).type)})" for name in others]
        wrong = self._complaints(uses, odd, names)
        if twice:
            named = listing([name or "(no name)" for name in twice])
            wrong.insert(0, f"more than one column {named}: rename all but one, or leave them out")
            wrong[0] += f" with {self.advice['drop']}"
        if reading:
            wrong.append(f"numbers with {what} in {listing(spelled)}: {reading} reads them")
        if wrong:
            left = {name: found for name, found in kinds.items() if name not in uses.dropped}
            unusable = self._unusable(left, options)
            flags = [reading] * bool(reading) + uses.flags([*twice, *others, *unusable.empty], options)
            gaps = unusable.gaps and not uses.repeated
            raise self._refused([*wrong, *unusable.said], flags, names, gaps=gaps)
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
            return ValueError(f"{self.path} has {'. It has '.join(found.said)}")
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

    def _uses(self, words: Sequence[str], options: ReadOptions, categories: Collection[str]) -> Uses:
        """Group text columns by what can be done with them, from the first rows.

        If text becomes features, all rows count, and only dates, badly written numbers and strings that all
        differ are grouped. The numbers of ``categories`` are text.
        """
        uses, all_rows = Uses(), options.text == "one-hot"

        def where(place: int, name: str) -> str:
            text = columns[name][place].as_py()
            return f"{text!r} in row {self._row_of(text, name) if all_rows else place}"

        with self.reading():
            rows, columns = self._texts_of(words, all_rows=all_rows) if words else (0, {})
        for name, column in columns.items():
            known = column.drop_null()
            count = len(known.unique())
            differ = count == rows > (REMARKS if all_rows else 1)
            numeric = name not in categories and (not all_rows or differ or count > LEVELS)
            special = notation(column, self.decimal) if numeric else None
            odd = no_number(column)
            if special is not None:
                uses.numbers[name] = special[0], where(special[1], name)
            elif when := date(column):
                uses.dates[name] = when
            elif odd is not None and not (all_rows and is_level(column[odd].as_py(), count)):
                if column[odd].as_py() == name:
                    uses.repeated[name] = self._row_of(name, name) if all_rows else odd
                elif sign := unit(column):
                    uses.units[name] = sign, where(odd, name)
                else:
                    uses.odd[name] = where(odd, name)
            elif differ and options.id_column is None:
                (uses.drop if uses.id else uses.id).append(name)
            elif not all_rows:
                remarks = count == len(known) > REMARKS and len(known) < rows
                (uses.drop if count > CATEGORIES or remarks else uses.features).append(name)
        return uses

    def _first_date(self, name: str) -> str:
        """The first date or time in the first rows of a column of these; empty if there is none."""
        with self.reading():
            first = next(self.batches([name], Schema((1,), (), {}), ROWS), None)
        return "" if first is None else first_date(first.column(0))

    def _texts_of(self, words: Sequence[str], *, all_rows: bool) -> tuple[int, dict[str, pa.Array]]:
        """The number of rows that are read, and the strings of columns in the first rows; with ``all_rows``,
        their different strings in all rows, of which numbers are left out if there are many."""
        batches = self.batches(list(words), Schema((1,), tuple(words), dict.fromkeys(words, ())), ROWS)
        if not all_rows:
            first = next(batches, None)
            if first is None:
                return 0, dict.fromkeys(words, strings([]))
            return len(first), {name: texts(first.column(name)) for name in words}
        seen: dict[str, dict[str, None]] = {name: {} for name in words}
        rows = 0
        for batch in batches:
            rows += len(batch)
            for name, found in seen.items():
                different = texts(batch.column(name)).drop_null().unique()
                if len(found) > CATEGORIES:
                    different = no_numbers(different)
                if len(found) <= 2 * CATEGORIES:
                    found |= dict.fromkeys(different.to_pylist())
        return rows, {name: strings([*found]) for name, found in seen.items()}

    def _row_of(self, text: str, name: str) -> int:
        """The first row with a string in a column."""
        row = 0
        for batch in self.batches([name], Schema((1,), (name,), {name: ()}), ROWS):
            place = pc.index(texts(batch.column(0)), text).as_py()
            if place >= 0:
                return row + int(place)
            row += len(batch)
        raise ValueError(f"{self.path} has changed while it was read")

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
        """Raise ``ValueError`` if columns have too many different strings for features, or no
        value at all where missing values are to be filled."""
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
