"""Survey a table in one reading: moments, distinct rows and their weights, a fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight

from gmvae.data.chunks import chunks
from gmvae.data.hashing import hashes
from gmvae.data.scales.moments import Floats, Moments
from gmvae.data.scales.scaling import Scaling
from gmvae.data.scales.traits import Traits, sample_size

MINIMUM_WEIGHT = 2.0**-32
"""Minimum relative weight: a row below it would not be drawn in any fit, and would cost the others
precision."""
DIGITS = 24
"""How many binary digits a relative weight has."""


@dataclass(frozen=True)
class Survey:
    """What one reading of a table finds out about the rows whose weight is not 0."""

    moments: Moments
    """Weighted means, deviations and ranges of the distinct rows."""
    order: NDArray[np.int64]
    """One row number for each distinct row, in an order that depends only on the values of the rows."""
    weights: Floats
    """The relative weight of each distinct row, in the same order: the total weight of its copies, divided by
    the largest such total, in (0, 1]."""
    fingerprint: str
    """SHA-256 of the distinct rows and their weights, 64 hexadecimal digits. It does not depend on the order
    of the rows."""

    @classmethod
    def of(cls, source: Any, weights: Floats) -> Survey:
        """Read a table of shape (N, D), dense or sparse, a chunk at a time; weights of shape (N,).

        Everything comes from the distinct rows and their relative weights. So the order of the rows, copies
        of the whole table and the unit of the weights make no difference, to the last bit.
        """
        prints = []
        for start, values in chunks(source):
            values = values[weights[start : start + len(values)] > 0] + 0.0
            prints += [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in values]
        hashes = np.frombuffer(b"".join(prints), dtype=np.uint64)
        distinct, first, which = np.unique(hashes, return_index=True, return_inverse=True)
        used = np.flatnonzero(weights)
        order, shares = used[first], relative(weights[used], which)
        moments = Moments(source.shape[1])
        for start, values in chunks(source, order):
            moments.add(values, shares[start : start + len(values)])
        fingerprint = hashlib.sha256(distinct.tobytes() + shares.tobytes()).hexdigest()
        return cls(moments, order, shares, fingerprint)

    def traits(self, source: Any) -> Traits:
        """Traits of the columns, from a sample of the distinct rows."""
        step = -(-len(self.order) // sample_size(len(self.order), source.shape[1]))
        return Traits.of(source[self.order[::step]], self.weights[::step])

    def measure(self, source: Any, scaling: Scaling) -> Moments:
        """The moments of the columns after a scaling's map g (:meth:`Scaling.shape`)."""
        if scaling.affine:
            return self.moments
        moments = Moments(source.shape[1])
        for start, values in chunks(source, self.order):
            moments.add(scaling.shape(values), self.weights[start : start + len(values)])
        return moments

    def arranged(self, source: Any, scaling: Scaling) -> Survey:
        """The same with the distinct rows in a random order, decided by hashes of their scaled values. So the
        order is the same in any unit."""
        keys = np.concatenate([hashes(scaling.rounded(values)) for _, values in chunks(source, self.order)])
        arrangement = np.argsort(keys, kind="stable")
        return replace(self, order=self.order[arrangement], weights=self.weights[arrangement])


def relative(weights: Floats, groups: NDArray[np.int64]) -> Floats:
    """The sum of the weights of each group, divided by the greatest of these sums: in (0, 1], at least
    ``MINIMUM_WEIGHT``.

    It is rounded to ``DIGITS`` binary digits. That hides the rounding errors of weights in another unit.

    Arguments:
        weights: Weights of rows, above 0, (N,).
        groups: The group of each row, from 0 without gaps, (N,).
    """
    order = np.lexsort((weights, groups))  # so that the sums do not depend on the order of the rows
    sums = np.bincount(groups[order], weights[order])
    fraction, exponent = np.frexp(np.maximum(sums / sums.max(), MINIMUM_WEIGHT))
    return np.ldexp(np.rint(np.ldexp(fraction, DIGITS)), exponent - DIGITS)


def weighed(source: Any, weights: Any) -> Floats:
    """Weights of the rows of a table as an array of shape (N,), divided by a power of two that brings the
    greatest to about 1; all equal for ``None``.

    Raises:
        ValueError: if they are not one finite number of at least 0 for each row, or are all 0.
    """
    if np.ma.is_masked(weights):
        raise ValueError(
            f"sample_weight has {np.ma.count_masked(weights):,} masked values: give each row a weight, 0 to "
            "leave it out"
        )
    found = _check_sample_weight(weights, source, dtype=np.float64)
    if (found < 0).any():
        raise ValueError(f"sample_weight has {(found < 0).sum()} negative numbers: it must be at least 0")
    if not found.any():
        raise ValueError("sample_weight is zero for every row: at least one weight must be above 0")
    scaled = np.ldexp(found, -np.frexp(found.max())[1])  # otherwise their sum could overflow
    return np.where(found > 0, np.maximum(scaled, np.finfo(np.float64).tiny), 0.0)
