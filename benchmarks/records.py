"""Keep results as JSON lines: each is written as soon as it is there, and is not made again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def complete(path: Path, wanted: Iterable[Mapping[str, Any]], make: Callable[..., Record]) -> list[Record]:
    """The records of all ``wanted`` keys. Those that are not in the file at ``path`` are made by
    ``make(**key)`` and appended to it.
    This can be interrupted at any time; the next call continues."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known, results = recorded(path), []
    for key in wanted:
        found = next((r for r in known if all(r.get(k) == v for k, v in key.items())), None)
        if found is None:
            found = {**key, **make(**key)}
            with open(path, "a") as file:
                file.write(json.dumps(found) + "\n")
        results.append(found)
    return results


def recorded(path: Path) -> list[Record]:
    """The records in the file at ``path``; none if there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
