"""Figures for print of what a fitted model generates, and of the course of its fit, from the result of
:meth:`gmvae.GMVAE.snapshot`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gmvae.assess.shown import STEPS
from gmvae.show import epochs
from gmvae.show.content import Content
from gmvae.show.figures import MOVED, UNIT
from gmvae.show.heat import heat, moved, scaled
from gmvae.show.naming import short
from gmvae.show.report.pictures import shades
from gmvae.show.tiles import rows_of_images

Array = NDArray[Any]


def samples(content: Content) -> Figure:
    """Draw what each cluster generates, means of p(y | x) at samples of w and x: images in rows or, for a
    table, the means of columns, in standard deviations from the mean of the data."""
    title, y = "what each cluster generates", content.portrait.samples[content.used]
    if content.of_images:
        return pictures(content, content.used, y[None], [title])
    return _heat(content, scaled(y.mean(-2), content.y)[None], [title], UNIT)


def styles(content: Content) -> Figure:
    """Draw the effect of w within each cluster: the same at the mean of p(x | w, z). One number of w goes
    from -3 to 3 and the others are 0, for the two numbers with the greatest effect. For a table it shows how
    far the columns move from one end to the other."""
    titles = [f"one number of w from {STEPS[0]:g} to {STEPS[-1]:g}", "another number of w"]
    y = content.portrait.styles[:, content.used]
    if content.of_images:
        return pictures(content, content.used, y, titles)
    return _heat(content, moved(y, content.y), titles, MOVED)


def bound(content: Content) -> Figure:
    """Draw the lower bound by epoch, on held-out and training data (:func:`gmvae.show.epochs.bound`)."""
    return epochs.bound(_history(content))


def terms(content: Content) -> Figure:
    """Draw the divergences of the bound, and the consistency violation, by epoch."""
    return epochs.terms(_history(content))


def curves(content: Content) -> Figure:
    """Draw the course of the fit by epoch (:func:`gmvae.show.epochs.curves`)."""
    return epochs.curves(_history(content))


def pictures(content: Content, clusters: Sequence[int], y: Array, titles: Sequence[str]) -> Figure:
    """Draw panels of images, (panels, clusters, columns, size of y), in the units of the data: a row for each
    cluster. Images that are not numbers are left empty."""
    whole, (_, height, width) = y.reshape(-1, y.shape[-1]), content.y_shape
    there = np.isfinite(whole).all(1)
    shown = np.ones((len(whole), 3, height, width))
    shown[there] = shades(whole[there], content.y_shape).transpose(0, 3, 1, 2) / 255
    names = [short(content.called(k)) for k in clusters]
    return rows_of_images(shown.reshape(*y.shape[:3], -1), (3, height, width), names, titles)


def _heat(content: Content, values: Array, titles: Sequence[str], label: str) -> Figure:
    names = [short(content.called(k)) for k in content.used]
    return heat(values, content.features, names, titles, label, 2.0)


def _history(content: Content) -> Sequence[Mapping[str, Any]]:
    if not content.history:
        raise ValueError("there are no records of epochs: a model file has none, so draw it from the fit")
    return content.history
