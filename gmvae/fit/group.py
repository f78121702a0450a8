"""Restarts side by side."""

from __future__ import annotations

from collections.abc import Iterator

from gmvae.fit.restart import Restart
from gmvae.fit.state import Record
from gmvae.progress import Progress
from gmvae.training.together import Together


def side_by_side(restarts: list[Restart], progress: Progress = lambda _: None) -> Iterator[Record]:
    """Train restarts until the last epoch of each is done, as each would be alone, but for rounding. Those
    that are in the same epoch make it together.

    Arguments:
        restarts: The restarts.
        progress: Called after each step with the number of epochs that the first restart has done, or the
            first of those that are not done.

    Yields:
        The record of each epoch of the first restart. All others have had that epoch too, if they were as far
        as the first.
    """
    together, first = Together(), restarts[0]

    def heard(done: float) -> None:
        if first.over:
            progress(done)

    records = {one: one.epochs(progress if one is first else heard) for one in restarts}
    try:
        while going := [one for one in restarts if not one.over]:
            together.epoch([(one.trainer, one.fitted) for one in going], progress)
            for one in (*going[1:], going[0]):
                record = next(records[one])
            if going[0] is first:
                yield record
    finally:
        together.close()
