"""Turn a stream of blocks into observations: one pass to survey it, and one to shuffle it onto the disk."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gmvae.data.counting import Counting
from gmvae.data.dataset import Dataset, Origin
from gmvae.data.files.base import Block
from gmvae.data.files.labels import codes, plain
from gmvae.data.likelihood import choose
from gmvae.data.oddities import NOTHING_ODD, Oddities
from gmvae.data.prepare import Prepared, constants, edges
from gmvae.data.scales.choice import Scaled, choose_scale
from gmvae.data.scales.moments import Moments
from gmvae.data.scales.scaling import Scaling, dividing
from gmvae.data.scales.traits import SAMPLED_ROWS, Traits, sample_size
from gmvae.data.schema import Schema
from gmvae.data.shuffled import ShuffledRows, shuffle
from gmvae.data.streamed import Streamed

Blocks = Callable[[], Iterator[Block]]
"""A function that starts a stream from the beginning. It is read twice and must give the same both times."""


class Sample:
    """Every k-th row of a stream, with k the smallest power of two that leaves at most ``maximum`` rows."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._rows: list[NDArray[Any]] = []
        self._step, self._next, self._count = 1, 0, 0

    def add(self, y: NDArray[Any]) -> None:
        """Add the next rows, (B, D)."""
        places = np.arange(self._next, len(y), self._step)
        self._next = int(places[-1] if len(places) else self._next - self._step) + self._step - len(y)
        self._rows.append(y[places])
        self._count += len(places)
        while self._count > self._maximum:
            rows = self.rows
            self._next += self._step * (len(rows) % 2)
            self._rows, self._step, self._count = [rows[::2]], 2 * self._step, -(-len(rows) // 2)

    @property
    def rows(self) -> NDArray[Any]:
        """The rows that are kept, (n, D)."""
        return np.concatenate(self._rows)


@dataclass(frozen=True)
class StreamSurvey:
    """What one pass over a stream finds out."""

    moments: Moments
    rows: int
    levels: bool
    """Whether the values are levels of uint8."""
    classes: dict[Any, int]
    """The number of each label; the keys are labels as the stream has them."""
    names: tuple[str, ...]
    """Names of the labels, by number."""
    fingerprint: str
    sample: Sample
    """Rows from the whole stream."""
    counting: tuple[int, ...] = ()
    """The columns that only count the rows."""

    @classmethod
    def of(cls, blocks: Blocks, width: int, name: str) -> StreamSurvey:
        """Go through a stream whose rows have ``width`` numbers.

        Raises:
            ValueError: if it is empty, or a number is not finite.
        """
        moments, rows, labels, levels = Moments(width), 0, set[Any](), True
        digest, sample = hashlib.sha256(), Sample(sample_size(SAMPLED_ROWS, width))
        counting = Counting(width)
        for block in blocks():
            y = block.y.reshape(len(block.y), -1)
            _check(y, width, rows, name)
            levels &= y.dtype == np.uint8
            moments.add(y.astype(np.float64, copy=False))
            sample.add(y)
            counting.add(y)
            digest.update(np.ascontiguousarray(y).data)
            rows += len(y)
            if block.labels is not None:
                labels |= set(plain(block.labels))
        if rows < 2:
            raise ValueError(f"{name} has {rows} rows: it must have at least two")
        found = list(labels)
        numbers, names = codes(found)
        places = {} if numbers is None else dict(zip(found, numbers.tolist(), strict=True))
        return cls(moments, rows, levels, places, names, digest.hexdigest(), sample, tuple(counting.found))


def _check(y: NDArray[Any], width: int, before: int, name: str) -> None:
    if y.shape[1] != width:
        raise ValueError(f"{name} has {y.shape[1]} numbers in row {before}, and {width} in the first")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        row, column = np.argwhere(~np.isfinite(y))[0].tolist()
        what = "a missing value" if np.isnan(y[row, column]) else f"an infinite number, {y[row, column]},"
        raise ValueError(
            f"{name} has {what} in row {before + row}, column {column}, counted from 0: remove this row, or "
            "replace it with a finite number"
        )


def prepare_stream(
    blocks: Blocks,
    schema: Schema,
    folder: Path,
    *,
    likelihood: str = "auto",
    scale: str = "auto",
    device: torch.device,
    name: str,
    seed: int = 0,
    scaling: Scaling | None = None,
    writes: bool = True,
    ready: Callable[[], object] = lambda: None,
) -> tuple[Dataset, Prepared]:
    """Prepare a stream as observations, with a sample of them in memory.

    Arguments:
        blocks: Starts the stream from the beginning.
        schema: Schema of its rows.
        folder: Folder for the shuffled rows, as float32 or uint8.
        likelihood: The likelihood that is asked for, or ``"auto"``.
        scale: How the columns are scaled for a Gaussian model: see
            :func:`gmvae.data.scales.choice.choose_scale`.
        device: Device of the batches.
        name: Name of the data in messages.
        seed: Seed of the order.
        scaling: The scaling of an earlier fit that this one continues.
        writes: Whether this process writes the rows, and not another one on the same machine.
        ready: Called once they are written; returns when all processes have called it.

    Returns:
        The sample in memory, in the units of the data, with its labels; and the observations.

    Raises:
        ValueError: if the values do not suit the likelihood, or the disk does not have enough room.
    """
    width = math.prod(schema.y_shape)
    survey = StreamSurvey.of(blocks, width, name)
    image: tuple[int, ...] | None = schema.y_shape if len(schema.y_shape) == 3 else None
    dtype = np.dtype(np.uint8 if survey.levels else np.float64)
    likelihood, reason, given, image = choose(survey.moments, dtype, likelihood, image, name, scale)
    scaled = Scaled(scaling or given or dividing(width), survey.moments)
    oddities = Oddities(survey.rows, survey.rows, width, names=schema.features)
    measure = partial(_measure, blocks, width)
    if scaling is not None:
        scaled = Scaled(scaling, survey.moments if scaling.affine else measure(scaling))
    elif given is None:
        rows = survey.sample.rows
        traits, every = Traits.of(rows, np.ones(len(rows))), image is not None
        scaled = choose_scale(scale, traits, survey.moments, measure, every=every, name=name)
        oddities = oddities.of_columns(scaled.heavy, traits.rare)
    suited = scaled.scaling
    y_shape = image or (len(suited.kept),)
    levels = survey.levels and suited.of_levels
    kept = [(math.prod(y_shape), np.uint8 if levels else np.float32), (1, np.int32)]
    if writes:
        size = survey.rows * sum(count * np.dtype(kind).itemsize for count, kind in kept)
        shuffle(_encoded(blocks, survey, suited, levels), folder, size, seed)
    ready()
    stored, labels = (ShuffledRows(folder / f"{i}.rows", *kind) for i, kind in enumerate(kept))
    if stored.shape[0] != survey.rows:
        raise ValueError(
            f"{name} had {survey.rows} rows, then {stored.shape[0]}: it is read twice and must give the same "
            "rows"
        )
    streamed = Streamed(stored, y_shape, device)
    at_hand = streamed.at_hand
    values: Any = at_hand.source
    y = values if levels else suited.undo(values.astype(np.float64))
    known = labels[: len(y)][:, 0].astype(np.int64) if survey.classes else None
    features = schema.features or tuple(map(str, range(width)))
    origin = Origin(schema, survey.names, counting=tuple(features[column] for column in survey.counting))
    data = Dataset(name, y.reshape(-1, *schema.y_shape), known, origin=origin, rows=survey.rows)
    return data, Prepared(
        streamed, at_hand, suited, likelihood, reason, survey.moments.binary, edges(suited, scaled.moments),
        constants(suited, survey.moments, scaled.moments), survey.fingerprint, True, scaled.reason,
        oddities if image is None else NOTHING_ODD,
    )  # fmt: skip


def _measure(blocks: Blocks, width: int, scaling: Scaling) -> Moments:
    """The moments of the columns after a scaling's map g, from another pass over the stream."""
    moments = Moments(width)
    for block in blocks():
        moments.add(scaling.shape(block.y.reshape(len(block.y), -1).astype(np.float64, copy=False)))
    return moments


def _encoded(
    blocks: Blocks, survey: StreamSurvey, scaling: Scaling, levels: bool
) -> Iterator[tuple[NDArray[Any], NDArray[np.int32]]]:
    """The rows in the model's unit, and the numbers of their labels."""
    for block in blocks():
        y = block.y.reshape(len(block.y), -1)
        labels = [-1] * len(y) if block.labels is None else plain(block.labels)
        numbers = np.array([survey.classes.get(label, -1) for label in labels], np.int32)
        yield (y if levels else scaling.rounded(y.astype(np.float64, copy=False))), numbers[:, None]
