"""Names that people give to clusters, and groups of clusters that they merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FORM = '{"names": {"0": "a name"}, "merge": [[1, 4]]}'


@dataclass(frozen=True)
class Relabelling:
    """Names and merges of the K clusters of a model. The model itself is not changed.

    Merged clusters take the smallest of their numbers; the other numbers then have no rows.

    Arguments:
        names: Names by number.
        merge: Groups of clusters, each of two or more, no cluster in two of them.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    merge: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, edits: Mapping[str, Any], clusters: int) -> Self:
        """Make a relabelling from JSON values, as a report exports them, for a model with ``clusters``
        clusters.

        Raises:
            ValueError: if the values have another form, or name clusters that do not exist.
        """
        if not isinstance(edits, Mapping) or not edits.keys() <= {"names", "merge"}:
            raise ValueError(f"edits are not of the form {FORM}")
        names, merge = edits.get("names", {}), edits.get("merge", [])
        if not isinstance(names, Mapping) or not all(isinstance(name, str) for name in names.values()):
            raise ValueError(f"names of clusters must be strings by number, as in {FORM}")
        if not isinstance(merge, (list, tuple)) or not all(
            isinstance(group, (list, tuple)) for group in merge
        ):
            raise ValueError(f"merge must be a list of lists of clusters, as in {FORM}")
        named = {_number(k, clusters): " ".join(name.split()) for k, name in names.items()}
        groups = tuple(tuple(sorted({_number(k, clusters) for k in group})) for group in merge)
        members = [k for group in groups for k in group]
        if len(members) > len(set(members)):
            twice = next(k for k in members if members.count(k) > 1)
            raise ValueError(f"cluster {twice} is in two groups of merge: it must be in one at most")
        return cls(
            {k: name for k, name in sorted(named.items()) if name}, tuple(g for g in groups if len(g) > 1)
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON values that :meth:`of` takes."""
        return {
            "names": {str(k): name for k, name in self.names.items()},
            "merge": [list(g) for g in self.merge],
        }

    def __bool__(self) -> bool:
        return bool(self.names or self.merge)

    def groups(self, clusters: int) -> NDArray[np.int64]:
        """The number that each of K clusters has after merging, (K,)."""
        found = np.arange(clusters)
        for group in self.merge:
            found[list(group)] = group[0]
        return found

    def merged(self, probabilities: Array) -> Array:
        """Add up the probabilities, or shares, of merged clusters, (..., K)."""
        if not self.merge:
            return probabilities
        found = probabilities.copy()
        for first, *others in self.merge:
            found[..., first] += probabilities[..., others].sum(-1)
            found[..., others] = 0
        return found

    def called(self, clusters: int) -> dict[int, str]:
        """The names of those of K clusters that have one. Merged clusters have the first name among them."""
        found: dict[int, str] = {}
        for k, group in enumerate(self.groups(clusters).tolist()):
            if k in self.names:
                found.setdefault(group, self.names[k])
        return found


def _number(value: Any, clusters: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if isinstance(value, (bool, float)) or not 0 <= number < clusters:
        raise ValueError(f"edits name cluster {value!r}: it must be a whole number from 0 to {clusters - 1}")
    return number
