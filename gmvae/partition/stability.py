r"""Choose the number of clusters: the greatest number that is found again in other samples of the data.

For each number K several samples of the rows are clustered, and the stability of K is

.. math:: S_K = \operatorname{median}_{a \ne b} \min_k \max_j \frac{|A_k \cap B_j|}{|A_k \cup B_j|}

over pairs of samples a, b and their clusters :math:`A_k, B_j`, counted on the rows that both samples contain.
It is 1 if every cluster of one sample is also a cluster of the other (clusterwise stability: Hennig, 2007).
With at least ``MANY`` samples it is the mean; with fewer it is the median, since a single sample can be an
outlier. No labels are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gmvae.partition.communities import Clusters
from gmvae.progress import Progress

Floats = NDArray[np.float32]
Method = Callable[[Floats, Sequence[int], int], list[Clusters]]
"""A clustering method: from rows of shape (n, D), numbers of clusters and a seed to the clusters of each row,
for each number."""

Preferred = Callable[[int, int], bool]
"""Whether a number of clusters is preferred to another one that is smaller but more stable."""

Overlaps = NDArray[np.float64]
"""For each number of clusters, the overlap of each pair of samples, (numbers, S, S)."""

MAXIMUM_ROWS = 5_000
"""Maximum number of rows for choosing the number of clusters."""
SAMPLED = 0.8
"""Share of these rows in a sample."""
STABLE, NEARLY, TRUSTED = 0.85, 0.75, 0.6
"""Minimum stability of highly stable clusters, of valid clusters, and of clusters that can be trusted
(Hennig, 2007)."""
AS_STABLE = 0.02
"""How far the stability of a number can be below that of a smaller one and still count as equal."""
MANY = 15
"""Number of samples from which on the mean is used, not the median."""
ROWS_EACH = 5
"""Minimum number of rows for each cluster that is tried."""


@dataclass(frozen=True)
class Choice:
    """The chosen number of clusters, and the stability of all numbers."""

    clusters: int
    """The number that was chosen."""
    sure: bool
    """Whether it is stable, no smaller number is stable, and no greater one is nearly stable."""
    reason: str
    """Why, in a sentence."""
    curve: tuple[tuple[int, float], ...]
    """Each number that was tried, with its stability, from 0 to 1."""

    def to_json(self) -> dict[str, Any]:
        """The choice as JSON values."""
        return asdict(self) | {"curve": [list(point) for point in self.curve]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The choice that :meth:`to_json` wrote."""
        curve = tuple((int(k), float(value)) for k, value in values["curve"])
        return cls(values["clusters"], values["sure"], values["reason"], curve)


