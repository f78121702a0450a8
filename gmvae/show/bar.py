"""The observer that shows the progress of a fit as a bar in a notebook, and the choice of an observer by
``verbose``."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import Any

from gmvae.assess.moment import Moment
from gmvae.fit.observer import Fit, Observer
from gmvae.fit.result import Result
from gmvae.fit.state import Record
from gmvae.show.lines import Lines

EVERY = 0.2
"""Minimum seconds between two updates of the bar."""
STAGES = {
    "clusters": "choosing the number of clusters",
    "length": "choosing the number of epochs",
    "stability": "starts from other samples",
}


def followed(verbose: int) -> tuple[Observer, ...]:
    """The observers that show the progress of a fit: for 1 a bar in a notebook and lines elsewhere, for 2
    lines, for 0 none."""
    if not verbose:
        return ()
    return (Bar(),) if verbose == 1 and in_notebook() else (Lines(verbose),)


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class Bar(Observer):
    """A bar that fills once for each stage of a fit, with the name of the stage. At the end it shows the
    result."""

    def begin(self, fit: Fit) -> None:
        from IPython.display import HTML, display

        self.fit, self._html, self._shown = fit, HTML, time.monotonic()
        self._said = ""
        self._display: Any = display(HTML(picture("GMVAE", 0)), display_id=True)

    def progress(self, stage: str, done: float) -> None:
        many, number = len(self.fit.seeds), self.fit.restart
        which = f"restart {number} of {many}, " if many > 1 else ""
        if stage == "epochs":
            before, epochs = self.fit.epochs_before, self.fit.config.training.epochs
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

    def _show(self, text: str, done: float, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._shown >= EVERY:
            self._shown = now
            self._display.update(self._html(picture(f"GMVAE: {text}", done)))


def picture(text: str, done: float) -> str:
    """A bar and a text as HTML."""
    bar = f"<progress value='{done:.3f}' max='1' style='width:16em'>{done:.0%}</progress>"
    return f"<div>{bar} {escape(text)}</div>"
