"""The flags of a text file's format, for commands that apply a model to a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gmvae.data.schema import Schema


@dataclass(frozen=True)
class FileFormat:
    """The format of a text file, where it is not that of the training file."""

    separator: str | None = None
    """Character between the values, such as ; or tab."""
    decimal: str | None = None
    """Decimal mark of the numbers, . or a comma."""
    thousands: str | None = None
    """Mark between thousands."""
    encoding: str | None = None
    """Encoding of the letters, such as cp1252 or utf-16."""

    def of(self, schema: Schema) -> Schema:
        """The schema of a file that is written in this format."""
        return replace(schema, **{name: value for name, value in asdict(self).items() if value is not None})