def choose(
    methods: Sequence[tuple[Method, Sequence[Floats], int]],
    maximum: int,
    seed: int,
    progress: Progress = lambda _: None,
    preferred: Preferred = lambda _, __: True,
) -> Choice:
    """Choose the greatest stable number of clusters.

    Arguments:
        methods: For each clustering method: the method, one or more representations of the rows, arrays of
            shape (n, D), and the number of samples of each. The number of samples is doubled if the answer
            would change without one of them. The stability of a number is that in its best method.
        maximum: The greatest number to try; the smallest is 2.
        seed: Seed of the samples and of the clustering of each.
        progress: Called with the share of the work that is done.
        preferred: As for :func:`decide`.

    Raises:
        ValueError: if there are too few rows for two clusters.
    """
    rows = min(len(values) for _, shown, _ in methods for values in shown)
    counts = range(2, min(maximum, int(SAMPLED * rows) // ROWS_EACH) + 1)
    if not counts:
        raise ValueError(f"there are {rows} rows: too few to choose the number of clusters, so give it")
    work, done = 2 * sum(len(shown) * samples for _, shown, samples in methods), 0
    parts: list[list[list[Clusters]]] = [[] for _ in methods]
    overlaps: list[Overlaps] = []
    while done < work and (not overlaps or _depends_on_a_sample(counts, overlaps, preferred)):
        for (method, shown, samples), found in zip(methods, parts, strict=True):
            for _ in range(samples):
                for values in shown:
                    found.append(_of_sample(method, values, counts, seed + done))
                    done += 1
                    progress(done / work)
        overlaps = [_overlaps(found, counts) for found in parts]
    progress(1.0)
    return decide(list(counts), _curve(overlaps), preferred)


def decide(
    counts: Sequence[int], stabilities: NDArray[np.float64], preferred: Preferred = lambda _, __: True
) -> Choice:
    """Choose a number of clusters by the stability of each, with a reason.

    This is the greatest stable number that is as stable as the smaller stable ones, or is preferred to them.
    If none is stable, it is the most stable number, or 1 if even that cannot be trusted.

    Arguments:
        counts: The numbers that were tried, in order.
        stabilities: The stability of each.
        preferred: Whether a number is preferred to a smaller one, although it is less stable.
    """
    curve = tuple((k, round(float(s), 4)) for k, s in zip(counts, stabilities, strict=True))
    known, stable = dict(curve), [k for k, s in curve if s >= STABLE]
    chosen = stable[0] if stable else max(curve, key=lambda point: point[1])[0]
    for k in stable[1:]:
        if known[k] >= known[chosen] - AS_STABLE or preferred(k, chosen):
            chosen = k
    if known[chosen] < TRUSTED:
        return Choice(
            1,
            False,
            f"no number of clusters is found again in other samples of the data: the closest is {chosen} "
            f"(stability {known[chosen]:.2f} of 1; {TRUSTED} is the minimum), so the answer is 1, unless "
            "there are clusters of another kind",
            curve,
        )
    if not stable:
        return Choice(
            chosen,
            False,
            f"no number of clusters is stable: the closest is {chosen} (stability {known[chosen]:.2f} of 1; "
            f"{STABLE} would be stable), so there may be no clusters, or clusters of many sizes",
            curve,
        )
    close = [(k, s) for k, s in curve if k != chosen and s >= (NEARLY if k > chosen else STABLE)]
    rivals = ", ".join(f"{k} ({s:.2f})" for k, s in close)
    return Choice(
        chosen,
        not rivals,
        f"{chosen} is the greatest number of clusters that are found again in other samples of the data "
        f"(stability {known[chosen]:.2f} of 1)" + (f"; rivals are {rivals}" if rivals else ""),
        curve,
    )


def stability(parts: Sequence[Clusters], count: int) -> float:
    """The stability of partitions into ``count`` clusters, each of shape (n,), with -1 for rows that are not
    in a sample."""
    return float(_curve([_overlaps([[part] for part in parts], [count])])[0])


def _overlaps(parts: Sequence[Sequence[Clusters]], counts: Sequence[int]) -> Overlaps:
    """The smallest overlap of each sample's clusters with those of each other sample, (numbers, S, S); NaN
    for a sample with itself."""
    found = np.full((len(counts), len(parts), len(parts)), np.nan)
    for (i, one), (j, other) in permutations(enumerate(parts), 2):
        found[:, i, j] = [_smallest_overlap(a, b, k) for a, b, k in zip(one, other, counts, strict=True)]
    return found


def _curve(overlaps: Sequence[Overlaps]) -> NDArray[np.float64]:
    """The stability of each number with the method that makes it most stable, (numbers,)."""
    return np.max([_middle(found) for found in overlaps], 0)


def _middle(overlaps: Overlaps) -> NDArray[np.float64]:
    """The mean or median over pairs of samples: (numbers, S, S) to (numbers,)."""
    return (np.nanmean if overlaps.shape[1] >= MANY else np.nanmedian)(overlaps, (1, 2))


def _depends_on_a_sample(counts: Sequence[int], overlaps: Sequence[Overlaps], preferred: Preferred) -> bool:
    """Whether the answer would change without one of the samples. An embedding can differ between processors
    that round differently, and the answer should not depend on that."""
    answers = {_answer(counts, overlaps, preferred)}
    for method, found in enumerate(overlaps):
        # a single sample cannot be compared
        for sample in range(found.shape[1] if found.shape[1] > 2 else 0):
            left = np.delete(np.delete(found, sample, 1), sample, 2)
            answers.add(_answer(counts, [*overlaps[:method], left, *overlaps[method + 1 :]], preferred))
    return len(answers) > 1


def _answer(counts: Sequence[int], overlaps: Sequence[Overlaps], preferred: Preferred) -> tuple[int, bool]:
    choice = decide(counts, _curve(overlaps), preferred)
    return choice.clusters, choice.sure


def _of_sample(method: Method, values: Floats, counts: Sequence[int], seed: int) -> list[Clusters]:
    """The clusters of a sample of the rows, -1 for the others."""
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.permutation(len(values))[: int(SAMPLED * len(values))])
    found = []
    for clusters in method(values[drawn], counts, seed):
        everywhere = np.full(len(values), -1)
        everywhere[drawn] = clusters
        found.append(everywhere)
    return found


def _smallest_overlap(a: Clusters, b: Clusters, count: int) -> float:
    both = (a >= 0) & (b >= 0)
    shared = np.zeros((count, count))
    np.add.at(shared, (a[both], b[both]), 1.0)
    either = shared.sum(1)[:, None] + shared.sum(0) - shared
    return float((shared / np.maximum(either, 1)).max(1).min())
