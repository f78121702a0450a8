"""The HTML of a fitted estimator in a notebook."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from gmvae.show.colours import colour
from gmvae.show.figures import middle, principal_plane

BAR = 160
"""Length of the bar of the largest cluster, in pixels."""


def notebook_html(
    said: str,
    shares: NDArray[np.float64],
    names: Mapping[int, str],
    stability: NDArray[np.float64] | None,
    findings: Sequence[Any],
    points: tuple[NDArray[Any], NDArray[np.int64]] | None = None,
) -> str:
    """A sentence, a map, a bar for each cluster, and the doctor's findings, as HTML without scripts.

    Arguments:
        said: The result, in a sentence.
        shares: The share of the data in each cluster, (K,); 0 for one that was merged into another.
        names: Names of clusters, by number.
        stability: The mean stability of each cluster, (K,), if it was measured.
        findings: The doctor's findings (:class:`gmvae.assess.doctor.Finding`).
        points: Means of x of some rows, (n, x_size), and their clusters, (n,), if they are known.
    """
    right, left = "<td style='text-align:right'>", "<td style='text-align:left'>"
    rows = ""
    for k in np.flatnonzero(shares).tolist():
        bar = f"height:.8em;width:{BAR * shares[k] / shares.max():.0f}px;background:{colour(k)}"
        rows += f"<tr>{right}{k}</td>{left}{escape(names.get(k, ''))}</td>{right}{shares[k]:.1%}</td>"
        rows += f"{left}<span style='display:inline-block;{bar}'></span></td>"
        rows += "</tr>" if stability is None else f"{right}{stability[k]:.0%}</td></tr>"
    last = "" if stability is None else "<th>stability</th>"
    table = f"<table><tr><th>cluster</th><th></th><th>share</th><th></th>{last}</tr>{rows}</table>"
    doctor = "".join(f"<li>{escape(str(finding))}</li>" for finding in findings)
    if points is not None:
        table = f"<div style='display:flex;flex-wrap:wrap;gap:1em'>{picture(*points)}<div>{table}</div></div>"
    return f"<p>{escape(said)}</p>{table}<ul>{doctor or '<li>The doctor finds nothing wrong.</li>'}</ul>"


def picture(x: NDArray[Any], clusters: NDArray[np.int64]) -> str:
    """Means of x, (n, x_size), in the colours of their clusters, (n,), as an ``<img>`` with embedded data: x
    itself, or its first two principal components if it has more dimensions."""
    centre, plane = principal_plane(x)
    flat = (x - centre) @ plane
    figure = Figure(figsize=(3.6, 3.0))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.scatter(flat[:, 0], flat[:, 1], s=6, c=[colour(k) for k in clusters], linewidths=0)
    used = np.unique(clusters).tolist()
    for k in used:
        spot = axes.annotate(str(k), middle(flat[clusters == k]), ha="center", va="center", weight="bold")
        spot.set_path_effects([withStroke(linewidth=3, foreground="white")])
    axes.set_axis_off()
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=100)
    code = base64.b64encode(drawn.getvalue()).decode()
    directions = "x" if x.shape[1] <= 2 else "the two principal directions of x"
    said = f"{len(x):,} rows in {directions}, coloured by their {len(used)} clusters"
    return f"<img alt='{said}' title='{said}' src='data:image/png;base64,{code}' width='360' height='300'>"
