"""Everything that is wrong with a table, in one error, and the flags that fix it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gmvae.data.files.columns import listing
from gmvae.data.files.numerals import POINT
from gmvae.data.schema import ReadOptions


class RefusedTableError(ValueError):
    """A table cannot be read with the options given.

    Arguments:
        path: Its path.
        said: What it has, one complaint each.
        flags: The flags of the command line that fix all of it; none in Python.
        reading: Options to read the file with, to find out what else is wrong; empty if that is all.
    """

    def __init__(
        self,
        path: Path,
        said: Sequence[str],
        flags: Sequence[str] = (),
        reading: Mapping[str, str] | None = None,
    ) -> None:
        remedy = f"; so add {' '.join(flags)}" if flags else ""
        if remedy and len(said) > 1:
            remedy = f". For all of this, add {' '.join(flags)}"
        super().__init__(f"{path} has {'. It has '.join(said)}{remedy}")
        self.path, self.said, self.flags, self.reading = path, said, flags, dict(reading or {})

    def joined(self, other: ValueError) -> RefusedTableError:
        """This refusal, with what another error about the same file says."""
        if isinstance(other, RefusedTableError):
            said, flags = other.said, other.flags
        else:
            said, flags = [str(other).removeprefix(f"{self.path} has ")], ()
        return RefusedTableError(self.path, [*self.said, *said], [*self.flags, *flags])


@dataclass
class Uses:
    """Text columns, grouped by remedy."""

    features: list[str] = field(default_factory=list)
    """They can become 0/1 features."""
    id: list[str] = field(default_factory=list)
    """The first one whose strings all differ: they name the rows."""
    drop: list[str] = field(default_factory=list)
    """They have too many different strings for features."""
    odd: dict[str, str] = field(default_factory=dict)
    """Mostly numbers: the first text that is not a number, and its row."""
    units: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Numbers with a unit, such as a percent sign: the unit, and the first number with its row."""
    dates: dict[str, str] = field(default_factory=dict)
    """Dates or times: the first one, empty if all are missing."""
    repeated: dict[str, int] = field(default_factory=dict)
    """Numbers, and the name of the column among them: the row that has it."""
    numbers: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Numbers in a notation that is not read as numbers (:mod:`gmvae.data.files.numerals`)."""

    @property
    def dropped(self) -> list[str]:
        """The columns that the flags leave out."""
        numbers = [name for name, (what, _) in self.numbers.items() if what != POINT]
        return [*self.odd, *self.units, *self.dates, *numbers, *self.drop]

    def complaints(self, advice: Mapping[str, str], *, leave: bool = True) -> Iterator[str]:
        """Yield a complaint for each group, with its remedy.

        Arguments:
            advice: How to follow the advice of a message.
            leave: Whether to advise leaving columns out: not if there are no others.
        """
        drop = f"or leave the column out with {advice['drop']}" if leave else ""
        if self.repeated:
            row = next(iter(self.repeated.values()))
            yield f"the names of its columns again in row {row}, counted from 0: remove it"
        if self.odd:
            named = listing([f"{name} ({where})" for name, where in self.odd.items()])
            yield joined(
                f"numbers mixed with text in {named}, rows counted from 0; keep only numbers there and leave "
                "other cells empty",
                drop,
            )
        if self.units:
            units = ", ".join(dict.fromkeys(unit for unit, _ in self.units.values()))
            named = listing([f"{name} ({where})" for name, (_, where) in self.units.items()])
            yield joined(
                f"numbers with {units} in {named}, rows counted from 0; remove {units} there to keep the "
                "numbers",
                drop,
            )
        for what in dict.fromkeys(what for what, _ in self.numbers.values()):
            columns = {name: where for name, (one, where) in self.numbers.items() if one == what}
            named = listing([f"{name} ({where})" for name, where in columns.items()])
            how, remedy = (f"with {what}", "number") if what else ("as text", "plain")
            if what == POINT:
                yield (
                    f"numbers {how} in {named}, rows counted from 0, but the decimal mark is a comma: leave "
                    "out --decimal and --thousands, or write all of them with a comma"
                )
            else:
                yield joined(f"numbers {how} in {named}, rows counted from 0; {advice[remedy]}", drop)
        if self.dates:
            named = listing([f"{name} ({first!r})" if first else name for name, first in self.dates.items()])
            out = f"or leave them out with {advice['drop']}" if leave else ""
            yield joined(f"dates or times in {named}; make numbers of them, such as days", out)
        if self.features:
            yield (
                f"columns of text: {listing(self.features)}; make 0/1 features of them with "
                f"{advice['one-hot']}, or leave them out with {advice['drop']}"
            )
        if self.drop:
            out = f"; leave it out with {advice['drop']}" if leave else ""
            yield f"text that differs from row to row in {listing(self.drop)}{out}"
        if self.id:
            out = f"; use it as {advice['id']}, or leave it out with {advice['drop']}" if leave else ""
            yield f"a different text in each row of {listing(self.id)}{out}"

    def flags(self, others: Sequence[str], options: ReadOptions) -> list[str]:
        """The flags that make a table with these columns readable; ``others`` are neither numbers nor
        text. There are none if a row must be removed."""
        if self.repeated:
            return []
        flags = [f"--id-column {shlex.quote(name)}" for name in self.id]
        if many := [*others, *self.dropped]:
            flags.append(f"--drop {' '.join(map(shlex.quote, [*options.drop, *many]))}")
        return flags + ["--text one-hot"] * bool(self.features)


def joined(said: str, more: str) -> str:
    """A complaint and, if there is one, its further remedy."""
    return f"{said}, {more}" if more else said
