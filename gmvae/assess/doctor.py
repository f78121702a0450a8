"""The doctor: what is wrong with the clusters of a model, in plain words, and what to try."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gmvae.assess.diagnostics import Diagnostics
from gmvae.assess.holdout import Holdout
from gmvae.assess.remedies import Remedies, as_flags
from gmvae.config import ModelConfig, ObjectiveConfig
from gmvae.data.oddities import NOTHING_ODD, Oddities

IGNORED = 0.1
"""Information between z and y, in nats, below which clusters say nothing about the data."""
ONE = 0.99
"""Share above which a cluster counts as the only one."""
SMALL = 0.1
"""A cluster is small below this multiple of an equal share, 1 / K."""
LOPSIDED = 0.9
"""Share above which a cluster is worth a note."""
CONFUSED = 0.2
"""Confusion above which two clusters count as one; two halves of one cluster have 0.5."""
DECIDED = 0.25
"""Mean entropy of q(z | y), as a share of ln K, below which assignments are certain."""
DISAGREE = 0.9
"""Agreement of q(z | y) and p(z | x, w) below which they contradict each other."""
ALL_WEIGHT = 0.9
"""Share of the total weight above which one distinct row makes the others negligible."""
MOVING = 0.01
"""Share of observations that change their cluster in an epoch, above which training has not converged."""
WORSE = 1.0
"""Nats that the bound can fall between the first and the last tenth of the epochs with full weights."""
OVERFIT = 0.5
"""Nats for each column. If the bound on held-out rows is lower than that on fitted rows by more, the model
overfits."""
COPIES = 0.5
"""Share of the rows that are copies of others, above which they are worth a note."""
UNBOUNDED = 1e-3
"""Variance of a Gaussian p(y | x) below which the density grows without limit, for columns with variance
1."""

WORDS = {
    "ignored": (
        "Clusters ignore the data: they carry {information:.3f} of at most {maximum:.2f} nats about the "
        "data.",
        "{tried}",
    ),
    "one-cluster": (
        "Cluster {largest} holds {share:.1%} of the data.",
        "{tried}",
    ),
    "dead": (
        "{empty} of {k} clusters hold no data; {used} are in use.",
        "{tried}",
    ),
    "small": (
        "Small clusters, each with less than a tenth of an equal share: {clusters}.",
        "Look at their rows: they can be a rare group, or outliers. If they are neither, ask for fewer "
        "clusters.",
    ),
    "lopsided": (
        "Cluster {largest} holds {share:.0%} of the data.",
        "Check whether the other rows are outliers. If so, remove them, or ask for more clusters.",
    ),
    "one-row": (
        "One distinct row has {share:.1%} of the total weight: the others hardly count.",
        "Check the weights, and whether that row is valid: copies of a row count as one row with their total "
        "weight.",
    ),
    "merged": (
        "Clusters {groups} overlap: {each} one group.",
        "{tried}",
    ),
    "disagreement": (
        "q(z | y) and p(z | x, w) give the same cluster for only {agreement:.0%} of the data: what a cluster "
        "generates is not what is assigned to it.",
        "{tried}",
    ),
    "x-unused": (
        "None of the {x_size} units of x changes with the data: the decoder gives the same output for "
        "everything.",
        "Give warm_up some epochs, lower learning_rate, or scale the data to about 1.",
    ),
    "unbounded": (
        "p(y | x) has a variance of {variance:.1e} in some column: there the bound grows without limit.",
        "Set min_variance to about 0.01, or leave out columns with few values.",
    ),
    "moving": (
        "{rate:.1%} of the data still change their cluster in every epoch.",
        "Train for more epochs, or lower learning_rate.",
    ),
    "overfit": (
        "After {epochs} epochs the bound is {seen:.1f} nats on fitted rows, and {unseen:.1f} on {rows} "
        "held-out rows{so}.",
        "{tried}",
    ),
    "heavy-tails": (
        "Columns with heavy tails, in which a few values are so far out that the others look alike: "
        "{columns}.",
        "Look at these values, or bring them nearer with scale=robust or scale=log.",
    ),
    "nearly-constant": (
        "Columns with one value in more than 99 % of the rows: {columns}. The other rows lie far from these.",
        "Leave the columns out, unless you are looking for groups of such rows.",
    ),
    "wide": (
        "There are {columns:,} columns and only {rows:,} distinct rows: clusters of so few rows can be due "
        "to chance.",
        "Use fewer columns, such as their principal components, and try other seeds.",
    ),
    "duplicates": (
        "{share:.0%} of the rows are copies of others: {distinct:,} of {rows:,} differ.",
        "Every copy of a row counts. If the copies are a mistake, remove them.",
    ),
    "unstable": (
        "The bound fell from {first:.1f} to {end:.1f} nats while all weights were full.",
        "Lower learning_rate.",
    ),
}
"""For each finding, what is wrong and what to try, which can depend on the fit
(:class:`gmvae.assess.remedies.Remedies`)."""


@dataclass(frozen=True)
class Finding:
    """A finding of the doctor: a name for programs, what is wrong, and what to try. A note can be harmless; a
    warning rarely is."""

    name: str
    severity: Literal["warning", "note"]
    message: str
    advice: str

    def to_json(self) -> dict[str, str]:
        """The finding as JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.severity}: {self.message} {self.advice}"

    def in_shell(self) -> str:
        """The finding in words, with parameters as flags of the command line."""
        return f"{self.severity}: {self.message} {as_flags(self.advice)}"


