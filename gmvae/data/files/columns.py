"""Find the columns of a file: those that options name, and those of a schema."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from gmvae.data.printable import printable
from gmvae.data.schema import ReadOptions, Schema
from gmvae.rules import similar


def check_options(
    path: Path, options: ReadOptions, names: Sequence[str], columns: Sequence[str] = ()
) -> None:
    """Check the names in options, all at once, for a file without layers.

    Arguments:
        path: The file.
        options: The options.
        names: All names that the file has.
        columns: Those that can be features.

    Raises:
        ValueError: if a name is not there, more than one column that is used has a name, the id column has
            the name of a column of predictions, or a layer is asked for.
    """
    said = [*unknown(options, names)]
    if options.layer is not None:
        said.append(
            f"no layer, but --layer is {options.layer!r}: only .h5ad files and Zarr stores have layers"
        )
    used = {*chosen(options, columns)} | options.beside
    if twice := _twice(columns, used):
        said.append(f"more than one column {twice}: rename all but one, or leave them out with --drop")
    if options.id_column is not None and RESULTS.fullmatch(options.id_column):
        said.append(
            f"an id column {options.id_column!r}, but predictions have a column of that name: rename it"
        )
    if said:
        raise ValueError(f"{path} has {'; and '.join(said)}")


def check_names(path: Path, options: ReadOptions, names: Sequence[str]) -> None:
    """Raise ``ValueError`` if options name columns that are not there."""
    for said in unknown(options, names):
        raise ValueError(f"{path} has {said}")


def unknown(options: ReadOptions, names: Sequence[str]) -> Iterator[str]:
    """Say which names in the options are not names of columns, with the flag of each and the names that are
    most like it; nothing if all are there."""
    asked: dict[str, tuple[str | None, ...]] = {"--columns": options.columns, "--drop": options.drop}
    asked |= {"--label-column": (options.label_column,), "--id-column": (options.id_column,)}
    asked["--weight-column"] = (options.weight_column,)
    there, found, alone = {*names}, [], False
    for flag, wanted in asked.items():
        for name in wanted:
            if name is not None and name not in there:
                near = similar(name, names, 3, 0.5)
                alone |= not near
                found.append(
                    f"{name!r} ({flag}{', did you mean ' + ' or '.join(near) + '?' if near else ''})"
                )
    if found:
        yield f"no column {', '.join(found)}" + f": it has {listing(names) or 'none'}" * alone


RESULTS = re.compile(r"cluster(_name)?|probability|confidence|log_density|[px]\d+")
"""Pattern of the column names of predictions and embeddings."""


def check_once(path: Path, names: Sequence[str], wanted: Collection[str]) -> None:
    """Raise ``ValueError`` if more than one column has a wanted name."""
    if twice := _twice(names, wanted):
        raise ValueError(f"{path} has more than one column {twice}: rename all but one")


def _twice(names: Sequence[str], wanted: Collection[str]) -> str:
    """A list of the wanted names that more than one column has; empty if there are none."""
    return listing([name or "(no name)" for name in repeated(names, wanted)])


def repeated(names: Sequence[str], wanted: Collection[str]) -> list[str]:
    """The wanted names that more than one column has."""
    return [name for name, count in Counter(names).items() if count > 1 and name in wanted]


def check_distinct(path: Path, features: Sequence[str], drop: str) -> None:
    """Raise ``ValueError`` if two features have the same name, such as a column ``t=x``, and the value x of a
    column t."""
    twice = [name for name, count in Counter(features).items() if count > 1]
    if twice:
        raise ValueError(
            f"{path} has more than one feature {listing(twice)}: rename a column, or leave it out with {drop}"
        )


def chosen(options: ReadOptions, names: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns that are features, each once."""
    apart = {*options.drop} | options.beside
    return tuple(name for name in dict.fromkeys(options.columns or names) if name not in apart)


def places(path: Path, schema: Schema, wanted: Sequence[str], names: Sequence[str], width: int) -> list[int]:
    """The positions of a schema's columns in a file: by name if both have names, else by position.

    Columns without names are called ``y0``, ``y1`` and so on in samples, and are found by these.

    Arguments:
        path: The file, for messages.
        schema: How the model's training file was read.
        wanted: Names of the wanted columns, in order; empty if the training file had no names.
        names: Names of the file's columns; empty if it has none.
        width: Number of the file's columns.

    Raises:
        ValueError: if columns are missing, or their number is not that of the schema.
    """
    place = {name: number for number, name in enumerate(names or map(str, range(width)))}
    drawn = [f"y{d}" for d in range(math.prod(schema.y_shape))]
    if not wanted and all(name in place for name in drawn):
        return [place[name] for name in drawn]
    if wanted and all(name in place for name in wanted):
        return [place[name] for name in wanted]
    numbers = [int(name) for name in wanted if name.isdecimal()]
    if names and len(numbers) < len(wanted):
        lacking = [name for name in wanted if name not in place]
        raise ValueError(f"{path} has no column {listing(lacking)}: the model was trained on it")
    if names and numbers and max(numbers) < width:
        return numbers
    if (width,) == schema.y_shape:
        return list(range(width))
    raise ValueError(
        f"{path} has {width} columns, and the model was trained on {_shape(schema.y_shape)}: without names "
        "in both files, their number must be the same"
    )


def listing(names: Sequence[str], maximum: int = 5) -> str:
    """A list of names for a message: the first ones, and their number if there are more."""
    listed = printable(", ".join(names[:maximum]))
    return listed if len(names) <= maximum else f"{listed}, ... ({len(names)} in all)"


def _shape(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}" if len(shape) == 1 else f"images of shape {shape}"
