"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from gmvae.show.naming import short

WIDTH = 32
"""Maximum number of characters of a column's name."""


def clusters_table(rows: Sequence[Mapping[str, Any]], top: int) -> str:
    """The first rows for each cluster of the table of :meth:`gmvae.GMVAE.describe`, as text."""
    lines: list[str] = []
    for _, own in groupby(rows, key=lambda row: row["cluster"]):
        first, *others = own
        name = f" ({first['name']})" if first.get("name") else ""
        lines += [
            f"cluster {first['cluster']}{name}: {first['rows']:,} rows, mean probability "
            f"{first['probability']:.2f}",
            f"  {'column':<{WIDTH}} {'mean':>11} {'deviation':>11} {'others':>11} {'difference':>11}",
        ]
        for row in [first, *others][:top]:
            cells = [f"{row[key]:>11.4g}" for key in ("mean", "deviation", "rest")]
            lines.append(
                f"  {short(row['column'], WIDTH):<{WIDTH}} {' '.join(cells)} {row['difference']:>+11.2f}"
            )
        lines.append("")
    return "\n".join(lines[:-1])
