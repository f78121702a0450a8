"""What one reading of a table finds: moments, distinct rows and their weights, a fingerprint."""

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
from gmvae.data.scales.traits import Traits, looked_at

LEAST = 2.0**-32
"""The least relative weight: a row of less would not be drawn in any fit, and cost digits of the others."""
DIGITS = 24
"""Binary digits of a relative weight."""


@dataclass(frozen=True)
class Survey:
    """What one reading of a table finds in the rows whose weight is not 0."""

    moments: Moments
    """Weighted means, deviations and ranges of the distinct rows."""
    order: NDArray[np.int64]
    """One row number for each distinct row, in an order that only the rows' values decide."""
    weights: Floats
    """The relative weight of each distinct row, in the same order: that of all rows like it, over that of the
    distinct row with the most, in (0, 1]."""
    fingerprint: str
    """SHA-256 of the distinct rows and their weights, 64 hexadecimal digits, whatever their order."""

    @classmethod
    def of(cls, source: Any, weights: Floats) -> Survey:
        """Read a table of shape (N, D), dense or sparse, a chunk at a time; weights of shape (N,).

        Everything comes from the distinct rows and their relative weights, so that the order of the rows,
        copies of all of them and the unit of the weights make no difference, to the last bit.
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
        """What a sample of the distinct rows says of the columns."""
        step = -(-len(self.order) // looked_at(len(self.order), source.shape[1]))
        return Traits.of(source[self.order[::step]], self.weights[::step])

    def measure(self, source: Any, scaling: Scaling) -> Moments:
        """The moments of the columns once a scaling has shaped them."""
        if scaling.affine:
            return self.moments
        moments = Moments(source.shape[1])
        for start, values in chunks(source, self.order):
            moments.add(scaling.shape(values), self.weights[start : start + len(values)])
        return moments

    def arranged(self, source: Any, scaling: Scaling) -> Survey:
        """The same with the distinct rows in a random order that hashes of their scaled values decide, so
        that it is the same in any unit."""
        keys = np.concatenate([hashes(scaling.rounded(values)) for _, values in chunks(source, self.order)])
        arrangement = np.argsort(keys, kind="stable")
        return replace(self, order=self.order[arrangement], weights=self.weights[arrangement])


def relative(weights: Floats, groups: NDArray[np.int64]) -> Floats:
    """The sum of the weights of each group, over the greatest of these sums: in (0, 1], at least ``LEAST``.

    It is rounded to ``DIGITS`` binary digits, which hides that weights in another unit are rounded otherwise.

    Arguments:
        weights: Weights of rows, above 0, (N,).
        groups: The group of each row, from 0 without gaps, (N,).
    """
    order = np.lexsort((weights, groups))  # a sum that the order of the rows does not change
    sums = np.bincount(groups[order], weights[order])
    fraction, exponent = np.frexp(np.maximum(sums / sums.max(), LEAST))
    return np.ldexp(np.rint(np.ldexp(fraction, DIGITS)), exponent - DIGITS)


def weighed(source: Any, weights: Any) -> Floats:
    """Weights of the rows of a table as an array of shape (N,), in a unit (a power of two) in which the
    greatest is about 1; all the same for ``None``.

    Raises:
        ValueError: where they are not one finite number of at least 0 for each row, or all of them 0.
    """
    found = _check_sample_weight(weights, source, dtype=np.float64)
    if (found < 0).any():
        raise ValueError(f"sample_weight has {(found < 0).sum()} negative numbers: it must be at least 0")
    if not found.any():
        raise ValueError("sample_weight is zero for every row: at least one weight must be above 0")
    scaled = np.ldexp(found, -np.frexp(found.max())[1])  # their sum may be too large for a number otherwise
    return np.where(found > 0, np.maximum(scaled, np.finfo(np.float64).tiny), 0.0)
