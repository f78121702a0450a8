"""Names that people give to clusters, groups that they merge, and clusters that they split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gmvae.partition.split import Split

Array = NDArray[Any]
LARGE = 1e100
"""Greater numbers are not those of a split."""
FORM = '{"names": {"0": "a name"}, "merge": [[1, 4]]}'


@dataclass(frozen=True)
class Relabelling:
    """Names, merges and splits of the K clusters of a model. The model itself is not changed.

    Splits come first: the first one makes a cluster K, the next one K + 1, and so on. Merged clusters take
    the smallest of their numbers; the other numbers then have no rows.

    Arguments:
        names: Names by number.
        merge: Groups of clusters, each of two or more, no cluster in two of them.
        split: Splits of clusters, in their order.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    merge: tuple[tuple[int, ...], ...] = ()
    split: tuple[Split, ...] = ()

    @classmethod
    def of(cls, edits: Mapping[str, Any], clusters: int, x_size: int) -> Self:
        """Make a relabelling from JSON values, as a report exports them, for a model with ``clusters``
        clusters and x of ``x_size`` numbers.

        Raises:
            ValueError: if the values have another form, or name clusters that do not exist.
        """
        if not isinstance(edits, Mapping) or not edits.keys() <= {"names", "merge", "split"}:
            raise ValueError(f"edits are not of the form {FORM}")
        names, merge, split = edits.get("names", {}), edits.get("merge", []), edits.get("split", [])
        if not isinstance(names, Mapping) or not all(isinstance(name, str) for name in names.values()):
            raise ValueError(f"names of clusters must be strings by number, as in {FORM}")
        if not isinstance(merge, (list, tuple)) or not all(
            isinstance(group, (list, tuple)) for group in merge
        ):
            raise ValueError(f"merge must be a list of lists of clusters, as in {FORM}")
        splits = _splits(split, clusters, x_size)
        clusters += len(splits)
        named = {_number(k, clusters): " ".join(name.split()) for k, name in names.items()}
        groups = tuple(tuple(sorted({_number(k, clusters) for k in group})) for group in merge)
        members = [k for group in groups for k in group]
        if len(members) > len(set(members)):
            twice = next(k for k in members if members.count(k) > 1)
            raise ValueError(f"cluster {twice} is in two groups of merge: it must be in one at most")
        return cls(
            {k: name for k, name in sorted(named.items()) if name},
            tuple(g for g in groups if len(g) > 1),
            splits,
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON values that :meth:`of` takes."""
        found: dict[str, Any] = {
            "names": {str(k): name for k, name in self.names.items()},
            "merge": [list(g) for g in self.merge],
        }
        if self.split:
            found["split"] = [one.to_json() for one in self.split]
        return found

    def __bool__(self) -> bool:
        return bool(self.names or self.merge or self.split)

    def count(self, clusters: int) -> int:
        """The number of clusters after splitting, of which merged ones may be without rows."""
        return clusters + len(self.split)

    def components(self, clusters: int) -> NDArray[np.int64]:
        """The component of the model that each cluster comes from, (K + splits,)."""
        found = list(range(clusters))
        for one in self.split:
            found.append(found[one.cluster])
        return np.array(found)

    def groups(self, clusters: int) -> NDArray[np.int64]:
        """The number that each cluster has after merging, (K + splits,)."""
        found = np.arange(self.count(clusters))
        for group in self.merge:
            found[list(group)] = group[0]
        return found

    def divided(self, probabilities: Array, x: Array) -> Array:
        """Divide probabilities, (N, K), by the splits, given the means of x, (N, x_size): (N, K + splits)."""
        return self._divided(probabilities, [one.part(x) for one in self.split])

    def applied(self, probabilities: Array, x: Array) -> Array:
        """Divide probabilities, (N, K), by the splits, given the means of x, (N, x_size), then add up those
        of merged clusters: (N, K + splits)."""
        return self._merged(self.divided(probabilities, x))

    def single(self, probabilities: Array, x: Array) -> NDArray[np.int64]:
        """The cluster of each row, (N,), as if the clusters of its merged one were not merged: the most
        probable of them."""
        merged = self.applied(probabilities, x).argmax(1)
        groups = self.groups(probabilities.shape[1])
        mine = groups == merged[:, None]
        found: NDArray[np.int64] = np.where(mine, self.divided(probabilities, x), -1).argmax(1)
        return found

    def shares(self, weights: Array) -> Array:
        """Shares of the data, (K,), after splitting and merging, (K + splits,)."""
        return self._merged(self.split_shares(weights))

    def split_shares(self, weights: Array) -> Array:
        """Shares of the data, (K,), after splitting alone, (K + splits,)."""
        return self._divided(weights, [one.share for one in self.split])

    def mixed(self, samples: Array) -> Array:
        """Samples of clusters, (..., K + splits, S, D), where the first of merged clusters has a mixture of
        theirs."""
        found = samples.copy()
        for group in self.merge:
            own = samples[..., list(group), :, :].swapaxes(-3, -2)  # (..., S, clusters of the group, D)
            mixture = own.reshape(*own.shape[:-3], -1, own.shape[-1])
            found[..., group[0], :, :] = mixture[..., : samples.shape[-2], :]
        return found

    def called(self, clusters: int) -> dict[int, str]:
        """The names of the clusters that have one. Merged clusters have the first name among them."""
        found: dict[int, str] = {}
        for k, group in enumerate(self.groups(clusters).tolist()):
            if k in self.names:
                found.setdefault(group, self.names[k])
        return found

    def _divided(self, values: Array, parts: Sequence[Any]) -> Array:
        """Move a part of each split cluster, given for each split, to a new one: (..., K + splits)."""
        if not self.split:
            return values
        found = np.concatenate([values, np.zeros((*values.shape[:-1], len(self.split)), values.dtype)], -1)
        for number, (one, part) in enumerate(zip(self.split, parts, strict=True), values.shape[-1]):
            found[..., number] = found[..., one.cluster] * part
            found[..., one.cluster] -= found[..., number]
        return found

    def _merged(self, values: Array) -> Array:
        """Add up the probabilities, or shares, of merged clusters."""
        if not self.merge:
            return values
        found = values.copy()
        for first, *others in self.merge:
            found[..., first] += values[..., others].sum(-1)
            found[..., others] = 0
        return found


def _number(value: Any, clusters: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if isinstance(value, (bool, float)) or not 0 <= number < clusters:
        raise ValueError(f"edits name cluster {value!r}: it must be a whole number from 0 to {clusters - 1}")
    return number


def _splits(given: Any, clusters: int, x_size: int) -> tuple[Split, ...]:
    keys = {"cluster", "direction", "offset", "share"}
    if not isinstance(given, (list, tuple)) or not all(
        isinstance(one, Mapping) and one.keys() == keys for one in given
    ):
        raise ValueError(
            f"split must be a list of splits with {', '.join(sorted(keys))}, as a report exports"
        )
    found = []
    for place, one in enumerate(given):
        cluster = _number(one["cluster"], clusters + place)
        direction = one["direction"]
        if not isinstance(direction, (list, tuple)) or len(direction) != x_size:
            raise ValueError(
                f"the direction in which cluster {cluster} is split must have {x_size} numbers, those of x"
            )
        numbers = [*direction, one["offset"], one["share"]]
        if not all(map(_is_number, numbers)):
            raise ValueError(f"direction, offset and share of the split of cluster {cluster} must be numbers")
        if not 0 <= one["share"] <= 1:
            raise ValueError(f"the share of the split of cluster {cluster} must be from 0 to 1")
        found.append(Split(cluster, tuple(map(float, direction)), float(one["offset"]), float(one["share"])))
    return tuple(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGE
