"""From a stream of blocks to observations: one pass for what is to be known of them, one to shuffle them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gmvae.data.dataset import Dataset, Origin
from gmvae.data.files.base import Block
from gmvae.data.files.labels import codes, plain
from gmvae.data.prepare import Prepared
from gmvae.data.scaling import Floats, Moments, Scaling, choose, dividing
from gmvae.data.schema import Schema
from gmvae.data.shuffled import ShuffledRows, shuffle
from gmvae.data.streamed import Streamed

Blocks = Callable[[], Iterator[Block]]
"""Begins a stream anew: what it gives is read twice, and must be the same both times."""


@dataclass(frozen=True)
class StreamSurvey:
    """What one pass over a stream finds."""

    moments: Moments
    rows: int
    levels: bool
    """Whether they are levels of uint8."""
    classes: dict[Any, int]
    """The number of each label, as the stream has it."""
    names: tuple[str, ...]
    """What these are called."""
    fingerprint: str

    @classmethod
    def of(cls, blocks: Blocks, width: int, name: str) -> StreamSurvey:
        """Go through a stream of rows of so many numbers.

        Raises:
            ValueError: where it is empty, or a number is not finite.
        """
        moments, rows, labels, levels = Moments(width), 0, set[Any](), True
        digest = hashlib.sha256()
        for block in blocks():
            y = block.y.reshape(len(block.y), -1)
            _check(y, width, rows, name)
            levels &= y.dtype == np.uint8
            moments.add(y.astype(np.float64, copy=False))
            digest.update(np.ascontiguousarray(y).data)
            rows += len(y)
            if block.labels is not None:
                labels |= set(plain(block.labels))
        if rows < 2:
            raise ValueError(f"{name} has {rows} rows: it must have at least two")
        found = list(labels)
        numbers, names = codes(found)
        places = {} if numbers is None else dict(zip(found, numbers.tolist(), strict=True))
        return cls(moments, rows, levels, places, names, digest.hexdigest())


def _check(y: NDArray[Any], width: int, before: int, name: str) -> None:
    if y.shape[1] != width:
        raise ValueError(f"{name} has {y.shape[1]} numbers in row {before}, and {width} in the first")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        row = before + int((~np.isfinite(y)).any(1).argmax())
        raise ValueError(f"{name} has a missing or infinite number in row {row}, counted from 0: fill it")


def prepare_stream(
    blocks: Blocks,
    schema: Schema,
    folder: Path,
    *,
    likelihood: str = "auto",
    standardise: bool = True,
    device: torch.device,
    name: str,
    seed: int = 0,
    scaling: Scaling | None = None,
    writes: bool = True,
    ready: Callable[[], object] = lambda: None,
) -> tuple[Dataset, Prepared]:
    """A stream as observations, of which a sample is in memory.

    Arguments:
        blocks: Begins the stream anew.
        schema: What a row is.
        folder: Where the shuffled rows go, float32 or uint8 each number.
        likelihood: The likelihood that is asked for, or ``"auto"``.
        standardise: Whether columns are brought to mean 0 and standard deviation 1 for a Gaussian.
        device: Where batches are wanted.
        name: What messages call the data.
        seed: Where the order comes from.
        scaling: The scaling of an earlier fit that this one goes on with.
        writes: Whether this process writes the rows; another one on the same machine does otherwise.
        ready: Called once they are written: returns when all processes are there.

    Returns:
        The rows at hand, in the units of the data, with their labels; and the observations.

    Raises:
        ValueError: where the values do not suit the likelihood, or the disk has no room.
    """
    width = math.prod(schema.y_shape)
    survey = StreamSurvey.of(blocks, width, name)
    image = schema.y_shape if len(schema.y_shape) == 3 else None
    dtype = np.dtype(np.uint8 if survey.levels else np.float64)
    likelihood, reason, suited, y_shape = choose(survey.moments, dtype, likelihood, image, name)
    if likelihood == "gaussian" and not standardise:
        suited, y_shape = dividing(width), image or (width,)
        survey.moments.check_digits(name)
    if scaling is not None:
        suited, y_shape = scaling, image or (len(scaling.kept),)
    levels = survey.levels and suited.of_levels
    kept = [(math.prod(y_shape), np.uint8 if levels else np.float32), (1, np.int32)]
    if writes:
        size = survey.rows * sum(count * np.dtype(kind).itemsize for count, kind in kept)
        shuffle(_encoded(blocks, survey, suited, levels), folder, size, seed)
    ready()
    rows, labels = (ShuffledRows(folder / f"{i}.rows", *kind) for i, kind in enumerate(kept))
    if rows.shape[0] != survey.rows:
        raise ValueError(f"{name} had {survey.rows} rows, then {rows.shape[0]}: a stream is read twice")
    streamed = Streamed(rows, y_shape, device)
    at_hand = streamed.at_hand
    values: Any = at_hand.source
    y = values if levels else suited.undo(values.astype(np.float64))
    known = labels[: len(y)][:, 0].astype(np.int64) if survey.classes else None
    data = Dataset(
        name, y.reshape(-1, *schema.y_shape), known, origin=Origin(schema, survey.names), rows=survey.rows
    )
    return data, Prepared(
        streamed, at_hand, suited, likelihood, reason, survey.moments.binary, _edges(survey, suited),
        _constants(survey.moments), survey.fingerprint, own=True,
    )  # fmt: skip


def _encoded(
    blocks: Blocks, survey: StreamSurvey, scaling: Scaling, levels: bool
) -> Iterator[tuple[NDArray[Any], NDArray[np.int32]]]:
    """The rows in the model's unit, and the numbers of their labels."""
    for block in blocks():
        y = block.y.reshape(len(block.y), -1)
        labels = [-1] * len(y) if block.labels is None else plain(block.labels)
        numbers = np.array([survey.classes.get(label, -1) for label in labels], np.int32)
        yield (y if levels else scaling.rounded(y.astype(np.float64, copy=False))), numbers[:, None]


def _edges(survey: StreamSurvey, scaling: Scaling) -> tuple[Floats, Floats]:
    ends = np.stack((survey.moments.minimum, survey.moments.maximum))
    low, high = scaling.rounded(ends).astype(np.float64)
    return low, high


def _constants(moments: Moments) -> dict[int, float]:
    same = moments.constant
    return dict(zip(np.flatnonzero(same).tolist(), moments.minimum[same].tolist(), strict=True))
