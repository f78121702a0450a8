"""The report of a fitted estimator on some rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from gmvae.assess.contrast import contrast
from gmvae.assess.plane import planes
from gmvae.assess.portrait import portrait
from gmvae.data.chunks import dense
from gmvae.data.files.labels import codes, plain
from gmvae.data.observations import Observations
from gmvae.estimator.parts import draw
from gmvae.estimator.stored import Stored
from gmvae.model import inference
from gmvae.model.answers import precise
from gmvae.model.isolation import isolated
from gmvae.store.files import versions
from gmvae.store.tables import check_ending
from gmvae.training.random import RandomStream

if TYPE_CHECKING:
    import pyarrow as pa

    from gmvae.show.content import Content

ROWS = 60_000
"""Maximum number of rows in a report, evenly spaced."""
MAPPED = 1_000
"""Maximum number of rows on the map in a notebook, evenly spaced."""
MAPPED_AT_ONCE = 40_000
"""Maximum count of numbers of these rows in memory at once."""
NUMBERS = 50_000_000
"""Maximum count of numbers of a table in memory for a report: very wide tables are shown with fewer rows."""


@dataclass(frozen=True)
class Context:
    """What a report shows besides the model and the rows.

    Arguments:
        title: Name of the fit.
        data: Name of its data.
        ids: Names of the rows, (N,).
        labels: Their true classes, (N,), unknown below 0.
        classes: Names of the classes, from label 0 on.
        history: Records of epochs.
        repeat: Commands that repeat the fit.
        facts: JSON values that replace those of the model, or are added to them.
    """

    title: str = "GMVAE"
    data: str = ""
    ids: Sequence[str] | None = None
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    history: Sequence[Mapping[str, Any]] = ()
    repeat: Sequence[str] = ()
    facts: Mapping[str, Any] | None = None


class Reported(Stored):
    """The part of the estimator that explains a fit."""

    history_: list[dict[str, Any]]
    elbo_: float
    n_iter_: int
    likelihood_reason_: str
    n_clusters_used_: int
    start_: dict[str, Any] | None
    _map: tuple[NDArray[Any], NDArray[np.int64]] | None = None
    """Means of x of some rows that the model was fitted to, and their clusters, for notebooks."""

    def report(self, X: Any, path: str | Path, labels: ArrayLike | None = None) -> None:
        """Write a report on rows of X into one HTML file that works offline: a map, a description of each
        cluster, similar clusters, outliers, curves, the doctor's findings, and how to repeat the fit.

        Arguments:
            X: Rows like those of the fit, (N, D); at most 60,000, evenly spaced, are shown.
            path: The file to write, ``.html``.
            labels: True classes of the rows, (N,), numbers or strings, to compare clusters with.

        Raises:
            ValueError: if X does not suit the model, or there are not as many labels as rows.
            OSError: if the file cannot be written.
        """
        explain(self, X, Path(path), self._context(labels))

    def snapshot(self, X: Any, labels: ArrayLike | None = None) -> Content:
        """The fit and rows of X as arrays, for reports and for the figures of :mod:`gmvae.show.portraits`.

        Arguments:
            X: Rows like those of the fit, (N, D); at most 60,000, evenly spaced, are used.
            labels: True classes of the rows, (N,), numbers or strings.

        Raises:
            ValueError: if X does not suit the model, or there are not as many labels as rows.
        """
        return content_of(self, X, self._context(labels))

    def _take_map(self, rows: Observations) -> None:
        """Keep some of the fitted rows for the map in notebooks."""
        exact, at_once = precise(self.model_), max(1, MAPPED_AT_ONCE // math.prod(rows.y_shape))
        parts = [
            (inference.embed(exact, y), inference.assign(exact, y).argmax(1))
            for y in rows.spaced(MAPPED).batches(at_once)
        ]
        x, clusters = map(np.concatenate, zip(*parts, strict=True))
        self._map = x, clusters

    def _html_repr(self) -> str:
        """The HTML that a notebook shows: the result, and the parameters as in scikit-learn."""
        shown: str = super()._html_repr()
        if not hasattr(self, "model_"):
            return shown
        start = self.start_ or {}
        by = start.get("chosen") or start.get("init")
        said = f"{self.n_clusters_used_} of {self.n_clusters_} clusters in use"
        said += f", started from {by}" if by not in (None, "random") else ""
        said += f"; bound {self.elbo_:.2f} nats per row after {self.n_iter_} epochs."
        edits, size, stability = self.relabelled_, len(self.weights_), self.cluster_stability_
        shares, names = edits.shares(self.weights_), edits.called(size)
        if stability is not None:
            stability = stability[edits.components(size)]
        points = self._map
        if points is not None:
            points = points[0], edits.applied(np.eye(size)[points[1]], points[0]).argmax(1)
        from gmvae.show.notebook import notebook_html  # matplotlib takes half a second to import

        return notebook_html(said, shares, names, stability, self.findings_, points) + shown

    @isolated
    def describe(self, X: Any) -> pa.Table:
        r"""Describe each cluster by the columns that distinguish it in rows of X, (N, D), as an Arrow table
        (``.to_pandas()``). Each cluster has a row for each column, the most distinctive first.

        The table has the columns ``cluster``, ``name`` (if clusters have names), ``rows``, ``probability``
        (the mean over these rows) and, for each ``column``, the ``mean`` and ``deviation`` within the
        cluster, the mean of the ``rest`` of the rows, and the standardised ``difference`` :math:`(\mu_k -
        \mu_{\bar k}) / \sqrt{(\sigma_k^2 + \sigma_{\bar k}^2) / 2}`
        (:class:`gmvae.assess.contrast.Contrast`).

        Raises:
            ValueError: if X does not suit the model.
        """
        import pyarrow as pa

        rows, q = self._rows(X), self.predict_proba(X)
        clusters, size = q.argmax(1), q.shape[1]
        y = dense(rows.source[rows.order])
        schema = self.schema_ or self._schema(self._y_shape)
        columns = np.array(schema.features or [f"y{d}" for d in range(y.shape[1])], dtype=object)
        found, names = contrast(y, clusters, size), self.relabelled_.called(len(self.weights_))
        parts: dict[str, list[Any]] = {}
        for k in np.flatnonzero(np.bincount(clusters, minlength=size)).tolist():
            own, order = clusters == k, np.argsort(-np.abs(found.difference[k]), kind="stable")
            name = {"name": np.full(len(order), names.get(k, ""), dtype=object)} if names else {}
            each = {
                "cluster": np.full(len(order), k),
                **name,
                "rows": np.full(len(order), own.sum()),
                "probability": np.full(len(order), q[own, k].mean()),
                "column": columns[order],
                "mean": found.mean[k][order],
                "deviation": found.deviation[k][order],
                "rest": found.rest[k][order],
                "difference": found.difference[k][order],
            }
            for name_of, values in each.items():
                parts.setdefault(name_of, []).append(values)
        return pa.table({name_of: pa.array(np.concatenate(values)) for name_of, values in parts.items()})

    def _context(self, labels: ArrayLike | None) -> Context:
        check_is_fitted(self)
        given = ", ".join(f"{k}={v!r}" for k, v in self._parameters.items() if v != usual(self).get(k))
        context = Context(data="X", history=self.history_ or (), repeat=[f"GMVAE({given}).fit(X)"])
        if labels is not None:
            found, classes = codes(plain(labels))
            context = replace(context, labels=found, classes=classes)
        return context


def usual(model: BaseEstimator) -> dict[str, Any]:
    """The default parameters of an estimator of this kind."""
    return dict(type(model)().get_params())


def explain(model: Reported, X: Any, path: Path, context: Context) -> None:
    """Write the report of a fitted estimator on rows of its kind, (N, D).

    Raises:
        ValueError: if there are not as many labels as rows, or the file's name has another ending.
        OSError: if the file cannot be written.
    """
    from gmvae.show.report.page import write  # Bokeh takes a second to import, so only when needed

    check_ending(path, (".html",))
    write(content_of(model, X, context), path)


def content_of(model: Reported, X: Any, context: Context) -> Content:
    """The content of the report of a fitted estimator."""
    from gmvae.show.content import Content

    rows = model._rows(X)
    total = len(rows.order)
    labels, ids = context.labels, context.ids
    if labels is not None and len(labels) != total:
        raise ValueError(f"there are {len(labels):,} labels for {total:,} rows: there must be one for each")
    width, images = len(model._scaling.mean), len(model.model_.y_shape) == 3
    rows = rows.spaced(ROWS if images else max(1, min(ROWS, NUMBERS // width)))
    numbers = rows.order
    with model._threads():
        shown = portrait(model.model_, rows)
        maps = planes(shown.x)

    def undone(y: NDArray[Any]) -> NDArray[Any]:
        flat = model._scaling.undo(y.reshape(-1, y.shape[-1]).astype(np.float64))
        return flat.reshape(*y.shape[:-1], -1)

    schema, sure = model.schema_ or model._schema(model._y_shape), model._confidence
    edits, learned = model.relabelled_, len(model.weights_)
    values = rows.source[numbers]
    return Content(
        title=context.title,
        portrait=replace(
            shown,
            probabilities=edits.applied(shown.probabilities, shown.x),
            density=shown.density + model._log_dets(rows),
            samples=edits.mixed(undone(_drawn(model, shown.samples))),
            styles=undone(shown.styles)[:, edits.components(learned)],
        ),
        maps=maps,
        y=values if images and isinstance(values, np.ndarray) else dense(values),
        y_shape=model.model_.y_shape if images else (width,),
        features=tuple(schema.features) or tuple(f"y{d}" for d in range(width)),
        categories=schema.categories,
        numbers=numbers,
        total=total,
        ids=None if ids is None else [str(ids[i]) for i in numbers],
        labels=None if labels is None else np.asarray(labels)[numbers],
        classes=context.classes,
        history=context.history,
        facts=_facts(model) | {"data": context.data} | dict(context.facts or {}),
        repeat=context.repeat,
        stability=None if sure is None else sure(shown.probabilities.astype(np.float64)),
        names=edits.called(learned),
        merged=edits.groups(learned).tolist(),
        split=edits.split,
        single=edits.single(shown.probabilities, shown.x) if edits.merge else None,
    )


def _drawn(model: Reported, samples: NDArray[Any]) -> NDArray[Any]:
    """Samples of clusters, (K, S, size of y); those of split clusters are drawn again, from each part."""
    edits, learned, size = model.relabelled_, len(model.weights_), samples.shape[1]
    if not edits.split:
        return samples
    found = samples[edits.components(learned)]
    parts = np.array(sorted({one.cluster for one in edits.split} | {*range(learned, len(found))}))
    zero = model.model_.generative.zero
    with model._threads(), inference.evaluating(model.model_):
        drawn = draw(
            model.model_,
            edits,
            parts.repeat(size),
            RandomStream(0, zero.device),
            lambda x: model.model_.generative.p_y(x).mean,
        )
    found[parts] = drawn.cpu().numpy().reshape(len(parts), size, -1)
    return found


def _facts(model: Reported) -> dict[str, Any]:
    known = {name: getattr(model, f"{name}_", None) for name in ("start", "choice", "holdout", "restarts")}
    return known | {
        "findings": [asdict(finding) for finding in model.findings_],
        "parameters": model._parameters,
        "sha256": model._fingerprint,
        "elbo": model.elbo_,
        "epochs": model.n_iter_,
        "likelihood": f"{model.likelihood_}: {model.likelihood_reason_}",
        "scale": getattr(model, "scale_reason_", "") or "",
        "versions": versions(),
    }
