"""The sentences, tables and histograms of a report."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.contrast import common, least_likely, reliability
from gmvae.assess.portrait import overlap
from gmvae.show.content import Content

Array = NDArray[Any]
CLEAR = 0.9
"""Minimum probability for a row to count as clearly in its cluster."""
APART = 0.2
"""Minimum standardised difference of a column that is worth showing."""
BINS = 24
ODD = 3
"""Maximum number of columns that are named for an outlier."""


def summary(content: Content) -> list[str]:
    """The result, and how certain it is, in a few sentences."""
    used, n = len(content.used), len(content.probability)
    clear = float((content.probability >= CLEAR).mean())
    how = next(
        word
        for share, word in ((0.9, "clear"), (0.7, "mostly clear"), (0, "often doubtful"))
        if clear >= share
    )
    found = f"{used} cluster{'s'[: used != 1]} in {content.total:,} rows"
    shown = "" if n == content.total else f" ({n:,} of them, evenly spaced, are shown here)"
    said = [
        f"{found}{shown}. The assignment is {how}: according to the model itself, {percent(clear)} "
        f"of the rows have a probability of at least {percent(CLEAR)} for their cluster."
    ]
    said.append(_number(content, used))
    if content.labels is not None and (known := content.labels >= 0).any():
        right = common(content.labels, content.clusters, content.count)[content.clusters] == content.labels
        said.append(
            f"Of the rows with a label, {percent(float(right[known].mean()))} have the most common label of "
            "their cluster; no label was seen in training."
        )
    warnings = [f for f in content.facts.get("findings") or [] if f["severity"] == "warning"]
    if warnings:
        many = f"{len(warnings)} warning{'s'[: len(warnings) > 1]}"
        said.append(f"The doctor has {many}: read them before you rely on these clusters.")
    return said


def _number(content: Content, used: int) -> str:
    k, choice = content.count, content.facts.get("choice")
    by_hand = _by_hand(content)
    if choice is not None:
        sure = "" if choice["sure"] else ", but this choice is not sure"
        return f"The number of clusters was chosen{sure}: {choice['reason']}.{by_hand}"
    if by_hand:
        learned = k - len(content.split)
        return f"{_count(learned)} learned, of which some can be without rows.{by_hand}"
    if used == k:
        auto = 'with --clusters auto, or n_clusters="auto" in Python, it would be'
        return (
            f"The number of clusters, {k}, was set or left at its default, not chosen from the data; {auto}."
        )
    return f"Up to {k} clusters were asked for; {k - used} of them hold{'s'[: k - used == 1]} no rows."


def _by_hand(content: Content) -> str:
    """A sentence on the merges and splits; empty without any."""
    counts = {
        "split in two": len(content.split),
        "merged into others": sum(into != one for one, into in enumerate(content.merged)),
    }
    done = " and ".join(f"{_count(n)} {what}" for what, n in counts.items() if n)
    return f" Then, by hand, {done}." if done else ""


def _count(number: int) -> str:
    return "1 cluster was" if number == 1 else f"{number} clusters were"


def distinctive(content: Content, k: int, count: int = 8) -> list[dict[str, Any]]:
    """The columns that distinguish a cluster, those with the greatest standardised difference first."""
    found = content.contrast
    if found is None:
        return []
    order = np.argsort(-abs(found.difference[k]), kind="stable")[:count]
    grain = 1e-9 * content.y.std(0)
    mean, rest = (np.where(abs(means[k]) > grain, means[k], 0) for means in (found.mean, found.rest))
    return [
        {
            "name": content.features[d],
            "mean": number(mean[d]),
            "rest": number(rest[d]),
            "difference": float(found.difference[k, d]),
            **strip(content.y[:, d], content.clusters == k),
        }
        for d in order
        if abs(found.difference[k, d]) >= APART
    ]


def strip(values: Array, mine: NDArray[np.bool_]) -> dict[str, Any]:
    """Histograms of a column, upwards for the rows of a cluster, and downwards for all other rows.

    They are outlines in an SVG drawing of 24 by 2, each with its greatest bar as the unit. ``low`` and
    ``high`` are the ends of the scale. It leaves out 1 % of the rows at either end, which are counted in the
    outermost bars.
    """
    low, high = span(values)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    sides = (np.histogram(values[chosen].clip(low, high), edges)[0] for chosen in (mine, ~mine))
    up, down = (side / max(1, side.max()) for side in sides)
    return {"mine": outline(1 - up), "others": outline(1 + down), "low": number(low), "high": number(high)}


def span(values: Array) -> tuple[float, float]:
    """The ends of a column's scale, which leaves out 1 % of the rows at either end."""
    low, high = (float(edge) for edge in np.percentile(values, (1, 99)))
    return (low, high) if low < high else (float(values.min()), float(values.max()))


def outline(tops: Array) -> str:
    """Bars of width 1 from 1 to ``tops`` as an SVG path."""
    return "M0 1" + "".join(f"V{top:.2f}H{place}" for place, top in enumerate(tops, 1)) + "V1Z"


def near(content: Content) -> dict[str, Any]:
    """How clusters overlap: the matrix of all clusters in use, and merges, the most similar pair first."""
    used = content.used
    shared = overlap(content.portrait.probabilities)[np.ix_(used, used)]
    found = merges(content.portrait.probabilities, used)
    return {"clusters": used, "matrix": shared.tolist(), "merges": found, "tree": tree(found, used)}


