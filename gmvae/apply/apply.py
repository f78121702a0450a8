"""Apply a fitted model to files: rows are read piece by piece, and results are written as they are
computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmvae.assess.diagnostics import Examination
from gmvae.config import Config
from gmvae.data.files.base import Block, Source, same
from gmvae.data.files.columns import check_names
from gmvae.data.files.labels import Labels, codes, plain
from gmvae.data.files.loaded import Loaded
from gmvae.data.files.open import open_source, reads
from gmvae.data.schema import ReadOptions, Schema
from gmvae.inputs import read
from gmvae.model.answers import AT_ONCE, precise
from gmvae.model.inference import agreement, bits_per_dimension, log_likelihood
from gmvae.show.figures import drawn
from gmvae.store.files import write_whole
from gmvae.store.model_file import find
from gmvae.store.run_folder import RunFolder
from gmvae.store.tables import ENDINGS, check_ending, write_array, write_table

if TYPE_CHECKING:
    import pyarrow as pa

    from gmvae.estimator.gmvae import GMVAE

Array = NDArray[Any]
ROWS = 1 << 15
"""How many rows are read and processed together."""


def predictions(
    model: GMVAE, source: Source, schema: Schema, *, scores: bool = True
) -> Iterator[pa.RecordBatch]:
    """Yield the predictions for each row: its ``cluster``, the ``probability`` of that cluster, the
    ``log_density`` (the lower bound on log p(y) in nats: the lower, the less like the training data) and
    q(z | ...) of all clusters, ``p0`` and so on.

    The id column comes first, if there is one. With named clusters there is a ``cluster_name``, and with a
    model that was fitted with resamples a ``confidence``.
    """
    names = model.relabelled_.called(len(model.weights_))

    def answer(y: Array) -> dict[str, Array]:
        probabilities = model.predict_proba(y)
        clusters = model.predict(y)
        found: dict[str, Array] = {"cluster": clusters}
        if names:
            found["cluster_name"] = np.array([names.get(k, "") for k in clusters.tolist()], dtype=object)
        found |= {"probability": probabilities.max(1)}
        if model.cluster_stability_ is not None:
            found["confidence"] = model.confidence(y)
        if scores:
            found["log_density"] = model.score_samples(y)
        return found | {f"p{k}": column for k, column in enumerate(probabilities.T)}

    return _each(source, schema, answer)


def describe(model: GMVAE, source: Source, schema: Schema) -> pa.Table:
    """Describe each cluster by the columns that distinguish it in a file (:meth:`gmvae.GMVAE.describe`).

    Raises:
        ValueError: if the file has no rows.
    """
    blocks = [_rows(block) for block in source.blocks(schema, ROWS)]
    if not blocks:
        raise ValueError(f"{source.path} has no rows")
    return model.describe(np.concatenate(blocks))


def embeddings(model: GMVAE, source: Source, schema: Schema) -> Iterator[pa.RecordBatch]:
    """Yield the mean of q(x | y) for each row, ``x0`` and so on, after the id column, if there is one."""

    def answer(y: Array) -> dict[str, Array]:
        return {f"x{d}": column for d, column in enumerate(model.transform(y).T)}

    return _each(source, schema, answer)


def evaluation(
    model: GMVAE, source: Source, schema: Schema, labels: Labels | None = None, samples: int = 0
) -> dict[str, Any]:
    """Measure a model on the rows of a file.

    The result has ``rows``; ``clusters_used``; with labels, ``labelled`` (the number of rows with one) and
    the agreement of clusters with labels; scalar diagnostics; and the bound in nats and, for levels of
    images, in bits per number.

    Arguments:
        model: The model.
        source: The file.
        schema: How it is read.
        labels: Labels of its rows, (N,), unknown below 0, in place of those in the file.
        samples: Samples for an estimate of log p(y); 0 for none.

    Raises:
        ValueError: if there are no rows, or not as many labels.
    """
    exact, found, edited = precise(model.model_), list[Any](), list[Array]()
    examined, sums, rows, levels = Examination(exact), np.zeros(2), 0, False
    for block in source.blocks(schema, ROWS):
        y = _rows(block)
        if not len(y):
            continue
        levels = block.y.dtype == np.uint8
        rows += len(y)
        sums[0] += model.score_samples(y).sum()
        if model.relabelled_:
            edited.append(model.predict_proba(y))
        with model._threads():
            observed = model._rows(y)
            for batch in observed.batches(AT_ONCE):
                examined.add(batch)
                if samples:
                    sums[1] += log_likelihood(exact, batch, samples).sum(dtype=np.float64)
            sums[1] += model._log_dets(observed).sum()
        if block.labels is not None:
            found += plain(block.labels)
    if not rows:
        raise ValueError(f"{source.path} has no rows")
    if labels is None:
        labels = codes(found)[0]
    elif len(labels) != rows:
        raise ValueError(f"there are {len(labels):,} labels for the {rows:,} rows of {source.path}")
    nats, estimate = (sums / rows).tolist()
    measured: dict[str, Any] = {"rows": rows}
    if labels is not None:
        measured["labelled"] = int((labels >= 0).sum())
    probabilities = np.concatenate(edited or examined.probabilities)
    measured |= agreement(probabilities, labels) | examined.diagnostics().scalars()
    measured["elbo"] = nats
    if samples:
        measured["log_likelihood"] = estimate
    if levels and model.likelihood_ == "bernoulli":
        measured["bits_per_dimension"] = bits_per_dimension(exact, nats)
    return measured


def labels_of(run: Path, file: Path | None) -> Path | None:
    """The file of labels of a run, if the run has one and ``file`` is its own data."""
    if not (run / "config.json").is_file():
        return None
    data = RunFolder(run).began()["config"]["data"]
    if data["labels_path"] is None or (file is not None and not same(file, Path(data["path"]))):
        return None
    return Path(data["labels_path"])


def opened(model: GMVAE, run: Path, file: Path | None) -> tuple[Source, Schema]:
    """Open the file to apply a model to, or else the data that its run was trained on; returns the source and
    its schema.

    Raises:
        ValueError: if there is neither.
        OSError: if it cannot be read.
    """
    schema: Schema = model.schema_ or Schema(model.model_.y_shape)
    if file is not None:
        return open_source(file), schema
    began = RunFolder(run).began() if run.is_dir() else None
    if began is None or (
        began["config"]["data"]["dataset"] == "file" and not began["config"]["data"]["path"]
    ):
        raise ValueError(f"{run} does not say where its data are: name a file to apply it to")
    data = Config.from_json(began["config"]).data
    if data.path is not None:
        return open_source(data.path), schema
    return Loaded(read(data, began["data"]["folder"])), schema


def asked(
    source: Source, schema: Schema, *, id_column: str | None = None, label_column: str | None = None
) -> Schema:
    """The schema, with other columns for ids or labels if they are asked for.

    Raises:
        ValueError: if the file does not have these columns.
    """
    options = ReadOptions(id_column=id_column, label_column=label_column)
    if options != ReadOptions():
        check_names(source.path, options, source.names())
    return replace(
        schema,
        id_column=id_column or schema.id_column,
        label_column=label_column or schema.label_column,
    )


def check_out(out: Path, run: Path, source: Source | None = None) -> None:
    """Raise ``ValueError`` if writing a file would overwrite an input, under any path or link: the model, the
    data that it is applied to, or its training data.

    Arguments:
        out: The file to write.
        run: A run folder or a model file.
        source: The data that the model is applied to.
    """
    about = RunFolder(run).began() if (run / "config.json").is_file() else {}
    given = about.get("config", {}).get("data", {})
    trained_on, labels = given.get("path"), given.get("labels_path")
    if (
        same(out, find(run))
        or (source is not None and source.reads(out))
        or (trained_on and reads(trained_on, out))
        or (labels and same(out, Path(labels)))
    ):
        raise ValueError(f"{out} is the model or its data, which would be overwritten: name another file")


def write_samples(model: GMVAE, run: Path, out: Path, count: int, cluster: int | None, seed: int) -> None:
    """Draw new observations, sorted by cluster, and write them as a table of their ``cluster`` and features,
    as an array of images (.npy, shape (count, *y_shape)), or as a picture (.png).

    Raises:
        ValueError: if the file's name has another ending.
    """
    import pyarrow as pa

    check_ending(out, (*ENDINGS, ".png"))
    check_out(out, run)
    y, clusters = model.set_params(random_state=seed).sample(count, cluster)
    order = np.argsort(clusters, kind="stable")
    y, clusters, shape = y[order], clusters[order], model.model_.y_shape
    if out.suffix == ".png":
        if shape[1:] and model._scaling.of_levels:
            y = y / 255
        figure = drawn(y, clusters, shape, len(model.weights_))
        write_whole(out, lambda part: figure.savefig(part, format="png", dpi=120))
    elif out.suffix == ".npy" and len(shape) == 3:
        write_array(out, y.reshape(count, *shape))
    else:
        schema = model.schema_ or Schema((y.shape[1],))
        names = schema.columns or tuple(f"y{d}" for d in range(y.shape[1]))
        if out.suffix == ".npy":
            names = schema.features or names
        if "cluster" in names and out.suffix != ".npy":
            raise ValueError(
                "a feature is called 'cluster', but the samples have a column of that name for their "
                "clusters: write a .npy file, or rename the feature and train again"
            )
        drawn_columns = y.T if out.suffix == ".npy" or not schema.columns else schema.decode(y)
        columns = [pa.array(clusters), *map(pa.array, map(np.ascontiguousarray, drawn_columns))]
        write_table(out, iter([pa.RecordBatch.from_arrays(columns, ["cluster", *names])]))


def _each(
    source: Source, schema: Schema, answer: Callable[[Array], dict[str, Array]]
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    rows = 0
    for block in source.blocks(schema, ROWS):
        rows += len(block.y)
        answers = answer(_rows(block))
        found: dict[str, Any] = {}
        if source.keeps_columns:
            if block.table is None:
                raise ValueError(
                    f"{source.path} is not a table, so it has no columns to keep: leave out --keep-columns"
                )
            found = dict(zip(block.table.schema.names, block.table.columns, strict=True))
            twice = sorted(found.keys() & answers.keys())
            if twice:
                raise ValueError(
                    f"{source.path} has a column {', '.join(twice)}, but the result has a column of that "
                    "name: rename it, or leave out --keep-columns"
                )
        elif block.ids is not None:
            name = schema.id_column or "id"
            if name in answers:
                raise ValueError(
                    f"the id column is {name!r}, but a column of the result has that name: rename it in "
                    f"{source.path}, and name it with --id-column"
                )
            found[name] = block.ids
        yield pa.RecordBatch.from_pydict(found | answers)
    if not rows:
        raise ValueError(f"{source.path} has no rows")


def _rows(block: Block) -> Array:
    return block.y.reshape(len(block.y), -1)
