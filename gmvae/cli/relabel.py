"""The command that writes names and merges of clusters into a model file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Relabel:
    """Name and merge clusters, from a file that a report exports. Predictions, measures, cards and reports
    use the names and merges. The model itself is not changed, so --undo restores everything."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run folder or a model file."""
    edits: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[EDITS]")] = None
    """JSON: {"names": {"0": "a name"}, "merge": [[1, 4]]}. It replaces earlier names and merges."""
    undo: bool = False
    """Remove all names and merges."""

    def __call__(self) -> None:
        from gmvae.partition.relabelling import Relabelling
        from gmvae.store.files import read_json
        from gmvae.store.model_file import ModelFile, find

        if (self.edits is None) != self.undo:
            raise ValueError("give a file of edits, as a report exports it, or give --undo")
        path = find(self.run)
        file = ModelFile.load(path)
        about, clusters = dict(file.about), file.model.config.clusters
        wanted = Relabelling() if self.edits is None else Relabelling.of(read_json(self.edits), clusters)
        about["relabelled"] = wanted.to_json()
        replace(file, about=about).save(path)
        lines = [f"{', '.join(map(str, group))} are merged as number {group[0]}" for group in wanted.merge]
        lines += [f"{k} is called {name}" for k, name in wanted.called(clusters).items()]
        print("\n".join(lines) or f"{clusters} clusters, without names or merges")
