"""Fit to rows that come in batches, which can be more than fit into memory."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import torch

from gmvae.config import Config
from gmvae.data.iterables import blocks_of
from gmvae.data.schema import Schema
from gmvae.data.stream import prepare_stream
from gmvae.estimator.intake import warn_of_counting
from gmvae.fit.engine import Engine
from gmvae.fit.result import Result
from gmvae.show.bar import followed


def fit_stream(
    given: Any,
    config: Config,
    image_shape: tuple[int, ...] | None,
    device: torch.device,
    verbose: int | str,
    scale: str,
) -> tuple[Result, int]:
    """Fit to a torch dataset, or to an iterable of batches; return the result, and the count of numbers in a
    row.

    Arguments:
        given: The rows (:func:`gmvae.data.iterables.blocks_of`).
        config: The configuration.
        image_shape: (height, width) or (channels, height, width) of rows that are images.
        device: The device.
        verbose: As the estimator's.
        scale: As the estimator's.

    Raises:
        ValueError: if the rows are not valid, or the disk does not have enough room for them.
    """
    blocks, shape = blocks_of(given)
    if image_shape is not None:
        shape = (1, *image_shape) if len(image_shape) == 2 else tuple(image_shape)
    with followed(verbose) as observers, tempfile.TemporaryDirectory(prefix="gmvae-rows-") as folder:
        rows, data = prepare_stream(
            blocks,
            Schema(shape),
            Path(folder),
            likelihood=config.model.likelihood,
            scale=scale,
            device=device,
            name="X",
            seed=config.training.seed,
        )
        if rows.origin is not None:
            warn_of_counting(rows.origin.counting)
        return Engine(config, data, observers).fit(), math.prod(shape)
