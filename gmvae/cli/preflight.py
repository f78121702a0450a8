"""Check a file of data before PyTorch is imported, which takes seconds."""

from __future__ import annotations

from dataclasses import fields

from gmvae.config import DataConfig


def check_data(data: DataConfig) -> None:
    """Open the file to train on, and check its columns if that is quick.

    Raises:
        ValueError: if the content of the file is not valid.
        OSError: if it cannot be read.
    """
    if data.path is None:
        return
    from gmvae.data.files.open import open_source
    from gmvae.data.files.tables import Table
    from gmvae.data.schema import ReadOptions

    options = ReadOptions(**{field.name: getattr(data, field.name) for field in fields(ReadOptions)})
    source = open_source(data.path)
    if isinstance(source, Table) and (options.missing, options.text) == ("error", "error"):
        source.schema(options)  # filling missing values, or one-hot features, would take a pass over the file
