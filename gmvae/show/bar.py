"""The observer that shows the progress of a fit as a bar in a notebook, and the choice of an observer by
``verbose``."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from gmvae.assess.moment import Moment
from gmvae.fit.observer import Fit, Observer, restarts
from gmvae.fit.result import Result
from gmvae.fit.state import Record
from gmvae.show.lines import Lines

LONG = 1.0
"""Seconds after which a bar appears by itself."""
EVERY = 0.2
"""Minimum seconds between two updates of the bar."""
STAGES = {
    "clusters": "choosing the number of clusters",
    "length": "choosing the number of epochs",
    "stability": "starts from other samples",
}


@contextmanager
def followed(verbose: int | str) -> Iterator[tuple[Observer, ...]]:
    """The observers that show the progress of a fit: for 1 a bar in a notebook and lines elsewhere, for 2
    lines, for 0 none. For ``"auto"`` they are a bar in a notebook, for fits that take a second or more, and
    none elsewhere. If the ``with`` block is left by an error or an interruption, the bar says so."""
    observers = _observers(verbose)
    try:
        yield observers
    except BaseException:
        for bar in observers:
            if isinstance(bar, Bar):
                bar.stopped()
        raise


def _observers(verbose: int | str) -> tuple[Observer, ...]:
    if verbose == "auto":
        return (Bar(LONG),) if in_notebook() else ()
    if not verbose:
        return ()
    return (Bar(),) if verbose == 1 and in_notebook() else (Lines(int(verbose)),)


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class Bar(Observer):
    """A bar that fills once for each stage of a fit, with the name of the stage. At the end it shows the
    result.

    Arguments:
        wait: Seconds after which the bar appears. A shorter fit has none: many of them, as in a search, would
            fill the page.
    """

    def __init__(self, wait: float = 0.0) -> None:
        self.wait = wait
        self._display: Any = None

    def begin(self, fit: Fit) -> None:
        self.fit, self._began, self._said = fit, time.monotonic(), ""
        self._shown, self._display, self._last = -math.inf, None, ("", 0.0)
        self._show("", 0)

    def progress(self, stage: str, done: float) -> None:
        which = f"{restarts(self.fit)}, " if len(self.fit.seeds) > 1 else ""
        if stage == "epochs":
            before, epochs = self.fit.epochs_before, self.fit.epochs
            done, epochs = done - before, epochs - before
            self._show(f"{which}epoch {int(done)} of {epochs}{self._said}", done / epochs)
        else:
            self._show(which + "start" if stage == "start" else STAGES.get(stage, stage), done)

    def epoch(self, record: Record, moment: Moment) -> None:  # noqa: ARG002
        self._said = f", loss {record['loss']:.4g}"

    def finished(self, result: Result) -> None:
        used, count = result.clusters_used, result.config.model.clusters
        findings = "; ".join(map(str, result.findings)) or "nothing is wrong"
        self._show(f"{used} of {count} clusters in use; {findings}", 1, at_once=True)

    def stopped(self) -> None:
        """Say that the fit did not come to its end, if there is a bar."""
        if self._display is not None:
            text, done = self._last
            self._show(f"stopped, {text}" if text else "stopped", done, at_once=True)

    def _show(self, text: str, done: float, *, at_once: bool = False) -> None:
        now, self._last = time.monotonic(), (text, done)
        if now - self._began < self.wait or not (at_once or now - self._shown >= EVERY):
            return
        from IPython.display import HTML, display

        self._shown, shown = now, HTML(picture(f"GMVAE: {text}" if text else "GMVAE", done))
        if self._display is None:
            self._display = display(shown, display_id=True)
        else:
            self._display.update(shown)


def picture(text: str, done: float) -> str:
    """A bar and a text as HTML."""
    bar = f"<progress value='{done:.3f}' max='1' style='width:16em'>{done:.0%}</progress>"
    return f"<div>{bar} {escape(text)}</div>"