def diagnose(
    diagnostics: Diagnostics,
    model: ModelConfig,
    objective: ObjectiveConfig,
    history: Sequence[Mapping[str, Any]] = (),
    heaviest: float = 0.0,
    holdout: Holdout | None = None,
    oddities: Oddities = NOTHING_ODD,
    init: str = "auto",
) -> list[Finding]:
    """Return the findings, warnings first; empty if all is well.

    Arguments:
        diagnostics: Diagnostics of the model.
        model: Its configuration.
        objective: The weights of the terms it was trained with.
        history: The records of its epochs; ``elbo`` and, if present, ``moved`` are used.
        heaviest: The greatest share of the total weight that a distinct row has.
        holdout: What held-out rows show, if some were held out.
        oddities: Unusual properties of the table.
        init: How the fit started: advice to start as it did already is left out.
    """
    found = [
        *_of_table(oddities),
        *([_say("one-row", share=heaviest)] if heaviest > ALL_WEIGHT else []),
        *_of_clusters(diagnostics, model.clusters, Remedies(model, objective, init)),
        *_of_latents(diagnostics, model),
        *_of_training(history, objective),
        *_of_holdout(holdout),
    ]
    return sorted(found, key=lambda finding: finding.severity != "warning")


def _say(name: str, severity: Literal["warning", "note"] = "warning", **values: Any) -> Finding:
    message, advice = (words.format(**values) for words in WORDS[name])
    return Finding(name, severity, message, advice)


def _of_clusters(diagnostics: Diagnostics, k: int, remedies: Remedies) -> Iterator[Finding]:
    share, maximum = max(diagnostics.occupancy), math.log(k)
    largest = diagnostics.occupancy.index(share)
    if k == 1:
        return
    if share >= ONE and diagnostics.z_entropy < DECIDED * maximum:
        yield _say("one-cluster", largest=largest, share=share, tried=remedies.one_cluster())
        yield from _small(diagnostics)
        return
    if diagnostics.z_information < min(IGNORED, maximum / 2):
        yield _say(
            "ignored", information=diagnostics.z_information, maximum=maximum, tried=remedies.ignored()
        )
        return
    empty = diagnostics.occupancy.count(0.0)
    if empty:
        severity: Literal["warning", "note"] = "warning" if empty > k / 2 else "note"
        used = k - empty
        yield _say("dead", severity, empty=empty, k=k, used=used, tried=remedies.dead(used))
    yield from _small(diagnostics)
    if share >= LOPSIDED:
        yield _say("lopsided", "note", largest=largest, share=share)
    groups = _overlapping(diagnostics, k)
    if groups:
        named = "; ".join(map(_listed, groups[:3])) + ("; ..." if len(groups) > 3 else "")
        each = "they may be" if len(groups) == 1 else "each of these may be"
        yield _say("merged", groups=named, each=each, tried=remedies.merged())
    if diagnostics.agreement < DISAGREE:
        yield _say("disagreement", agreement=diagnostics.agreement, tried=remedies.disagreement())