def merges(probabilities: Array, used: list[int]) -> list[dict[str, Any]]:
    """The order in which clusters merge: at each step the two groups with the greatest overlap
    (:func:`gmvae.assess.portrait.overlap`), which is computed again for the merged groups."""
    groups = [[k] for k in used]
    q = np.stack([probabilities[:, k].astype(np.float64) for k in used], 1)
    found = []
    while len(groups) > 1:
        shared = overlap(q)
        j, k = sorted(np.unravel_index(int(shared.argmax()), shared.shape))
        if not shared[j, k] > 0.0005:
            break
        found.append({"one": groups[j], "other": groups[k], "overlap": float(shared[j, k])})
        groups[j] = groups[j] + groups.pop(int(k))
        q[:, j] += q[:, k]
        q = np.delete(q, k, 1)
    return found


def tree(merged: list[dict[str, Any]], used: list[int]) -> dict[str, Any]:
    """The merges as a tree.

    ``leaves`` are the clusters from top to bottom. ``paths`` are those of an SVG drawing, 100 wide, with a
    height of 1 for each leaf. ``cuts`` has, for each number of merges, the position from the left at which to
    cut the tree. Overlaps decrease to the right, on a logarithmic scale. If groups overlap more than their
    parts did, the position stays the same.
    """
    groups = {k: [k] for k in used}
    for step in merged:
        groups[step["one"][0]] += groups.pop(step["other"][0])
    leaves = [k for group in groups.values() for k in group]
    places = {k: (0.0, leaves.index(k) + 0.5) for k in used}
    paths, cuts, right = [], [0.0], 0.0
    span = max([0.5, *(float(np.log(0.5 / step["overlap"])) for step in merged)])
    for step in merged:
        right = max(right, 4.0, 100 * float(np.log(0.5 / step["overlap"])) / span)
        (x1, y1), (x2, y2) = (places[step[side][0]] for side in ("one", "other"))
        paths.append(f"M{x1:.2f} {y1:.2f}H{right:.2f}V{y2:.2f}H{x2:.2f}")
        places[step["one"][0]] = right, (y1 + y2) / 2
        cuts.append(right)
    return {"leaves": leaves, "paths": paths, "cuts": cuts}


def confusion(content: Content) -> dict[str, Any] | None:
    """The number of rows of each label in each cluster; ``None`` without labels."""
    if content.labels is None or not (known := content.labels >= 0).any():
        return None
    labels, clusters = content.labels[known], content.clusters[known]
    kinds = np.unique(labels)
    counts = np.zeros((len(kinds), len(content.used)), dtype=np.int64)
    np.add.at(counts, (np.searchsorted(kinds, labels), np.searchsorted(content.used, clusters)), 1)
    return {"labels": [content.label(kind) for kind in kinds], "counts": counts.tolist()}


def trust(content: Content) -> dict[str, Any]:
    """How reliable the probabilities are: compared with labels if there are any, else with the cluster by
    p(z | x, w)."""
    known = np.ones(len(content.clusters), dtype=bool) if content.labels is None else content.labels >= 0
    by_labels, claimed = content.labels is not None and bool(known.any()), content.probability
    if by_labels:
        named = common(content.labels, content.clusters, content.count)  # type: ignore[arg-type]
        right = (named[content.clusters] == content.labels)[known]
    else:
        known, (claimed, right) = np.ones_like(known), _by_generation(content)
    found = reliability(claimed[known], right)
    rows = zip(found.low, found.high, found.rows, found.claimed, found.right, strict=True)
    keys = ("low", "high", "rows", "claimed", "right")
    return {
        "by_labels": by_labels,
        "gap": found.gap,
        "bins": [dict(zip(keys, map(float, row), strict=True)) for row in rows],
    }


def _by_generation(content: Content) -> tuple[Array, NDArray[np.bool_]]:
    """The probability of each row's cluster, (N,), and whether it is also that of p(z | x, w), (N,). Clusters
    that were merged, or split from one another, count as one: p(z | x, w) does not know parts."""
    wholes = np.arange(content.count)
    parts = range(content.count - len(content.split), content.count)
    joined = [*zip((one.cluster for one in content.split), parts, strict=True), *enumerate(content.merged)]
    for one, other in joined:
        wholes[wholes == wholes[one]] = wholes[other]
    q = np.zeros_like(content.portrait.probabilities)
    np.add.at(q.T, wholes, content.portrait.probabilities.T)
    return q.max(1), q.argmax(1) == wholes[content.portrait.p_clusters]


def outliers(content: Content) -> list[dict[str, Any]]:
    """The rows with the lowest log density. For a table also their values that are farthest from the mean of
    their cluster, in units of its standard deviation."""
    found = []
    for i in least_likely(content.portrait.density):
        k = int(content.clusters[i])
        found.append({"row": int(i), "cluster": k, "odd": _odd(content, int(i), k)})
    return found


def _odd(content: Content, i: int, k: int) -> list[str]:
    if content.of_images:
        return []
    mine = content.y[content.clusters == k]
    spread = np.where(mine.std(0) > 0, mine.std(0), content.y.std(0))
    away = np.divide(content.y[i] - mine.mean(0), spread, out=np.zeros(len(spread)), where=spread > 0)
    found: dict[str, str] = {}
    for d in np.argsort(-abs(away), kind="stable"):
        feature = content.features[d]
        owner = content.owners.get(feature, feature)  # one feature of a text column is enough
        if away[d] and owner not in found and len(found) < ODD:
            found[owner] = f"{feature} {number(content.y[i, d])} ({away[d]:+.1f} sd)"
    return list(found.values())


def number(value: float) -> str:
    """Format a number with about four digits."""
    value = float(value)
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:.2e}"


def percent(share: float) -> str:
    """Format a share in per cent. It is 100 or 0 only for exactly all or none."""
    if 0 < share < 0.001:
        return "under 0.1\u00a0%"
    if 0.999 < share < 1:
        return "over 99.9\u00a0%"
    return f"{share:.1%}".replace(".0%", "%").replace("%", "\u00a0%")
