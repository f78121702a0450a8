"""Text tables: values with commas or tabs between them, in files packed with gzip or not."""

from __future__ import annotations

import gzip
import re
import shlex
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from gmvae.data.files.columns import chosen
from gmvae.data.files.complaints import RefusedTableError
from gmvae.data.files.first_lines import MARKS, TAB, FirstLines
from gmvae.data.files.header import is_row, number, numbered
from gmvae.data.files.packed import Unpacked
from gmvae.data.files.tables import Table
from gmvae.data.files.values import kind
from gmvae.data.files.written import NONE, THOUSANDS, Written, form, marked, nulled, separator, unmarked
from gmvae.data.schema import ReadOptions, Schema, first_line

BLOCK = 1 << 22
"""How many bytes are parsed together."""
HEAD = 1 << 16
"""How many bytes are read to distinguish a table from other files."""
RARE = ":~^#!&"
"""Separators that are not tried, but suggested for a file with a single column of texts."""
UNDECODED = re.compile("codec can't decode|UTF-?8|start with BOM", re.IGNORECASE)
"""Pattern of Arrow's and Python's messages about letters in another encoding."""


class SeparatedFile(Table):
    """A text table whose first line has the names of the columns.

    The type of a column is inferred from the first block. If that has only numbers, a text further down is an
    error that names its row. With ``text="one-hot"`` the whole file is read to infer the types.

    If values should be separated by commas, but the first lines have semicolons between them, the separator
    is a semicolon. That is usual in countries that write 1,5 for 1.5. The first rows decide whether the
    decimal mark is a comma too.

    Arguments:
        path: Its path.
        mark: The separator that its ending implies.
    """

    def __init__(self, path: Path, mark: str) -> None:
        super().__init__(path)
        self.mark, self.decimal, self._alone = mark, ".", False
        self.usual, self.written = mark, Written()
        self._lines = FirstLines()
        self._row_names: list[str] = []
        """Names of all columns, if the first line has none for the column of row names."""

    def take_spelling(self, given: ReadOptions | Schema) -> None:
        written = Written.of(given)
        if written != self.written:
            self.written, self.mark, self.decimal = written, self.usual, "."
            self.__dict__.pop("_first", None)

    def schema(self, options: ReadOptions) -> Schema:
        try:
            return super().schema(options)
        except RefusedTableError as error:
            if not error.reading:
                raise
            raise self._with_more(error, replace(options, **error.reading)) from error  # type: ignore[arg-type]

    def _with_more(self, refused: RefusedTableError, options: ReadOptions) -> RefusedTableError:
        """A refusal, with what else is wrong with the file if it is read with other options."""
        other = SeparatedFile(self.path, self.usual)
        try:
            for _ in other.blocks(other.schema(options)):
                pass
        except ValueError as error:
            if str(error) == other.undecoded:
                return RefusedTableError(self.path, refused.said)
            return refused.joined(error)
        return refused

    def count(self) -> int | None:
        return None

    def arrow_schema(self, options: ReadOptions | None = None) -> pa.Schema:
        schema = self._first
        if options is None:
            return schema
        counts = Counter(schema.names)
        names = [name for name in chosen(options, schema.names) if counts[name] == 1]
        # Arrow's type for text that is not UTF-8
        if any(pa.types.is_binary(schema.field(name).type) for name in names):
            raise self.refusal("no UTF-8")
        if options.text != "one-hot":
            return schema
        for name in sorted(
            self._texts([name for name in names if kind(schema.field(name).type) == "number"])
        ):
            place = schema.get_field_index(name)
            schema = schema.set(place, pa.field(name, pa.string()))
        return schema

    def batches(self, names: Sequence[str], schema: Schema, rows: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        words, features = schema.categories, {*schema.columns}
        if self.options is not None and (self.decimal == "," or self.written.thousands):
            features.add(schema.weight_column or "")  # otherwise weights are read as they are
        kinds = {
            name: pa.string() if name in words or name not in features else self._number(name)
            for name in names
        }
        with self._opened(self._as_written(kinds)) as reader:
            for batch in reader:
                batch = self._unmarked(batch, kinds)
                columns = [
                    nulled(batch.column(n), words[n]) if n in words else batch.column(n) for n in names
                ]
                yield pa.RecordBatch.from_arrays(columns, list(names))

    @cached_property
    def _first(self) -> pa.Schema:
        """Names and types of the columns, from the first block."""
        self._check_head()
        self._row_names = self._lines.row_names(self.mark)
        with self._opened() as reader:
            schema = reader.schema
            first = next(iter(reader), None)
        if first is None:
            first = schema.empty_table().combine_chunks()
        self._marked = {mark: marked(first, mark, self.decimal) for mark in THOUSANDS}
        commas = (None, *THOUSANDS) if self.decimal == "." else ()
        self._commas = {mark: marked(first, mark, ",") for mark in commas}
        self._with_commas = self._commas.get(None, set())
        self._check_header(schema.names, first)
        for name in self._marked.get(self.written.thousands or "", ()):
            if (place := schema.get_field_index(name)) >= 0:  # it is -1 for a name that occurs twice
                schema = schema.set(place, pa.field(name, pa.float64()))
        return schema

    def spelled(self, words: Sequence[str]) -> tuple[str, str, list[str]]:
        mark = next((mark for mark in RARE if words and self._alone and self._lines.splits(mark) > 1), None)
        if mark is not None:
            name = self._first.names[0]
            raise self._read_as(
                f"a single column, {name}, with {mark} in each of its values: if that separates values, name "
                "it with --separator",
                separator=mark,
            )
        known: list[tuple[str | None, str, set[str]]] = [
            (mark, "", names) for mark, names in self._marked.items() if mark != self.decimal
        ]
        # columns that have a decimal comma only are read by the flags of those that have thousands, too
        known += [
            (mark, "--decimal ,", names | self._with_commas) for mark, names in self._commas.items() if names
        ]
        mark, flag, names = max(
            known, key=lambda one: len(one[2].intersection(words)), default=(None, "", ())
        )
        found = [name for name in words if name in names]
        if not found:
            return "", "", []
        what = ["a decimal comma"] * bool(flag) + ["a thousands separator"] * (mark is not None)
        flags = [flag] * bool(flag)
        flags += [] if mark is None else [f"--thousands {shlex.quote(mark)}"]
        return " ".join(flags), " and ".join(what), found

    def _as_written(self, kinds: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
        """The types to read columns as: text for numbers, if there is a thousands separator."""
        if self.written.thousands is None:
            return kinds
        return {name: pa.string() if kind == pa.float64() else kind for name, kind in kinds.items()}

    def _unmarked(self, batch: pa.RecordBatch, kinds: dict[str, pa.DataType]) -> pa.RecordBatch:
        """Return a batch with its numbers parsed, if there is a thousands separator."""
        mark = self.written.thousands
        if mark is None:
            return batch
        columns = [
            unmarked(batch.column(name), mark, self.decimal, f"{self.path} has {{}} in column {name}")
            if kinds[name] == pa.float64()
            else batch.column(name)
            for name in batch.schema.names
        ]
        return pa.RecordBatch.from_arrays(columns, batch.schema.names)

    def _number(self, name: str) -> pa.DataType:
        return pa.bool_() if self._first.field(name).type == pa.bool_() else pa.float64()

    def _texts(self, names: Sequence[str]) -> set[str]:
        """Which of these columns hold text anywhere in the file."""
        found: set[str] = set()
        with self._opened({name: pa.string() for name in names}) as reader:
            for batch in reader if names else ():
                for name in set(names) - found:
                    try:
                        values = nulled(pc.utf8_trim_whitespace(batch.column(name)))
                        if self.written.thousands is not None and self._number(name) == pa.float64():
                            values = unmarked(values, self.written.thousands, self.decimal, "{}")
                        elif self.decimal == ",":
                            values = pc.replace_substring(values, ",", ".")
                        pc.cast(values, self._number(name))
                    except ValueError:  # an ArrowInvalid is one
                        found.add(name)
        return found

    def _opened(self, kinds: dict[str, pa.DataType] | None = None) -> csv.CSVStreamingReader:
        # one thread, so that error messages have the number of the row
        reading = csv.ReadOptions(
            use_threads=False, block_size=BLOCK, encoding=self.written.encoding or "utf8"
        )
        if self._row_names:
            reading.column_names, reading.skip_rows = self._row_names, 1
        # in a file with a single column, an empty line is a missing value
        parsing = csv.ParseOptions(
            delimiter=self.mark, newlines_in_values=True, ignore_empty_lines=not self._alone
        )
        options = csv.ConvertOptions(
            column_types=kinds or {},
            include_columns=list(kinds or {}),
            null_values=NONE,
            decimal_point=self.decimal,
        )
        packed = self.path.suffix.lower() == ".gz"
        return csv.open_csv(Unpacked(self.path) if packed else self.path, reading, parsing, options)

    def _check_head(self) -> None:
        """Raise ``ValueError`` if the first bytes are not those of a text table; detect separator and decimal
        mark."""
        packed = self.path.suffix.lower() == ".gz"
        try:
            with gzip.open(self.path) if packed else open(self.path, "rb") as file:
                head = file.read(HEAD)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{self.path} is not a complete .gz file: {first_line(error)}") from error
        if not head.strip():
            raise ValueError(f"{self.path} is empty: it must have a line of names, and rows below it")
        encoding = self.written.encoding
        if encoding is None and head.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise self._read_as("letters in UTF-16: name it with --encoding utf-16", encoding="utf-16")
        text = head.decode(encoding or "latin-1", "replace")
        if "\0" in text or head.startswith(b"PK\3\4"):
            raise ValueError(f"{self.path} is not text: it must be a table with {MARKS[self.mark]}")
        self._lines = FirstLines.of(text, cut=len(head) == HEAD)
        first = self._lines.first
        if said := self._lines.complaint([self.written.separator or self.usual, *MARKS]):
            raise ValueError(f"{self.path} has {said}")
        if self.written.separator is not None:
            self._check_separator(first)
            self._check_decimal()
            return
        self.mark = self._lines.separator(self.usual)
        self._check_decimal()
        self._alone = self.mark not in first
        usual = MARKS[self.usual]
        apart = first.split()
        if self._alone and len(apart) > 1 and all(number(value) is not None for value in apart):
            raise ValueError(
                f"{self.path} has numbers with spaces between them in its first line: values must have "
                f"{usual} between them, and the first line must name the columns"
            )
        if self.mark == self.usual:
            if self._alone and self._lines.splits(" ") > 1:
                raise self._read_as(
                    f"no {usual} in its first line, but spaces: values must have {usual} between them, or "
                    "name them with --separator",
                    separator=" ",
                )
            self.decimal = self.written.decimal or "."
        elif self.usual == "," and self.mark == ";":
            self.decimal = self.written.decimal or self._decimal(text)
        else:
            found = f"{MARKS[self.mark]} between its values, not {usual}"
            if self.usual not in first:
                found = f"no {usual} in its first line, but {MARKS[self.mark]}"
            remedy = {TAB: "name it .tsv", ",": "name it .csv"}.get(self.mark, "save it so")
            raise self._read_as(
                f"{found}: values must have {usual} between them, so {remedy}, or name them with --separator",
                separator=self.mark,
            )

    def _check_separator(self, first: str) -> None:
        """Raise ``ValueError`` if the given separator is not in the first line."""
        self.mark = self.written.separator or self.mark
        self._alone = self.mark not in first
        if self._alone and any(mark in first for mark in MARKS):
            raise ValueError(
                f"separator is {self.mark!r}, but {self.path} has none in its first line, {first[:40]!r}"
            )
        self.decimal = self.written.decimal or "."

    def _check_decimal(self) -> None:
        """Raise ``ValueError`` if numbers do not show which mark is the decimal mark, and it is not given."""
        given = self.written.decimal or self.written.thousands or self.mark == ","
        if not given and (said := self._lines.undecided(self.mark)):
            raise ValueError(f"{self.path} has {said}")

    def _decimal(self, head: str) -> str:
        """Detect the decimal mark of numbers with semicolons between them."""
        values = [value.strip() for value in re.split(r"[;\r\n]+", head)[:-1]]
        commas, points = (
            next((v for v in values if re.fullmatch(pattern, v)), None)
            for pattern in (
                r"[+-]?(\d*|\d{1,3}([. ']\d{3})+),\d+(?:[eE][+-]?\d+)?",
                r"[+-]?(\d*|\d{1,3}([, ']\d{3})+)\.\d+(?:[eE][+-]?\d+)?",
            )
        )
        if commas and points:
            said = (
                f"{commas} and {points}: the decimal mark must be a comma in all its numbers, or a point in "
                "all"
            )
            if re.fullmatch(form(".", ","), points):
                said += ", or there are points between thousands, which --thousands . reads"
                raise self._read_as(said, thousands=".")
            raise ValueError(f"{self.path} has {said}")
        return "," if commas else "."

    def _check_header(self, names: Sequence[str], first: pa.RecordBatch) -> None:
        """Raise ``ValueError`` if the first line has no names but is a row."""
        mark, found = self.written.thousands, {*self._marked.get(self.written.thousands or "", ())}
        if mark is not None and first.num_columns == len({*names}):
            kinds = {name: pa.float64() if name in found else pa.string() for name in names}
            first = self._unmarked(first, kinds)
            names = [re.sub(separator(mark), "", name) if name in found else name for name in names]
        if self.decimal == ",":
            names = [name.replace(",", ".") for name in names]
        if not is_row(names, first):
            return
        what = "values" if any(number(name) is None for name in names) else "numbers"
        counts = numbered([name for name in names if number(name) is not None])
        remedy = "with words, since these may be data" if counts else "so add a line with names above it"
        raise ValueError(
            f"{self.path} has {what} in its first line, {', '.join(names[:3])}, ...: the first line must "
            f"name the columns, {remedy}"
        )

    def refusal(self, message: str) -> ValueError:
        if UNDECODED.search(message) and self.written.encoding is None:
            said = "letters that are not UTF-8: name its encoding, often cp1252, with --encoding"
            return self._read_as(said, encoding="cp1252")
        return super().refusal(message)

    def _read_as(self, said: str, **reading: str) -> RefusedTableError:
        """The refusal of a file that can be read with these options in addition to those given."""
        flags = [f"--{name} {'tab' if v == TAB else shlex.quote(v)}" for name, v in reading.items()]
        return RefusedTableError(self.path, [said], flags, reading)

    @property
    def undecoded(self) -> str:
        """The message about letters in another encoding than the one that was given."""
        return f"{self.path} is not in {self.written.encoding}: name its encoding with --encoding"

    def complaint(self, message: str) -> str:
        if "straddl" in message:
            return (
                f"{self.path} has a row of more than {BLOCK >> 20} MB: look for a quotation mark that is not "
                "closed"
            )
        if UNDECODED.search(message):
            return self.undecoded
        ragged = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message)
        if ragged:
            return (
                f"{self.path} has {ragged[3]} values in row {ragged[1]}, counted with the line of names: "
                f"it must have {ragged[2]}, as many as names"
            )
        odd = re.search(
            r"CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to (\w+): .*?'(.*)", message
        )
        if odd:
            row = f" in row {odd[2]}, counted with the line of names" if odd[2] else ""
            wanted = "true, false or empty" if odd[3] == "bool" else "a number or empty"
            value, name = odd[4].removesuffix("'"), self._first.names[int(odd[1])]
            if value == name:
                return f"{self.path} has the names of its columns again{row}: remove it"
            return f"{self.path} has {value!r} in column {name}{row}: it must be {wanted}"
        return f"{self.path} is not a complete table: {message}"
