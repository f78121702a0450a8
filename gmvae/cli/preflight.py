"""What is wrong with a file of data is said before PyTorch is imported, which takes seconds."""

from __future__ import annotations

from dataclasses import fields

from gmvae.config import DataConfig


def check_data(data: DataConfig) -> None:
    """Open the file that is to be trained on, and look at its columns as far as that is quick.

    Raises:
        ValueError: where the file does not hold what it should.
        OSError: where it cannot be read.
    """
    if data.path is None:
        return
    from gmvae.data.files.open import open_source
    from gmvae.data.files.tables import Table
    from gmvae.data.schema import ReadOptions

    options = ReadOptions(**{field.name: getattr(data, field.name) for field in fields(ReadOptions)})
    source = open_source(data.path)
    if isinstance(source, Table) and (options.missing, options.text) == ("error", "error"):
        source.schema(options)  # what fills gaps, or has a feature for each text, takes a pass over the file
