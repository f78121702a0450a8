"""Files packed with gzip."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from gmvae.data.limits import check_size
from gmvae.data.schema import first_line


class Unpacked(gzip.GzipFile):
    """The unpacked bytes of a packed file, up to the limit of :func:`gmvae.data.limits.check_size`.

    Raises:
        ValueError: while it is read, if it unpacks to more than the limit, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self.path, self.total = path, 0

    def read(self, size: int | None = -1) -> bytes:
        try:
            found = super().read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{self.path} is not a complete .gz file: {first_line(error)}") from error
        self.total += len(found)
        check_size(self.path, self.total, "it unpacks to at least")
        return found
