"""Figures for print of what a fitted model generates, and of the course of its fit, from the result of
:meth:`gmvae.GMVAE.snapshot`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gmvae.assess.snapshot import STEPS
from gmvae.show import figures
from gmvae.show.content import Content
from gmvae.show.report.pictures import shades

COLUMNS = 20
"""Maximum number of columns of a table in a figure."""


def samples(content: Content) -> Figure:
    """Draw what each cluster generates, means of p(y | x) at samples of w and x: images in rows or, for a
    table, the means of columns, in standard deviations from the mean of the data."""
    return _panels(content, content.portrait.samples[None], ["what each cluster generates"])


def styles(content: Content) -> Figure:
    """Draw the effect of w within each cluster: the same at the mean of p(x | w, z). One number of w goes
    from -3 to 3 and the others are 0, for the two numbers with the greatest effect. For a table it shows how
    far the columns move from one end to the other."""
    ends = f"one number of w from {STEPS[0]:g} to {STEPS[-1]:g}"
    moved = content.portrait.styles
    if not content.of_images:
        moved = (moved[:, :, -1] - moved[:, :, 0] + content.y.mean(0))[:, :, None]
    return _panels(content, moved, [ends, "another one"])


def bound(content: Content) -> Figure:
    """Draw the lower bound by epoch, on held-out and training data (:func:`gmvae.show.figures.bound`)."""
    return figures.bound(_history(content))


def terms(content: Content) -> Figure:
    """Draw the divergences of the bound, and the consistency violation, by epoch."""
    return figures.terms(_history(content))


def stability(content: Content) -> Figure:
    """Draw the stability of each number of clusters that was tried (:func:`gmvae.show.figures.stability`).

    Raises:
        ValueError: if the number was given.
    """
    choice = content.facts.get("choice")
    if choice is None:
        raise ValueError("the number of clusters was given: stability shows how one was chosen")
    return figures.stability(choice)


def _history(content: Content) -> list[dict[str, Any]]:
    if not content.history:
        raise ValueError("there are no records of epochs: a model file has none, so draw it from the fit")
    return [dict(record) for record in content.history]


def _panels(content: Content, y: NDArray[Any], titles: Sequence[str]) -> Figure:
    """Panels of y of shape (panels, K, columns, size of y) side by side: a row for each cluster in use."""
    shown, count = y[:, content.used], len(titles)
    if content.of_images:
        _, height, width = content.y_shape
        wide = shown.shape[2] * width / (len(content.used) * height)
        figure = Figure(figsize=(1 + count * float(np.clip(4 * wide, 3, 7)), 4.8), layout="constrained")
    else:
        order = np.argsort(-abs(_standardised(content, shown)).max((0, 1)), kind="stable")[:COLUMNS]
        size = (1.5 + count * max(3.0, 0.35 * len(order)), 2.2 + 0.4 * len(content.used))
        figure = Figure(figsize=size, layout="constrained")
    for axes, title, part in zip(figure.subplots(1, count, squeeze=False)[0], titles, shown, strict=True):
        axes.set_title(title)
        if content.of_images:
            _pictures(axes, part, content.y_shape)
        else:
            image = axes.imshow(
                _standardised(content, part)[:, order], cmap="PuOr", vmin=-2, vmax=2, aspect="auto"
            )
            axes.set_xticks(range(len(order)), [content.features[d] for d in order], rotation=60, ha="right")
            axes.set_yticks(range(len(content.used)))
        axes.set_yticklabels([content.called(k) for k in content.used])
        axes.set_ylabel("cluster")
        axes.tick_params(length=0)
    if not content.of_images:
        figure.colorbar(image, ax=figure.axes, label="standard deviations", extend="both")
    return figure


def _standardised(content: Content, y: NDArray[Any]) -> NDArray[Any]:
    """Means over the columns of y of shape (..., columns, size of y), in standard deviations of the data from
    their mean."""
    spread = np.where(content.y.std(0) > 0, content.y.std(0), 1)
    found: NDArray[Any] = (y.mean(-2) - content.y.mean(0)) / spread
    return found


def _pictures(axes: Axes, y: NDArray[Any], y_shape: tuple[int, ...]) -> None:
    """Draw images of shape (rows, columns, size of y) as one."""
    height = y_shape[1]
    rows = [np.concatenate(list(shades(line, y_shape)), 1) for line in y]
    axes.imshow(np.concatenate(rows), interpolation="nearest")
    axes.set(xticks=[], yticks=(np.arange(len(y)) + 0.5) * height - 0.5)
