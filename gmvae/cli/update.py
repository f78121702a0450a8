"""The command that continues a model on new data."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from gmvae.cli.file_format import FileFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np


@dataclass(frozen=True)
class Update:
    """Train a model further with one pass over new data, read in the same way as the training data. The new
    model is written beside the old one, which is not changed. Scaling, clusters and their numbers stay the
    same. If the new data differ from the old ones, that is a finding."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run folder or a model file."""
    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """File or folder of new data."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Model file to write; by default updated.safetensors beside the old one."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1, ... or mps."""
    file_format: FileFormat = field(default_factory=FileFormat)

    def __call__(self) -> None:
        from gmvae.apply.apply import check_out, opened
        from gmvae.data import portions
        from gmvae.estimator.loading import load
        from gmvae.estimator.updating import update
        from gmvae.store.model_file import find

        model = load(self.run, self.device)
        source, schema = opened(model, self.run, self.file)
        schema = self.file_format.of(schema)
        out = self.out or find(self.run).with_name("updated.safetensors")
        check_out(out, self.run, source)
        rows = 0

        def counted() -> Iterator[np.ndarray]:
            nonlocal rows
            for part in portions.portions(lambda: source.blocks(schema), portions.NUMBERS):
                rows += len(part)
                yield part

        parts = counted()
        first = next(parts, None)
        if first is None:
            raise ValueError(f"{source.path} has no rows")
        update(model, chain((first,), parts))
        model.save(out)
        print(f"{rows:,} rows: {out}")
        for finding in model.findings_:
            print(finding.in_shell())
