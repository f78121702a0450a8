"""The card of a model file: a summary for people to read."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.remedies import as_flags
from gmvae.data.printable import printable
from gmvae.partition.relabelling import Relabelling
from gmvae.store.model_file import ModelFile, find, sound

WIDTH, BAR = 96, 40
"""Characters in a line, and in the longest bar."""
SHOWN = 30
"""Maximum number of clusters, and of column names, to show."""
MEASURES = ("acc", "acc_aae", "nmi", "ari")


def card(path: str | Path) -> str:
    """Summarise a model file, or that of a run folder, as lines of text.

    Raises:
        ValueError: if there is no complete model file.
        OSError: if it cannot be read.
    """
    file = find(path)
    whole = ModelFile.load(file)
    lines: list[str] = []
    with sound(file):
        for name, text in _facts(whole, file):
            lines += textwrap.wrap(
                text, WIDTH, initial_indent=f"{name:<12}", subsequent_indent=" " * 12, break_on_hyphens=False
            )
        relabelled = Relabelling.of(
            whole.about.get("relabelled", {}), whole.model.config.clusters, whole.model.config.x_size
        )
        lines += ["", *_shares(np.array(whole.about["weights"]), relabelled)]
    return "\n".join(map(printable, lines))


def _facts(file: ModelFile, path: Path) -> Iterator[tuple[str, str]]:
    c, about = file.model.config, file.about
    count = sum(p.numel() for p in file.model.parameters())
    used = about["n_clusters_used"]
    yield (
        "model",
        f"{about.get('name', 'GMVAE')}: K = {c.clusters}, {used} in use; x {c.x_size}, w {c.w_size}",
    )
    if choice := about.get("choice"):
        yield "clusters", f"{'' if choice['sure'] else 'not sure: '}{choice['reason']}"
    yield "network", f"{c.network}, hidden {c.hidden_size}, q(z | ...) {c.assignment}; {count:,} parameters"
    data = about["data"]
    rows = f"{data['rows']:,} rows of " if "rows" in data else ""
    yield "data", f"{data.get('name', 'a table')}: {rows}{_shape(file)}"
    if file.schema.features:
        yield "columns", _first_names(file.schema.features)
    left_out = np.setdiff1d(np.arange(len(file.scaling.mean)), file.scaling.kept)
    if len(left_out):
        names = file.schema.features or tuple(map(str, range(len(file.scaling.mean))))
        yield "constant", _first_names([names[column] for column in left_out])
    yield "likelihood", f"{c.likelihood}: {about['likelihood_reason']}"
    if reason := about.get("scale_reason"):
        yield "scale", reason
    if start := about.get("start"):
        yield "start", start["reason"]
        if candidates := start.get("candidates"):
            yield "candidates", "; ".join(map(_candidate, candidates))
    if found := about.get("resampling"):
        held = [k for k, share in enumerate(about["weights"]) if share]
        worst = min(held, key=lambda k: found["clusters"][k])
        mean = float(np.dot(found["clusters"], about["weights"]))
        yield (
            "stability",
            f"a row keeps its cluster in {mean:.0%} of {found['samples']} starts from other samples; cluster "
            f"{worst} is the least stable, {found['clusters'][worst]:.0%}",
        )
    yield "fit", f"{about['n_iter']} epochs, bound {about['elbo']:.3f} nats per observation"
    edits = about.get("relabelled", {})
    yield from _measured(about, edited=bool(edits.get("merge") or edits.get("split")))
    for finding in about.get("findings", []):
        yield finding["severity"], f"{finding['message']} {as_flags(finding['advice'])}"
    versions = about["versions"]
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "checksum", f"sha256 of the data {data['sha256'][:16]}..."
    yield "file", f"{path}, {path.stat().st_size / 1024:,.0f} KiB"


def _candidate(candidate: Mapping[str, Any]) -> str:
    """What the choice of the start compares: the mean conductance and, if that is small, the Gaussians."""
    said = f"{candidate['name']}, conductance {candidate['conductance']:.3g}"
    criterion = candidate["criterion"]
    return said if criterion is None else f"{said}, Gaussians {criterion:.2f}"


def _measured(about: Any, *, edited: bool) -> Iterator[tuple[str, str]]:
    measures, more = about.get("measures", {}), ""
    if edited:
        more = " before clusters were merged or split (gmvae evaluate measures them as they are now)"
    for prefix, name in (("", "labels"), ("test_", "test labels")):
        found = [f"{key} {measures[prefix + key]:.3f}" for key in MEASURES if prefix + key in measures]
        if found:
            yield name, ", ".join(found) + more


def _shape(file: ModelFile) -> str:
    shape = file.schema.y_shape
    if len(shape) == 3:
        return f"images, {shape[0]} x {shape[1]} x {shape[2]}"
    return f"{shape[0]} numbers"


def _first_names(names: Sequence[str]) -> str:
    if len(names) <= SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[:SHOWN])}, ... ({len(names)} in all)"


def _shares(weights: NDArray[np.float64], relabelled: Relabelling) -> Iterator[str]:
    """Yield a bar for the share of each cluster; clusters that were merged into another have none."""
    shares, names = relabelled.shares(weights), relabelled.called(len(weights))
    numbers = np.flatnonzero(relabelled.groups(len(weights)) == np.arange(len(shares))).tolist()
    yield "cluster     share of the data"
    for k in numbers[:SHOWN]:
        bar = "█" * round(BAR * shares[k] / shares.max())
        yield f"{k:>7}  {shares[k]:>7.1%} {bar}  {names.get(k, '')}".rstrip()
    if len(numbers) > SHOWN:
        yield f"        ... and {len(numbers) - SHOWN} more"
    for number, split in enumerate(relabelled.split, len(weights)):
        yield f"        {number} is a part of {split.cluster}, split by hand"
    for first, *others in relabelled.merge:
        yield f"        {first} includes {', '.join(map(str, others))}, merged by hand"
