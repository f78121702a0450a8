"""What a notebook shows of a fitted estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.show.colours import colour

BAR = 160
"""Pixels of the bar of the largest cluster."""


def notebook_html(
    said: str,
    shares: NDArray[np.float64],
    names: Mapping[int, str],
    stability: NDArray[np.float64] | None,
    findings: Sequence[Any],
) -> str:
    """A sentence, a bar for each cluster, and what the doctor says, as HTML without scripts.

    Arguments:
        said: What was found.
        shares: The share of the data in each cluster, (K,); 0 for one that was merged into another.
        names: Names of clusters, by number.
        stability: The mean stability of each cluster, (K,), where it was measured.
        findings: What the doctor says (:class:`gmvae.assess.doctor.Finding`).
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
    return f"<p>{escape(said)}</p>{table}<ul>{doctor or '<li>The doctor finds nothing wrong.</li>'}</ul>"
