"""The doctor: what is wrong with a model's clusters, in plain words, and what to try."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gmvae.assess.diagnostics import Signs
from gmvae.assess.holdout import Holdout
from gmvae.config import ModelConfig, ObjectiveConfig
from gmvae.data.oddities import NOTHING_ODD, Oddities

IGNORED = 0.1
"""Information between z and y, nats, below which clusters say nothing of the data."""
ONE = 0.99
"""Share of one cluster from which it is as good as all."""
SMALL = 0.1
"""Share of an equal share, 1 / K, below which a cluster is small."""
LOPSIDED = 0.9
"""Share of one cluster that is worth a note."""
CONFUSED = 0.2
"""Confusion from which two clusters count as one; two halves of one have 0.5."""
DECIDED = 0.25
"""Mean entropy of q(z | y), as a share of ln K, below which assignments are decided."""
DISAGREE = 0.9
"""Agreement of q(z | y) and p(z | x, w) below which they are two answers."""
ALL_WEIGHT = 0.9
"""Share of one distinct row of all weight, from which the others hardly count."""
MOVING = 0.01
"""Share of observations that change their cluster in an epoch, from which training has not ended."""
WORSE = 1.0
"""Nats that the bound may fall between the first and the last tenth of the epochs with full weights."""
OVERFIT = 0.5
"""Nats for each column, by which a bound on held-out rows is far below that on rows that were fitted to."""
COPIES = 0.5
"""Share of the rows that are copies of others, from which they are worth a note."""
UNBOUNDED = 1e-3
"""Variance of a Gaussian p(y | x), where columns have 1, from which a density grows without end."""

WORDS = {
    "ignored": (
        "Clusters ignore the data: they carry {information:.3f} of at most {most:.2f} nats about the data.",
        "Raise cv_weight (it must be above 0), start with init=kmeans, or lower z_prior_weight.",
    ),
    "one-cluster": (
        "Cluster {largest} holds {share:.1%} of the data.",
        "Start with init=kmeans, lengthen cv_warm_up, or lower cv_weight; if nothing changes, the data "
        "may have no groups.",
    ),
    "dead": (
        "{empty} of {k} clusters hold no data; {used} are in use.",
        "That is right if the data have {used} groups; if they have more, {longer}, start with init=kmeans, "
        "or try other seeds.",
    ),
    "small": (
        "Small clusters, each with less than a tenth of an equal share: {clusters}.",
        "Look at their rows: they may be a rare group, or outliers. If they are neither, ask for fewer "
        "clusters.",
    ),
    "lopsided": (
        "Cluster {largest} holds {share:.0%} of the data.",
        "Look whether the others are outliers; if so, remove these, or ask for more clusters.",
    ),
    "one-row": (
        "One distinct row has {share:.1%} of all weight: the others hardly count.",
        "Look at the weights, and at whether that row is data: copies of a row weigh as one row.",
    ),
    "merged": (
        "Clusters {groups} share their observations: {each} one group.",
        "Raise cv_weight, which parts clusters, or ask for fewer clusters.",
    ),
    "disagreement": (
        "q(z | y) and p(z | x, w) name one cluster for {agreement:.0%} of the data only: what a cluster "
        "generates is not what is assigned to it.",
        "Raise cv_weight, make w_size smaller, or train longer.",
    ),
    "x-unused": (
        "No unit of x moves with the data, of {x_size}: the decoder draws the same for everything.",
        "Give warm_up some epochs, lower learning_rate, or bring the data to a scale of about 1.",
    ),
    "unbounded": (
        "p(y | x) has a variance of {variance:.1e} in some column: there the bound grows without end.",
        "Set min_variance to 0.01 or so, or leave out columns with few values.",
    ),
    "moving": (
        "{rate:.1%} of the data still change their cluster in every epoch.",
        "Train for more epochs, or lower learning_rate.",
    ),
    "overfit": (
        "After {epochs} epochs the bound is {seen:.1f} nats on rows that were fitted to, and {unseen:.1f} on "
        "{rows} that were held out{so}.",
        "Take more rows or fewer columns (their principal components, say), or fewer epochs.",
    ),
    "heavy-tails": (
        "Columns with heavy tails, of which a few values lie so far out that the others look alike: "
        "{columns}.",
        "Look at these values. A scale of robust or log brings them nearer.",
    ),
    "nearly-constant": (
        "Columns with one value in more than 99 % of the rows: {columns}. The other rows lie far from these.",
        "Leave the columns out, unless those rows are groups that you look for.",
    ),
    "wide": (
        "There are {columns:,} columns and {rows:,} distinct rows: chance may part so few rows.",
        "Take fewer columns, such as their principal components, and look at other seeds.",
    ),
    "duplicates": (
        "{share:.0%} of the rows are copies of others: {distinct:,} of {rows:,} differ.",
        "A row counts as often as it is there. If that is a fault of the data, remove the copies.",
    ),
    "unstable": (
        "The bound fell from {first:.1f} to {end:.1f} nats while all weights were full.",
        "Lower learning_rate.",
    ),
}
"""What each finding is, and what to try."""


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor found: a name for programs, and a sentence each of what it is and of what to
    try. A note may be quite in order, a warning hardly."""

    name: str
    severity: Literal["warning", "note"]
    message: str
    advice: str

    def to_json(self) -> dict[str, str]:
        """The finding as JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.severity}: {self.message} {self.advice}"


def diagnose(
    signs: Signs,
    model: ModelConfig,
    objective: ObjectiveConfig,
    history: Sequence[Mapping[str, Any]] = (),
    heaviest: float = 0.0,
    holdout: Holdout | None = None,
    oddities: Oddities = NOTHING_ODD,
) -> list[Finding]:
    """What is wrong, warnings first; nothing where all is well.

    Arguments:
        signs: What the data show of the model.
        model: Its configuration.
        objective: The weights that it was trained with.
        history: The records of its epochs, of which ``elbo`` and ``moved`` are looked at, where they are.
        heaviest: The greatest share that a distinct row has of all weight.
        holdout: What rows say that were held out, where some were.
        oddities: What is odd about the table.
    """
    found = [
        *_of_table(oddities),
        *([_say("one-row", share=heaviest)] if heaviest > ALL_WEIGHT else []),
        *_of_clusters(signs, model, objective),
        *_of_latents(signs, model),
        *_of_training(history, objective),
        *_of_holdout(holdout),
    ]
    return sorted(found, key=lambda finding: finding.severity != "warning")


def _say(name: str, severity: Literal["warning", "note"] = "warning", **values: Any) -> Finding:
    message, advice = (words.format(**values) for words in WORDS[name])
    return Finding(name, severity, message, advice)


def _of_clusters(signs: Signs, model: ModelConfig, objective: ObjectiveConfig) -> Iterator[Finding]:
    k, share = model.clusters, max(signs.occupancy)
    largest, most = signs.occupancy.index(share), math.log(model.clusters)
    if k == 1:
        return
    if share >= ONE and signs.z_entropy < DECIDED * most:
        yield _say("one-cluster", largest=largest, share=share)
        yield from _small(signs)
        return
    if signs.z_information < min(IGNORED, most / 2):
        yield _say("ignored", information=signs.z_information, most=most, k=k)
        return
    empty = signs.occupancy.count(0.0)
    if empty:
        early = objective.cv_weight > 0 and not objective.cv_warm_up and model.assignment == "recogniser"
        longer = "give cv_warm_up some epochs" if early else "lengthen cv_warm_up or lower cv_weight"
        severity: Literal["warning", "note"] = "warning" if empty > k / 2 else "note"
        yield _say("dead", severity, empty=empty, k=k, used=k - empty, longer=longer)
    yield from _small(signs)
    if share >= LOPSIDED:
        yield _say("lopsided", "note", largest=largest, share=share)
    groups = _overlapping(signs, k)
    if groups:
        named = "; ".join(map(_listed, groups[:3])) + ("; ..." if len(groups) > 3 else "")
        yield _say("merged", groups=named, each="they are" if len(groups) == 1 else "each of these is")
    if signs.agreement < DISAGREE:
        yield _say("disagreement", agreement=signs.agreement)


def _overlapping(signs: Signs, k: int) -> list[list[int]]:
    """Groups of clusters that share observations, each of which is linked to another one of its group."""
    group = list(range(k))
    for i, j, confusion in signs.confused:
        if confusion >= CONFUSED:
            low, high = sorted((group[i], group[j]))
            group = [low if of == high else of for of in group]
    members = [[i for i in range(k) if group[i] == of] for of in sorted(set(group))]
    return [found for found in members if len(found) > 1]


def _listed(numbers: Sequence[int]) -> str:
    """1, 2 and 3."""
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


def _small(signs: Signs) -> Iterator[Finding]:
    equal = 1 / len(signs.occupancy)
    small = [f"{k} ({held:.2%})" for k, held in enumerate(signs.occupancy) if 0 < held < SMALL * equal]
    if small:
        yield _say("small", "note", clusters=", ".join(small[:5]) + (", ..." if len(small) > 5 else ""))


def _of_latents(signs: Signs, model: ModelConfig) -> Iterator[Finding]:
    if not signs.active_x:
        yield _say("x-unused", x_size=model.x_size)
    if signs.least_variance < UNBOUNDED and not model.min_variance:
        yield _say("unbounded", variance=signs.least_variance)


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
    """A warning where the model itself overfits; a note where longer fits do, which were tried."""
    if holdout is None:
        return
    severity: Literal["warning", "note"] = "warning"
    shown, so = holdout.chosen, ""
    if shown.elbo - shown.held_out_elbo <= OVERFIT * holdout.columns:
        if holdout.chosen is holdout.trials[-1]:
            return
        shown, severity = holdout.trials[-1], "note"
        so = f": {holdout.epochs} epochs, which this fit has, are better"
    yield _say(
        "overfit",
        severity,
        epochs=shown.epochs,
        seen=shown.elbo,
        unseen=shown.held_out_elbo,
        rows=holdout.rows,
        so=so,
    )
