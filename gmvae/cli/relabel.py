"""The command that writes names, merges and splits of clusters into a model file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Relabel:
    """Name, merge and split clusters, from a file that a report exports. Predictions, measures, cards and
    reports use these edits. The model itself is not changed, so --undo restores everything."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run folder or a model file."""
    edits: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[EDITS]")] = None
    """JSON: {"names": {"0": "a name"}, "merge": [[1, 4]]}, and splits as a report exports them. It replaces
    earlier edits."""
    undo: bool = False
    """Remove all names, merges and splits."""

    def __call__(self) -> None:
        from gmvae.data.printable import printable
        from gmvae.partition.relabelling import Relabelling
        from gmvae.store.files import read_json
        from gmvae.store.model_file import ModelFile, find

        if (self.edits is None) != self.undo:
            raise ValueError("give a file of edits, as a report exports it, or give --undo")
        path = find(self.run)
        file = ModelFile.load(path)
        about, clusters, x_size = dict(file.about), file.model.config.clusters, file.model.config.x_size
        wanted = Relabelling()
        if self.edits is not None:
            wanted = Relabelling.of(read_json(self.edits), clusters, x_size)
        about["relabelled"] = wanted.to_json()
        replace(file, about=about).save(path)
        lines = [f"{k} is a part of {one.cluster}" for k, one in enumerate(wanted.split, clusters)]
        lines += [f"{', '.join(map(str, group))} are merged as number {group[0]}" for group in wanted.merge]
        lines += [f"{k} is called {name}" for k, name in wanted.called(clusters).items()]
        print("\n".join(map(printable, lines)) or f"{clusters} clusters, without names, merges or splits")
