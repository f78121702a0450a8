"""The scikit-learn estimator: a Gaussian mixture VAE that is fitted to a table."""

from __future__ import annotations

import copy
import numbers
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import ClassifierTags, Tags, check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from gmvae.assess.diagnostics import Signs
from gmvae.assess.doctor import Finding
from gmvae.config import Config, ModelConfig
from gmvae.data.prepare import Prepared, prepare
from gmvae.data.rows import Rows, chunks
from gmvae.data.schema import Schema, encoded, without_index
from gmvae.fit.engine import Engine
from gmvae.fit.parameters import configuration
from gmvae.fit.resolve import resolve
from gmvae.fit.restart import Before
from gmvae.fit.result import Result
from gmvae.model import inference
from gmvae.model.answers import AT_ONCE, each_terms, precise
from gmvae.model.distributions import Bernoulli
from gmvae.model.isolation import isolated
from gmvae.model.objective import elbo
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.show.lines import Lines
from gmvae.store.model_file import ModelFile, find, plain
from gmvae.training.devices import cpu_threads, pick_device, pick_threads
from gmvae.training.random import RandomStream

Array = NDArray[Any]
OF_FIT = (
    "likelihood_reason", "choice", "holdout", "start", "n_iter", "elbo", "n_clusters_used", "history",
    "restarts",
)  # fmt: skip
"""Attributes of a fitted estimator, without their underscore, that a model file keeps as they are."""


class GMVAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    r"""Clusters a table with the Gaussian mixture variational auto-encoder (Dilokthanakul et al., arXiv
    1611.02648).

    X has a row for each observation: numpy arrays and memmaps, scipy sparse matrices, torch tensors, pandas,
    polars and pyarrow tables. The index of a pandas data frame is no column, nor is it one of an Arrow table.
    Memmaps and sparse matrices are read by batch. The order of the rows makes no difference, and a row of
    whole weight k counts as k rows. Only shares of all weight count: a factor on all weights, or copies of
    all rows, change nothing. A pass, and every threshold on rows, goes by the number of distinct rows.

    Arguments:
        n_clusters: The number of clusters, K. Some may stay empty. ``"auto"`` takes the greatest number whose
            clusters are found again in other samples of the data (:mod:`gmvae.partition.stability`), in which
            each distinct row counts once, whatever its weight; see ``choice_``.
        max_clusters: The greatest number that ``"auto"`` tries.
        x_size: Size of x, the continuous latent that holds the clusters.
        w_size: Size of w, the latent that shapes the clusters.
        hidden_size: Units of each hidden layer; 128, and 256 for images, unless given.
        network: ``"fc"``, or ``"compact"``, ``"conv"`` or ``"svhn"`` for images; ``"auto"`` takes compact for
            images.
        filters: Filters of the first convolution.
        image_shape: (height, width) or (channels, height, width) of rows that are images.
        likelihood: p(y | x): ``"bernoulli"``, ``"gaussian"`` or ``"auto"``, which explains itself in
            ``likelihood_reason_``.
        min_variance: Least variance of the Gaussian, where a column has variance 1.
        assignment: q(z | ...): ``"recogniser"`` or ``"posterior"``.
        init: ``"kmeans"`` guides q(z | y) to the clusters of k-means at first, ``"manifold"`` teaches it
            clusters along the manifold of the data, ``"auto"`` takes what the data support (``start_`` says
            why), ``"random"`` does nothing.
        rounds: Rounds of the manifold, at most, or ``"auto"``: 7 with views of images, and 3 otherwise.
        augment: Views of a row that shall be of its cluster: ``"image"``, ``"table"``, ``"none"`` or
            ``"auto"``, none for images and table for tables whose manifold is looked for
            (:mod:`gmvae.training.augmentation`).
        view_weight: Weight of the view consistency.
        cv_weight: Weight of the consistency violation.
        z_prior_weight: Weight of the z prior term.
        min_information: Minimum information constraint, nats (assignment posterior).
        mc_samples: Monte Carlo samples per observation.
        warm_up: Epochs in which the weight of the divergences grows from 0; a float is a share of ``epochs``.
        cv_warm_up: Epochs after these in which that of the consistency violation does; likewise.
        optimiser: Its name, as in :class:`gmvae.config.TrainingConfig`.
        learning_rate: Its step size.
        batch_size: Observations per step.
        epochs: Passes over the data, or ``"auto"``: at least 1,500 steps and at least 20 passes, 4 where the
            manifold may teach q(z | y) before (init manifold, or auto with 1,000 images or more). With fewer
            than 10 distinct rows for each column these are the most: some rows are held out at first, to find
            the number from which on a model of the others fits them no better (``holdout_``).
        n_init: Restarts of the whole model. Of fewer than 1,000 rows the one is kept whose clusters agree
            most with those of the others, of two the one with the lesser loss; of more rows the one whose
            clusters have the greatest modularity in the graph of nearest neighbours
            (:func:`gmvae.fit.scores.best`).
        validation_fraction: Share of distinct rows to hold out, where ``early_stopping`` is on or the number
            of epochs is searched for.
        early_stopping: Stop when the loss on held-out rows gets no better, and keep the best epoch.
        n_iter_no_change: Epochs without improvement to stop after; a float is a share of ``epochs``.
        tol: What counts as improvement, nats per observation.
        warm_start: Whether ``fit`` goes on with the model that is there.
        random_state: Seed, ``RandomState`` or ``None``.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ... or ``"mps"``.
        threads: CPU threads; 0 chooses.
        verbose: 1 prints a line for every tenth of a fit, 2 for every epoch.

    Attributes:
        labels_: The cluster of each row of X, (N,). Cluster 0 is the largest, and empty ones come last.
        weights_: Mean of q(z | y) over the data, (K,).
        n_clusters_: K.
        choice_: How ``n_clusters="auto"`` came to it: ``clusters``, ``sure``, ``reason`` and the ``curve`` of
            stabilities (:class:`gmvae.partition.stability.Choice`); ``None`` where K was given.
        holdout_: Where rows were held out, their number ``rows``, the ``epochs`` that they led to, of
            ``full``, and the ``trials``, fits to the other rows: ``epochs`` and the bounds ``elbo``, of
            rows that it was fitted to, and ``held_out_elbo`` (:class:`gmvae.assess.holdout.Holdout`); else
            ``None``.
        n_clusters_used_: Clusters that hold a row (of those whose weight is not 0), however few.
        likelihood_, likelihood_reason_: The likelihood, and why, in a sentence.
        constant_features_: Columns with one value, which a Gaussian model leaves out.
        elbo_: Mean lower bound on log p(y) of the data, nats per observation, in the units of X.
        start_: How the fit that was kept started: ``init``, ``reason`` and ``rounds``
            (:class:`gmvae.start.begin.Start`).
        n_iter_: Epochs of the fit that was kept.
        history_: A record for each of them.
        signs_, findings_: What the data show of the model (:class:`gmvae.assess.diagnostics.Signs`; each
            distinct row counts once, whatever its weight), and what the doctor says of that
            (:class:`gmvae.assess.doctor.Finding`), nothing where all is well.
        restarts_: A record for each restart: ``seed``, ``agreement`` with the others, ``modularity`` (of
            several, from 1,000 rows on), ``loss``, ``n_iter``.
        model_: The :class:`gmvae.model.vae.GaussianMixtureVAE`.
        n_features_in_, feature_names_in_: As everywhere in scikit-learn.

    Example:
        >>> y = np.repeat([[0.0, 0.0], [9.0, 9.0]], [40, 20], axis=0) + np.random.RandomState(0).randn(60, 2)
        >>> GMVAE(n_clusters=2, epochs=20, random_state=0).fit_predict(y).tolist() == [0] * 40 + [1] * 20
        True
    """

    schema_: Schema | None
    choice_: dict[str, Any] | None
    holdout_: dict[str, Any] | None

    def __init__(
        self,
        n_clusters: int | str = 8,
        *,
        max_clusters: int = 20,
        x_size: int = 10,
        w_size: int = 10,
        hidden_size: int | None = None,
        network: str = "auto",
        filters: int = 16,
        image_shape: tuple[int, ...] | None = None,
        likelihood: str = "auto",
        min_variance: float = 0.01,
        assignment: str = "recogniser",
        init: str = "auto",
        rounds: int | str = "auto",
        augment: str = "auto",
        view_weight: float = 10.0,
        cv_weight: float = 1.0,
        z_prior_weight: float = 1.0,
        min_information: float = 0.5,
        mc_samples: int = 1,
        warm_up: float = 0.15,
        cv_warm_up: float = 0.3,
        optimiser: str = "adam",
        learning_rate: float = 1e-3,
        batch_size: int = 128,
        epochs: int | str = "auto",
        n_init: int = 1,
        validation_fraction: float = 0.1,
        early_stopping: bool = False,
        n_iter_no_change: float = 0.1,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        threads: int = 0,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.max_clusters = max_clusters
        self.x_size = x_size
        self.w_size = w_size
        self.hidden_size = hidden_size
        self.network = network
        self.filters = filters
        self.image_shape = image_shape
        self.likelihood = likelihood
        self.min_variance = min_variance
        self.assignment = assignment
        self.init = init
        self.rounds = rounds
        self.augment = augment
        self.view_weight = view_weight
        self.cv_weight = cv_weight
        self.z_prior_weight = z_prior_weight
        self.min_information = min_information
        self.mc_samples = mc_samples
        self.warm_up = warm_up
        self.cv_warm_up = cv_warm_up
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.n_init = n_init
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.device = device
        self.threads = threads
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        # it is a clusterer all the same, but scikit-learn's checks of sparse input look here for everything
        # that has predict_proba
        tags.classifier_tags = ClassifierTags()
        return tags

    @isolated
    def fit(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model to the rows of X, (N, D); ``y`` is ignored. Where it fails or is interrupted, a
        fitted estimator stays what it was.

        Raises:
            ValueError: where a parameter, X or the weights break a rule.
            FloatingPointError: where the loss stops being a number.
        """
        work = object.__new__(type(self))
        work.__dict__ = self.__dict__.copy()
        work._fit(X, sample_weight)
        self.__dict__ = work.__dict__
        return self

    def _fit(self, X: Any, sample_weight: ArrayLike | None) -> None:
        configuration(self.get_params())  # parameters are checked before X is
        device = pick_device(self.device)
        going_on = self.warm_start and hasattr(self, "model_")
        X = self._table(X, reset=not going_on)
        if going_on:
            self._check(X)
        data = prepare(
            X,
            sample_weight,
            likelihood=self.likelihood_ if going_on else self.likelihood,
            image_shape=self.image_shape,
            device=device,
            scaling=self._scaling if going_on else None,
        )
        rng = self.random_state
        seed = int(rng) if isinstance(rng, numbers.Integral) else 0
        config = configuration(self.get_params(), seed)
        if going_on and not config.model.clusters:
            clusters = self.model_.config.clusters
            config = replace(config, model=replace(config.model, clusters=clusters))
        least = max(2, config.model.clusters)
        given = X.shape[0] if sample_weight is None else int(np.count_nonzero(np.asarray(sample_weight)))
        if given < least:
            raise ValueError(
                f"X has n_samples={given} to fit to: there must be at least {least}, "
                "as many as n_clusters and no fewer than 2"
            )
        before = self._before(config, data) if going_on else None
        observers = (Lines(self.verbose),) if self.verbose else ()
        self._take(Engine(config, data, observers, before, rng=check_random_state(rng)).fit(), going_on)

    def _before(self, config: Config, data: Prepared) -> Before:
        """The model to go on with: a copy, which may fail."""
        asked = resolve(config, data, data.rows).model
        if replace(self.model_.config, most_clusters=asked.most_clusters) != asked:
            raise ValueError(
                "warm_start goes on with a model of other sizes or likelihood than are asked for: keep them, "
                "or set warm_start=False"
            )
        anchored = (getattr(self, "start_", None) or {}).get("init") == "manifold"
        return Before(copy.deepcopy(self.model_).to(data.rows.device), self.n_iter_, anchored)

    def _take(self, result: Result, going_on: bool) -> None:
        """Take over what a fit came to."""
        data, self.model_ = result.data, result.model
        self.labels_, self.weights_, self.elbo_ = result.labels, result.weights, result.elbo
        self.n_clusters_, self.n_clusters_used_ = result.config.model.clusters, result.clusters_used
        earlier = getattr(self, "history_", []) if going_on else []
        self.history_, self.n_iter_ = earlier + result.history, result.history[-1]["epoch"]
        self.restarts_, self._n_features_out = result.restarts, self.x_size
        self.signs_, self.findings_ = result.diagnostics, result.findings
        self.schema_, self._fingerprint = None, data.fingerprint
        if going_on:
            return
        self.likelihood_, self.likelihood_reason_ = data.likelihood, data.reason
        self._scaling, self._y_shape, self._binary = data.scaling, data.y_shape, data.binary
        self.constant_features_ = data.constant
        self.choice_ = None if result.choice is None else result.choice.to_json()
        self.start_ = None if result.start is None else result.start.to_json()
        self.holdout_ = None if result.holdout is None else result.holdout.to_json()

    def predict(self, X: Any) -> NDArray[np.int64]:
        """The most probable cluster of each row, (N,)."""
        return self.predict_proba(X).argmax(1)

    @isolated
    def predict_proba(self, X: Any) -> Array:
        """q(z | ...) of each row, (N, K)."""
        return self._each(X, inference.assign)

    @isolated
    def transform(self, X: Any) -> Array:
        """The mean of q(x | y) of each row, (N, x_size)."""
        return self._each(X, inference.embed)

    @isolated
    def inverse_transform(self, X: ArrayLike) -> Array:
        """The mean of p(y | x) for each x of shape (N, x_size), in the units of the data, (N, D)."""
        check_is_fitted(self)
        x = np.asarray(X, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.model_.config.x_size:
            size = self.model_.config.x_size
            raise ValueError(f"X has shape {x.shape}: it must be (N, {size}), as transform gives it")
        model = precise(self.model_)
        with self._threads(), inference.evaluating(model):
            of = torch.from_numpy(x).to(model.generative.zero)
            return self._scaling.undo(model.generative.p_y(of).mean.cpu().numpy())

    @isolated
    def score_samples(self, X: Any) -> Array:
        """The lower bound on log p(y) of each row, (N,), in nats: with a Gaussian likelihood that of a
        density over the columns in the units of X. Its noise is a function of the
        row's values: the score of a row does not depend on the others, and is the same every time."""
        rows = self._rows(X)
        with self._threads():
            return elbo(each_terms(self.model_, rows)).numpy() + self._log_det

    def score(self, X: Any, y: object = None) -> float:
        """The mean of :meth:`score_samples`; ``y`` is ignored."""
        return float(self.score_samples(X).mean())

    @isolated
    def sample(self, n_samples: int = 1, cluster: int | None = None) -> tuple[Array, NDArray[np.int64]]:
        """New observations, (n_samples, D), and their clusters, (n_samples,).

        z is drawn from ``weights_`` (from the model's uniform p(z), clusters that hold no data would come up,
        too) unless ``cluster`` says which; then w, x and y. Where a Bernoulli model was fitted to
        more than 0 and 1, values are the means of p(y | x).
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(f"n_samples is {n_samples}: it must be a whole number of at least 1")
        clusters, c = len(self.weights_), self.model_.config
        if cluster is not None and not 0 <= cluster < clusters:
            raise ValueError(f"cluster is {cluster}: it must be a whole number from 0 to {clusters - 1}")
        rng = check_random_state(self.random_state)
        z = (
            rng.choice(clusters, n_samples, p=self.weights_)
            if cluster is None
            else np.full(n_samples, cluster)
        )
        model = precise(self.model_)
        zero = model.generative.zero
        stream = RandomStream(int(rng.randint(2**31 - 1)), zero.device)
        with self._threads(), inference.evaluating(model):
            w = torch.randn(n_samples, c.w_size, generator=stream.cpu, dtype=torch.float32).to(zero)
            x = model.generative.p_x(w).rsample(1, stream.local)[0, range(n_samples), z]
            p_y = model.generative.p_y(x)
            drawn = p_y.mean
            if not isinstance(p_y, Bernoulli):
                drawn = p_y.rsample(1, stream.local)[0]
            elif self._binary:
                drawn = torch.bernoulli(drawn, generator=stream.local)
        return self._scaling.undo(drawn.cpu().numpy()), z.astype(np.int64)

    @isolated
    def save(self, path: str | Path) -> None:
        """Write the whole fitted model as one safetensors file, which :func:`load` reads: weights, scaling,
        names of columns, parameters, and what the fit came to, but not ``labels_``, which are as many as the
        data. A file of that name is replaced once the new one is whole."""
        check_is_fitted(self)
        names = tuple(map(str, getattr(self, "feature_names_in_", ())))
        shape = self._y_shape if len(self._y_shape) == 3 else (self.n_features_in_,)
        parameters = self.get_params()
        if isinstance(self.random_state, np.random.RandomState):
            parameters["random_state"] = None
        about = {name: getattr(self, f"{name}_") for name in OF_FIT}
        about |= {
            "binary": self._binary,
            "weights": self.weights_.tolist(),
            "parameters": parameters,
            "signs": self.signs_.to_json(),
            "findings": [finding.to_json() for finding in self.findings_],
            "data": {"sha256": self._fingerprint},
        }
        schema = self.schema_ or Schema(shape, names)
        ModelFile(self.model_, self._scaling, schema, plain(about)).save(Path(path))

    @property
    def _log_det(self) -> float:
        return self._scaling.log_det if self.likelihood_ == "gaussian" else 0.0

    def _table(self, X: Any, *, reset: bool) -> Any:
        if isinstance(X, torch.Tensor):
            X = X.detach().cpu().numpy()
        if isinstance(X, np.ma.MaskedArray):  # scikit-learn would take what lies under the mask
            if np.ma.is_masked(X):
                raise ValueError(
                    f"X has {np.ma.count_masked(X):,} masked values, which are missing: fill them "
                    "(X.filled), or remove their rows"
                )
            X = X.data
        X = without_index(X, None if reset else self.schema_)
        if reset or self.schema_ is None:
            return validate_data(self, X, reset=reset, accept_sparse="csr")
        X = check_array(encoded(X, self.schema_), accept_sparse="csr")
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but GMVAE is expecting {self.n_features_in_} features as input"
            )
        return X

    def _rows(self, X: Any) -> Rows:
        check_is_fitted(self)
        X = self._table(X, reset=False)
        self._check(X)
        return Rows(X, self._scaling, self._y_shape, self.model_.generative.zero.device)

    def _check(self, X: Any) -> None:
        """``ValueError`` where rows of a Bernoulli model do not have the values that it was fitted to."""
        if self.likelihood_ == "bernoulli":
            for _, values in chunks(X):
                self._scaling.check(values)

    def _each(self, X: Any, function: Callable[[GaussianMixtureVAE, torch.Tensor], Array]) -> Array:
        rows = self._rows(X)
        model = precise(self.model_)
        with self._threads():
            return np.concatenate([function(model, y) for y in rows.batches(AT_ONCE)])

    @contextmanager
    def _threads(self, config: ModelConfig | None = None) -> Iterator[None]:
        hidden = (config or self.model_.config).hidden_size
        with cpu_threads(pick_threads(self.threads, self.batch_size * self.mc_samples * hidden**2)):
            yield

    @isolated
    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = copy.deepcopy(state["model_"]).cpu()
        return state


@isolated
def load(path: str | Path, device: str = "auto") -> GMVAE:
    """The estimator in a model file, or in the folder of a finished run of the command line.

    It gives the answers that it gave before. ``labels_`` of its training data are not there; of what it is
    applied to, data frames and Arrow tables are read as its training file was (columns by name, others left
    aside), and arrays are taken to have its features, in their order.

    Arguments:
        path: A file that :meth:`GMVAE.save` wrote, ``model.safetensors`` of a run, or the run's folder.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ... or ``"mps"``.

    Raises:
        ValueError: where it is anything else, was changed, or is another version's.
        OSError: where it cannot be read.
    """
    return of_file(ModelFile.load(find(path), pick_device(device)), device)


def of_file(file: ModelFile, device: str = "auto") -> GMVAE:
    """The estimator in a model file that was read, or that a run would write."""
    about, known = file.about, GMVAE().get_params()
    given = {"n_clusters": file.model.config.clusters, "random_state": about["parameters"].get("seed")}
    given |= {"image_shape": file.model.y_shape if len(file.model.y_shape) == 3 else None}
    given |= {name: value for name, value in about["parameters"].items() if name in known}
    if given["image_shape"] is not None:
        given["image_shape"] = tuple(given["image_shape"])
    model = GMVAE(**{**given, "device": device})
    for name in OF_FIT:
        setattr(model, f"{name}_", about.get(name))
    model.model_, model._scaling, model.schema_ = file.model, file.scaling, file.schema
    model.n_clusters_ = file.model.config.clusters
    model._y_shape, model._n_features_out = file.model.y_shape, file.model.config.x_size
    model._binary, model._fingerprint = about["binary"], about["data"]["sha256"]
    model.likelihood_, model.weights_ = file.model.config.likelihood, np.array(about["weights"])
    model.signs_ = Signs.from_json(about["signs"])
    model.findings_ = [Finding(**finding) for finding in about["findings"]]
    model.n_features_in_ = len(file.scaling.mean)
    model.constant_features_ = np.setdiff1d(np.arange(model.n_features_in_), file.scaling.kept)
    if file.schema.features:
        model.feature_names_in_ = np.array(file.schema.features, dtype=object)
    return model
