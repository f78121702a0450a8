"""The card of a cluster: its members, the columns that set it apart, and what it generates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.contrast import borderline, typical
from gmvae.show.content import Column, Content
from gmvae.show.report import facts

ROWS = 6
"""Number of generated rows of a table."""


def card(content: Content, k: int) -> dict[str, Any]:
    """What the card of cluster ``k`` shows."""
    members = content.clusters == k
    columns = facts.distinctive(content, k)
    shown = _owners(content, [column["name"] for column in columns] or content.features[:8])
    made = content.portrait
    return {
        "k": k,
        "size": int(content.sizes[k]),
        "share": float(members.mean()),
        "probability": float(content.probability[members].mean()),
        "typical": typical(made.x, content.clusters, k).tolist(),
        "borderline": borderline(made.probabilities, k).tolist(),
        "columns": columns,
        "shown_columns": shown,
        "generated": [column.generated(made.samples[k][:ROWS]) for column in shown],
        "styles": styles(content, k, shown),
        "part": k >= content.count - len(content.split) or any(one.cluster == k for one in content.split),
    }


def _owners(content: Content, features: Any) -> list[Column]:
    """The columns that features belong to."""
    owners = {f"{c.name}={text}": c for c in content.columns for text in c.texts}
    owners |= {c.name: c for c in content.columns if not c.texts}
    return list({owners[name].name: owners[name] for name in features}.values()) if owners else []


def styles(content: Content, k: int, columns: list[Column]) -> list[dict[str, Any]]:
    """How columns move within a cluster as one number of w goes from -3 to 3, for each of the two numbers
    with the greatest effect, or for the only one.

    The lines are paths of an SVG drawing of 1 by 1: a number on the scale of its histogram
    (:func:`gmvae.show.report.facts.span`), which is extended if needed, or the probability of each text that
    is the most probable one somewhere, from 0 to 1.
    """
    axes = content.portrait.styles[:, k]
    axes = axes[:1] if np.array_equal(*axes) else axes
    return [{"name": column.name, "axes": _lines(content, column, axes)} for column in columns]


def _lines(content: Content, column: Column, axes: NDArray[Any]) -> list[dict[str, Any]]:
    moved, values = (
        column.features(axes),
        column.generated(axes).values,
    )  # (axes, steps, features), (axes, steps)
    low, high = (0.0, 1.0) if column.texts else facts.span(content.y[:, column.place])
    low, high = min(low, float(moved.min())), max(high, float(moved.max()))
    found = []
    for along, features in zip(values, moved, strict=True):
        shown = list(dict.fromkeys(along.tolist())) if column.texts else [0]
        first, last = (
            column.texts[value] if column.texts else facts.number(value) for value in along[[0, -1]]
        )
        heights = 1 - (features[:, shown].T - low) / (high - low or 1)
        found.append({"first": first, "last": last, "paths": [_path(line) for line in heights]})
    return found


def _path(heights: NDArray[Any]) -> str:
    across = np.linspace(0, 1, len(heights))
    return "M" + "L".join(f"{x:.3f} {y:.3f}" for x, y in zip(across, heights, strict=True))