def _overlapping(diagnostics: Diagnostics, k: int) -> list[list[int]]:
    """Groups of clusters that share observations: each cluster is confused with another one of its group."""
    group = list(range(k))
    for i, j, confusion in diagnostics.confused:
        if confusion >= CONFUSED:
            low, high = sorted((group[i], group[j]))
            group = [low if of == high else of for of in group]
    members = [[i for i in range(k) if group[i] == of] for of in sorted(set(group))]
    return [found for found in members if len(found) > 1]


def _listed(numbers: Sequence[int]) -> str:
    """Numbers as a list in words, such as 1, 2 and 3."""
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}"


def _of_table(found: Oddities) -> Iterator[Finding]:
    if found.heavy:
        yield _say("heavy-tails", "note", columns=found.called(found.heavy))
    if found.rare:
        yield _say("nearly-constant", "note", columns=found.called(found.rare))
    if found.columns >= found.distinct > 0:
        yield _say("wide", "note", columns=found.columns, rows=found.distinct)
    copies = found.rows - found.distinct
    if copies > COPIES * found.rows:
        yield _say("duplicates", "note", share=copies / found.rows, distinct=found.distinct, rows=found.rows)


def _small(diagnostics: Diagnostics) -> Iterator[Finding]:
    equal = 1 / len(diagnostics.occupancy)
    small = [f"{k} ({held:.2%})" for k, held in enumerate(diagnostics.occupancy) if 0 < held < SMALL * equal]
    if small:
        yield _say("small", "note", clusters=", ".join(small[:5]) + (", ..." if len(small) > 5 else ""))


def _of_latents(diagnostics: Diagnostics, model: ModelConfig) -> Iterator[Finding]:
    if not diagnostics.active_x:
        yield _say("x-unused", x_size=model.x_size)
    if diagnostics.smallest_variance < UNBOUNDED and not model.min_variance:
        yield _say("unbounded", variance=diagnostics.smallest_variance)


def _of_training(history: Sequence[Mapping[str, Any]], objective: ObjectiveConfig) -> Iterator[Finding]:
    after = [r for r in history if r["epoch"] > objective.warm_up + objective.cv_warm_up]
    if len(after) < 2:
        return
    last = after[-max(2, len(after) // 10) :]
    rates = [record["moved"] for record in last if "moved" in record]
    if rates and sum(rates) / len(rates) > MOVING:
        yield _say("moving", rate=sum(rates) / len(rates))
    first, end = (sum(record["elbo"] for record in part) / len(part) for part in (after[: len(last)], last))
    if first - end > WORSE:
        yield _say("unstable", end=end, first=first)


def _of_holdout(holdout: Holdout | None) -> Iterator[Finding]:
    """A warning if the model itself overfits; a note if only longer fits, which were tried, do."""
    if holdout is None:
        return
    severity: Literal["warning", "note"] = "warning"
    shown, so = holdout.chosen, ""
    tried = "Use more rows, fewer columns (such as their principal components), or fewer epochs."
    if shown.elbo - shown.held_out_elbo <= OVERFIT * holdout.columns:
        if holdout.chosen is holdout.trials[-1]:
            return
        shown, severity = holdout.trials[-1], "note"
        so = f": the {holdout.epochs} epochs of this fit are better"
        tried = (
            "There is nothing to mend. With more rows, or with fewer columns (such as their principal "
            "components), a longer fit could be better."
        )
    yield _say(
        "overfit",
        severity,
        epochs=shown.epochs,
        seen=shown.elbo,
        unseen=shown.held_out_elbo,
        rows=holdout.rows,
        so=so,
        tried=tried,
    )
