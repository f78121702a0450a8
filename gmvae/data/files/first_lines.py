"""The first lines of a text table: what separates its values, and which line has the names."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from gmvae.data.files.header import number, numbered
from gmvae.data.files.written import NONE

SEEN = 20
"""How many lines are looked at."""
TAB = "\t"
MARKS = {",": "commas", TAB: "tabs", ";": "semicolons", "|": "bars"}
"""Separators that are recognised."""


@dataclass(frozen=True)
class FirstLines:
    """The first lines of a text table.

    Arguments:
        lines: The lines, at most ``SEEN``.
    """

    lines: Sequence[str] = ("",)

    @classmethod
    def of(cls, text: str, *, cut: bool) -> FirstLines:
        """Return those of a text, the last line of which may be ``cut``."""
        lines = text.lstrip("\r\n\ufeff").splitlines()
        return cls(lines[: SEEN if len(lines) > SEEN else max(1, len(lines) - cut)])

    @property
    def first(self) -> str:
        """The first line."""
        return self.lines[0]

    def separator(self, usual: str) -> str:
        """Return the separator: the usual one if the first line has it, or else one that it has.

        If the first line has several, it is the one that splits the rows into the most numbers.
        ``Weight, kg;Height, cm`` above ``70,5;180,2`` has semicolons between its values.
        """
        found = [mark for mark in MARKS if mark in self.first]
        marks = [usual, *found] if usual in found or not found else found
        return max(marks, key=self._numbers)

    def splits(self, mark: str) -> int:
        """Return the number of values in each row, split at a mark. It is 0 if rows differ, or if the first
        line has neither as many names nor one fewer (a column of row names without a header)."""
        names, rows = self._split(mark)
        counts = {len(row) for row in rows}
        if len(counts) != 1:
            return 0
        count = counts.pop()
        return count if len(names) == count or _name_rows(names, rows) else 0

    def row_names(self, mark: str) -> list[str]:
        """Return the names of all columns if the first line has none for the column of row names; else an
        empty list."""
        names, rows = self._split(mark)
        return ["", *names] if _name_rows(names, rows) and self.splits(mark) else []

    def above(self, mark: str) -> int:
        """Return how many lines, such as a title, are above the line of names.

        They have fewer values than the lines below. These have the same number of values each, words in the
        first of them and numbers further down.
        """
        rows = [row for row in csv.reader(self.lines, delimiter=mark) if row]
        width = len(rows[-1]) if rows else 0
        count = 0
        while count < len(rows) and _is_title(rows[count], width):
            count += 1
        below = rows[count:]
        if not count or len(below) < 2 or {len(row) for row in below} != {width}:
            return 0
        names = below[0]
        words = all(name.strip() and number(name) is None for name in names) and len({*names}) == width
        numbers = any(_number(value, mark) is not None for row in below[1:] for value in row)
        return self._lines_above(count, mark) if words and numbers and not self.row_names(mark) else 0

    def worded(self, mark: str) -> int:
        """Return how many lines of words, such as names and units, are above two or more columns of numbers;
        1 if there are only names."""
        depths = []
        for column in zip(*self._split(mark)[1], strict=False):
            words = [_is_word(value) for value in column]
            numbers = [_number(value, mark) is not None for value in column]
            depth = sum(words)
            if all(words[:depth]) and depth < sum(numbers) and (words[0] or numbers[0]):
                depths.append(depth)
        return 1 + (depths[0] if len(depths) > 1 and len({*depths}) == 1 else 0)

    def repeated(self, mark: str) -> int:
        """Return the number of the line that has the names of the columns again, among numbers; 0 if there is
        none."""
        names, rows = self._split(mark)
        others = [row for row in rows if row != names]
        numbers = [
            all(_number(value, mark) is not None for value in column) for column in zip(*others, strict=False)
        ]
        return rows.index(names) + 2 if names in rows and any(numbers) else 0

    def complaint(self, marks: Sequence[str]) -> str:
        """Return what is wrong with lines above the rows, if values are split at one of these marks; empty if
        nothing is."""
        above = next(filter(None, map(self.above, marks)), 0)
        if above:
            lines, they = ("a line", "it") if above == 1 else (f"{above} lines", "them")
            return (
                f"{lines} above the names of its columns, {self.first[:40]!r}: remove {they}, so that the "
                "first line names the columns"
            )
        there = [mark for mark in marks if mark in self.first]
        worded = max(map(self.worded, there), default=1)
        if worded > 1:
            return (
                f"{worded} lines of words above its numbers: keep the line that names the columns, and "
                "remove the others"
            )
        repeated = max(map(self.repeated, there), default=0)
        return f"the names of its columns again in line {repeated}: remove it" if repeated else ""

    def undecided(self, mark: str) -> str:
        """Return what is wrong with numbers between marks, if their decimal mark is open; empty if it is
        not."""
        found = self.ambiguous(mark)
        if found is None:
            return ""
        whole, marked = found
        mark = marked[-4]
        return (
            f"{whole} and {marked} in one column: add '--thousands {mark}' if {marked} is "
            f"{marked.replace(mark, '')}, else '--decimal {mark}'"
        )

    def ambiguous(self, mark: str) -> tuple[str, str] | None:
        """Return a whole number and one with a mark before its last three digits, such as 500 and 1.501, if a
        column has both, and no other numbers. The mark can be between thousands, or be the decimal mark,
        unless other numbers, such as 1.5, show which it is."""
        rows = self._split(mark)[1]
        everything = [value.strip() for row in rows for value in row]
        decimal = {value[-len(digits) - 1] for value in everything for digits in _decimals(value)}
        for column in zip(*rows, strict=False):
            values = [value.strip() for value in column if value.strip()]
            marked = [value for value in values if re.fullmatch(r"[+-]?[1-9]\d{0,2}([.,]\d{3})+", value)]
            whole = [value for value in values if re.fullmatch(r"[+-]?\d{1,3}", value)]
            known = not marked or marked[0][-4] in decimal
            if not known and len(marked) > 1 and whole and len(marked) + len(whole) == len(values):
                return whole[0], marked[0]
        return None

    def _split(self, mark: str) -> tuple[list[str], list[list[str]]]:
        """The values of the first line, and of the rows below it."""
        names, *rows = csv.reader([self.first or " ", *self.lines[1:]], delimiter=mark)
        return names, [row for row in rows if row]

    def _numbers(self, mark: str) -> tuple[bool, float]:
        """Whether a mark splits all rows in the same way, and the share of numbers among their values."""
        values = [value for row in self._split(mark)[1] for value in row]
        if self.splits(mark) < 2:
            return False, 0.0
        return True, sum(_number(value, mark) is not None for value in values) / len(values)

    def _lines_above(self, count: int, mark: str) -> int:
        """The number of lines above the row ``count`` of those that are not empty."""
        reader = csv.reader(self.lines, delimiter=mark)
        for row in reader:
            if not row:
                continue
            if not count:
                break
            count -= 1
        return reader.line_num - 1


def _is_title(values: Sequence[str], width: int) -> bool:
    """Whether a line has fewer values than rows, ``width``, or one that a spreadsheet filled up with empty
    ones."""
    return len(values) < width or (len(values) == width > 1 and not any(values[1:]))


def _decimals(value: str) -> list[str]:
    """The digits behind the last mark of a number, if they are not three."""
    return re.findall(r"^[+-]?[\d.,' ]*[.,](\d{1,2}|\d{4,})$", value)


def _is_word(value: str) -> bool:
    """Whether a value has letters, and stands for neither a number nor a missing one."""
    return any(map(str.isalpha, value)) and value.strip() not in NONE and number(value) is None


def _number(value: str, mark: str) -> float | None:
    """The number that a value spells, if any. It can have a decimal comma if the mark is not a comma."""
    return number(value if mark == "," else value.replace(",", "."))


def _name_rows(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first value of each row is its name, as R's ``write.table`` writes it: there is one name
    fewer than there are values, and rows are numbered, or have different names."""
    if not rows or len(rows[0]) != len(names) + 1 or not any(row[-1] for row in rows):
        return False
    first = [row[0] for row in rows]
    texts = len({*first}) == len(first) and all(number(name) is None and name for name in first)
    return texts or numbered(first)
