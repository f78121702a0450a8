"""Docstrings of fields as the help text shows them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docstring_parser


@contextmanager
def flowing() -> Iterator[None]:
    """Within the ``with`` block, docstrings of fields are one paragraph: tyro takes their second line, which
    is indented, for a new one, and would break each line where the source does."""
    parse = docstring_parser.parse_from_object

    def joined(obj: Any, *rest: Any, **options: Any) -> Any:
        found = parse(obj, *rest, **options)
        for one in found.params:
            one.description = one.description and " ".join(one.description.split())
        return found

    docstring_parser.parse_from_object = joined
    try:
        yield
    finally:
        docstring_parser.parse_from_object = parse
