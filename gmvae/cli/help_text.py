"""Docstrings of fields as the help text shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import docstring_parser
import tyro


@contextmanager
def flowing(arguments: Sequence[str]) -> Iterator[None]:
    """Within the ``with`` block, docstrings of fields are one paragraph: tyro takes their second line, which
    is indented, for a new one, and would break each line where the source does. If the arguments do not ask
    for help, they are not parsed at all."""
    docstrings = getattr(tyro, "_docstrings", None)
    find = getattr(docstrings, "parse_docstring_from_object", None)
    parse = docstring_parser.parse_from_object

    def joined(obj: Any, *rest: Any, **options: Any) -> Any:
        found = parse(obj, *rest, **options)
        for one in found.params:
            one.description = one.description and " ".join(one.description.split())
        return found

    docstring_parser.parse_from_object = joined
    if find is not None and not {"-h", "--help"} & {*arguments}:  # other versions of tyro may not have it
        docstrings.parse_docstring_from_object = lambda _: {}  # type: ignore[union-attr]
    try:
        yield
    finally:
        docstring_parser.parse_from_object = parse
        if find is not None:
            docstrings.parse_docstring_from_object = find  # type: ignore[union-attr]
