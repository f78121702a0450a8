"""The scikit-learn estimator: a Gaussian mixture VAE that is fitted to a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmvae.config import Config, DataConfig
from gmvae.data.dataset import Dataset, Origin
from gmvae.data.iterables import is_stream
from gmvae.data.prepare import Prepared, prepare
from gmvae.data.schema import Schema
from gmvae.estimator.intake import check_count, counting, image_shape, warn_of_counting
from gmvae.estimator.streaming import Streaming
from gmvae.experiments import DATA
from gmvae.fit.engine import Engine
from gmvae.fit.parameters import configuration
from gmvae.fit.result import Result
from gmvae.model.isolation import isolated
from gmvae.partition.relabelling import Relabelling
from gmvae.run import Run
from gmvae.show.bar import followed
from gmvae.store.run_folder import RunFolder
from gmvae.training.devices import pick_device


class GMVAE(Streaming):
    r"""Clusters a table with the Gaussian mixture variational autoencoder (Dilokthanakul et al., arXiv
    1611.02648).

    X has a row for each observation. It can be a numpy array or memmap, a scipy sparse matrix, a torch
    tensor, or a pandas, polars or pyarrow table. The index of a pandas data frame is not a column, also not
    in an Arrow table. Memmaps and sparse matrices are read in batches. The order of the rows makes no
    difference. A row with integer weight k counts as k rows. Only shares of the total weight count: a factor
    on all weights, or copies of the whole table, change nothing. The length of a pass, and every threshold on
    rows, refers to the number of distinct rows.

    A torch dataset, or an iterable that gives batches each time it is iterated, can be larger than memory. It
    is shuffled onto the disk (``TMPDIR``), and copies of a row are separate rows. There are no ``labels_``
    then: call ``predict`` with each batch. Batches that are tables have their columns found by name.

    Arguments:
        n_clusters: The number of clusters, K. Some can stay empty. ``"auto"`` takes the greatest number of
            clusters that is found again in other samples of the data (:mod:`gmvae.partition.stability`). Each
            distinct row counts once there, whatever its weight; see ``choice_``.
        max_clusters: The greatest number that ``"auto"`` tries.
        x_size: Size of x, the continuous latent that holds the clusters.
        w_size: Size of w, the latent that shapes the clusters.
        hidden_size: Units of each hidden layer; by default 128, or 256 for images.
        network: ``"fc"``, or ``"compact"``, ``"conv"`` or ``"svhn"`` for images; ``"auto"`` takes compact for
            images, else fc.
        filters: Filters of the first convolution.
        image_shape: (height, width) or (channels, height, width) of rows that are images; not needed for a
            stack of images, (N, height, width) or (N, channels, height, width).
        missing: ``"impute"`` fills missing numbers with the mean of their column; by default they are an
            error.
        text: ``"one-hot"`` makes a 0/1 feature for each value of a text column; by default text is an error.
        scale: How the columns are scaled for a Gaussian model: ``"standard"``, ``"robust"``, ``"log"``,
            ``"unit"`` (for embeddings), ``"common"``, ``"none"``, or ``"auto"``, with the reason in
            ``scale_reason_``. :func:`gmvae.data.scales.choice.choose_scale` describes them.
        likelihood: p(y | x): ``"bernoulli"``, ``"gaussian"`` or ``"auto"``, with the reason in
            ``likelihood_reason_``.
        min_variance: Minimum variance of the Gaussian, for columns scaled to variance 1.
        assignment: q(z | ...): ``"recogniser"`` or ``"posterior"``.
        init: Pseudo-labels that q(z | y) is taught first and then kept near: the best partition of several
            methods, chosen without labels (``"candidates"``), that of k-means (``"kmeans"``), or clusters
            along the manifold of the data, found in rounds (``"manifold"``). ``"auto"`` takes what suits the
            data (the reason is in ``start_``), ``"random"`` teaches none.
        rounds: Maximum number of rounds of the manifold, or ``"auto"``: 7 with augmented images, and 3
            otherwise.
        augment: Augmented views that must be in the same cluster as their row: ``"image"``, ``"table"``,
            ``"none"`` or ``"auto"``. Auto is none for images, and moves rows of tables a little while
            pseudo-labels are taught (:mod:`gmvae.training.augmentation`).
        view_weight: Weight of the view consistency.
        cv_weight: Weight of the consistency violation.
        z_prior_weight: Weight of the z prior term.
        min_information: Minimum information constraint, in nats (assignment posterior).
        mc_samples: Monte Carlo samples per observation.
        warm_up: Epochs over which the weight of the divergences grows from 0; a float is a share of all.
        cv_warm_up: The same for the consistency violation, after ``warm_up``.
        optimiser: Its name, as in :class:`gmvae.config.TrainingConfig`.
        learning_rate: Its step size; ``"auto"`` is 3e-3 if a table's clusters are taught first, else 1e-3. If
            pseudo-labels are taught, it decays over the second half of the epochs.
        batch_size: Observations per step.
        epochs: Passes over the data; ``"auto"`` is at least 800 steps and 4 passes if clusters are taught
            first, else at least 1,500 steps and 20 passes. A table has fewer if it learns nothing more
            (:class:`gmvae.fit.length.Length`). With fewer than 10 distinct rows for each column, some rows
            are first held out, to find the number of epochs after which a fit to the others no longer
            improves on them (``holdout_``).
        n_init: Number of restarts of the whole model. The best is kept, chosen without labels
            (:func:`gmvae.fit.scores.best`).
        resamples: Starts from other samples of 80 % of the rows, to measure ``stability_`` and to calibrate
            :meth:`confidence`; 0 for none, 20 work well.
        outliers: ``"label"`` gives rows that belong to no cluster (:meth:`is_outlier`) the number -1 in
            ``labels_`` and :meth:`predict`; ``"keep"`` leaves each in its most probable cluster.
        validation_fraction: Share of distinct rows to hold out, for ``early_stopping`` or for finding the
            number of epochs.
        early_stopping: Stop when the loss on held-out rows no longer improves, and keep the best epoch.
        n_iter_no_change: Epochs without improvement after which to stop; a float is a share of ``epochs``.
        tol: Minimum improvement that counts, in nats per observation.
        warm_start: Whether ``fit`` continues with the fitted model.
        random_state: Seed, ``RandomState`` or ``None``.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ... or ``"mps"``.
        precision: Number format of the networks while they train: ``"float32"``, ``"bfloat16"`` or ``"auto"``
            (:func:`gmvae.training.devices.pick_precision`).
        threads: CPU threads; 0 for automatic.
        verbose: ``"auto"`` shows a bar in a notebook, for a fit that takes a second or more, and nothing
            elsewhere; 0 shows nothing anywhere. 1 prints a line for every tenth of a fit (in a notebook:
            shows a bar), 2 for each epoch.
        run_dir: A new folder that the fit writes into while it runs, as ``gmvae train data`` does:
            checkpoints, records, pictures, and the model. ``gmvae resume`` or :meth:`resume` continues it
            after an interruption, and ``gmvae plot --live`` follows it.
        keep_data: Whether the rows are written there, too. Without them only :meth:`resume` can continue,
            with X.

    Attributes:
        labels_: The cluster of each row of X, (N,). Cluster 0 is the largest, and empty ones come last.
        weights_: Mean of q(z | y) over the data, (K,).
        means_: The mean of each cluster under the model, in the units of the data, (K, D):
            :math:`\mathbb E[y|z] = \mathbb E_{p(w)\,p_\beta(x|w,z)}\,\mathbb E_{p_\theta(y|x)}[y]`, from
            1,000 fixed draws. :meth:`describe` has the means of rows.
        n_clusters_: K.
        choice_: How ``n_clusters="auto"`` chose it: ``clusters``, ``sure``, ``reason`` and the ``curve`` of
            stabilities (:class:`gmvae.partition.stability.Choice`); ``None`` if K was given.
        holdout_: What held-out rows show (:class:`gmvae.assess.holdout.Holdout`): their number ``rows``, the
            chosen ``epochs``, ``full`` (the epochs without held-out rows), and the ``trials``, fits to the
            other rows, with their ``epochs`` and the bounds on fitted rows (``elbo``) and on held-out rows
            (``held_out_elbo``). ``None`` if no rows were held out.
        n_clusters_used_: Number of clusters with at least one row with a weight above 0.
        likelihood_, likelihood_reason_: The likelihood, and the reason, in a sentence.
        scale_reason_: Why ``scale="auto"`` is not the standard one; empty if it is.
        constant_features_: Columns with only one value. A Gaussian model leaves them out; ``sample`` gives
            them that value with any likelihood.
        elbo_: Mean lower bound on log p(y) of the data, in nats per observation, in the units of X.
        stability_: The share of ``resamples`` starts in which each row of X keeps its cluster, (N,). It is
            measured on at most 5,000 distinct rows; other rows have that of the nearest of these in x.
            ``None`` without resamples, or for batches.
        cluster_stability_: Its mean over the rows of each cluster, (K,), or ``None``.
        start_: How the kept fit started: ``init``, ``reason``, ``candidates`` and ``rounds``
            (:class:`gmvae.start.begin.Start`).
        n_iter_: Number of epochs of the kept fit.
        history_: A record for each of these epochs.
        diagnostics_, findings_: Diagnostics of the model (:class:`gmvae.assess.diagnostics.Diagnostics`; each
            distinct row counts once, whatever its weight), and the doctor's findings from them
            (:class:`gmvae.assess.doctor.Finding`), empty if all is well.
        restarts_: A record for each restart: ``seed``, ``agreement`` with the others, ``modularity`` (with
            several restarts, and at least 1,000 rows), ``loss``, ``n_iter``.
        relabelled_: Names, merges and splits of clusters (:class:`gmvae.partition.relabelling.Relabelling`).
        schema_: How a table with text or missing values becomes numbers (:class:`gmvae.data.schema.Schema`),
            or ``None`` for a table of numbers.
        model_: The :class:`gmvae.model.vae.GaussianMixtureVAE`.
        n_features_in_, feature_names_in_: As in all of scikit-learn.

    Example:
        >>> y = np.repeat([[0.0, 0.0], [9.0, 9.0]], [40, 20], axis=0) + np.random.RandomState(0).randn(60, 2)
        >>> GMVAE(n_clusters=2, epochs=20, random_state=0).fit_predict(y).tolist() == [0] * 40 + [1] * 20
        True
    """

    schema_: Schema | None
    choice_: dict[str, Any] | None
    holdout_: dict[str, Any] | None
    stability_: NDArray[np.float64] | None

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
        missing: Literal["error", "impute"] = "error",
        text: Literal["error", "one-hot"] = "error",
        scale: str = "auto",
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
        learning_rate: float | str = "auto",
        batch_size: int = 128,
        epochs: int | str = "auto",
        n_init: int = 1,
        resamples: int = 0,
        outliers: Literal["keep", "label"] = "keep",
        validation_fraction: float = 0.1,
        early_stopping: bool = False,
        n_iter_no_change: float = 0.1,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        verbose: int | str = "auto",
        run_dir: str | Path | None = None,
        keep_data: bool = True,
    ) -> None:
        self.n_clusters = n_clusters
        self.max_clusters = max_clusters
        self.x_size = x_size
        self.w_size = w_size
        self.hidden_size = hidden_size
        self.network = network
        self.filters = filters
        self.image_shape = image_shape
        self.missing = missing
        self.text = text
        self.scale = scale
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
        self.resamples = resamples
        self.outliers = outliers
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.threads = threads
        self.verbose = verbose
        self.run_dir = run_dir
        self.keep_data = keep_data

    @isolated
    def fit(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model to the rows of X, (N, D); ``y`` is ignored. If the fit fails or is interrupted, the
        estimator is not changed.

        Raises:
            ValueError: if a parameter, X or the weights are not valid.
            FloatingPointError: if the loss is no longer a finite number.
        """
        work = object.__new__(type(self))
        work.__dict__ = self.__dict__.copy()
        work._fit(X, sample_weight)
        self.__dict__ = work.__dict__
        return self

    def _fit(self, X: Any, sample_weight: ArrayLike | None, *, renumber: bool = True) -> None:
        if is_stream(X):
            configuration(self.get_params())
            self._fit_stream(X, sample_weight)
            return
        shape = image_shape(X, self.image_shape)
        parameters = {**self.get_params(), "image_shape": shape}
        configuration(parameters)  # parameters are checked before X is
        device = pick_device(self.device)
        going_on = self.warm_start and hasattr(self, "model_")
        X = self._table(X, reset=not going_on)
        if going_on:
            self._check(X)
        names = tuple(getattr(self, "feature_names_in_", ()))
        warn_of_counting(counting(X, names))
        data = prepare(
            X,
            sample_weight,
            likelihood=self.likelihood_ if going_on else self.likelihood,
            image_shape=shape,
            scale=self.scale,
            device=device,
            names=names,
            scaling=self._scaling if going_on else None,
        )
        seed = self._seed()
        config = configuration(parameters, seed)
        if going_on and not config.model.clusters:
            config = replace(config, model=replace(config.model, clusters=self.model_.config.clusters))
        check_count(X, sample_weight, max(2, config.model.clusters))
        if self.run_dir is not None and going_on:
            raise ValueError(
                f"run_dir is {str(self.run_dir)!r}, but a run starts from scratch, and warm_start continues "
                "with a model: set run_dir=None"
            )
        with followed(self.verbose) as observers:
            if self.run_dir is None:
                before = self._before(config, data, renumber=renumber) if going_on else None
                self._take(Engine(config, data, observers, before).fit(), going_on)
            else:
                self._take(self._run(config, data, X, sample_weight).finish(*observers), going_on)

    def _run(self, config: Config, data: Prepared, X: Any, weights: ArrayLike | None) -> Run:
        """The run in ``run_dir`` that makes the fit."""
        folder = replace(DATA.run, run_dir=str(self.run_dir))
        config = replace(config, data=DataConfig(dataset="file", scale=self.scale), run=folder)  # type: ignore[arg-type]
        weights = None if weights is None else np.asarray(weights, dtype=np.float64)
        shape = data.y_shape if len(data.y_shape) == 3 else None
        schema = self.schema_ or self._schema(data.y_shape)
        rows = Dataset("X", X, weights=weights, origin=Origin(schema), image_shape=shape)
        return Run.of(config, rows, data, self._parameters, keep_data=self.keep_data)

    @classmethod
    @isolated
    def resume(
        cls,
        path: str | Path,
        X: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        device: str | None = None,
        verbose: int | str = "auto",
    ) -> GMVAE:
        """Continue a fit with a run folder from its last checkpoint, as if it had never stopped, and return
        the fitted estimator. If the fit is over, only return the estimator.

        Arguments:
            path: The ``run_dir``, or the run folder of ``gmvae train data``.
            X: The rows that it was fitted to, if they are not kept there.
            sample_weight: Their weights.
            device: The device, if it is not the same as before.
            verbose: As the parameter.

        Raises:
            ValueError: if the folder holds no run that can be resumed, or X is other data.
            OSError: if a file cannot be read or written.
        """
        asked = RunFolder(path).about().get("python", {}).get("parameters", {})
        reader = cls(**{name: asked[name] for name in ("missing", "text") if name in asked})
        given = None if X is None else (reader._table(X, reset=True), sample_weight)
        run = Run.resume(path, device=device, rows=given)
        with followed(verbose) as observers:
            result = run.finish(*observers)
        model = cls.of_file(run.model_file(), run.config.training.device)
        model.labels_, model.history_ = result.labels, result.history
        return model

    def _take(self, result: Result, going_on: bool) -> None:
        """Take over the result of a fit."""
        data, self.model_, self._limits = result.data, result.model, result.limits
        self.labels_, self.weights_, self.elbo_ = result.labels, result.weights, result.elbo
        self.n_clusters_, self.n_clusters_used_ = result.config.model.clusters, result.clusters_used
        earlier = getattr(self, "history_", []) if going_on else []
        self.history_, self.n_iter_ = earlier + result.history, result.history[-1]["epoch"]
        self.restarts_, self._n_features_out = result.restarts, self.x_size
        self.diagnostics_, self.findings_ = result.diagnostics, result.findings
        self._fingerprint, self.relabelled_ = data.fingerprint, Relabelling()
        if self.outliers == "label":
            self.labels_ = np.where(self._beyond(data.everything), -1, self.labels_)
        self._take_map(data.everything)
        self._take_stability(result)
        if going_on:
            return
        self.likelihood_, self.likelihood_reason_ = data.likelihood, data.reason
        self.scale_reason_, self._constants = data.scale_reason, data.constants
        self._scaling, self._y_shape, self._binary = data.scaling, data.y_shape, data.binary
        self.constant_features_ = np.array(list(data.constants), dtype=np.int64)
        self.choice_ = None if result.choice is None else result.choice.to_json()
        self.start_ = None if result.start is None else result.start.to_json()
        self.holdout_ = None if result.holdout is None else result.holdout.to_json()
