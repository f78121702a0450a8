"""What a fitted model answers about rows: clusters, embeddings, scores, and new observations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import ClassifierTags, Tags, check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from gmvae.assess.confidence import Confidence
from gmvae.assess.outliers import Limits
from gmvae.data.chunks import chunks
from gmvae.data.frame import encoded
from gmvae.data.observations import Observations
from gmvae.data.scales.scaling import Scaling, check_pixels
from gmvae.data.schema import ReadOptions, Schema, without_index
from gmvae.estimator.intake import rows_of, taken, without_gaps
from gmvae.model import inference
from gmvae.model.answers import AT_ONCE, each_terms, precise, probabilities
from gmvae.model.distributions import Bernoulli
from gmvae.model.isolation import isolated
from gmvae.model.objective import elbo
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.partition.relabelling import Relabelling
from gmvae.training.devices import cpu_threads, pick_threads
from gmvae.training.random import RandomStream

Array = NDArray[Any]
MEANS = 1_000
"""Draws of w and x that the mean of a cluster comes from."""


class Fitted(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """The half of the estimator that needs a fitted model, and changes nothing of it."""

    model_: GaussianMixtureVAE
    schema_: Schema | None = None
    missing: Literal["error", "impute"]
    text: Literal["error", "one-hot"]
    likelihood_: str
    weights_: NDArray[np.float64]
    random_state: Any
    threads: int
    batch_size: int
    mc_samples: int
    _scaling: Scaling
    _y_shape: tuple[int, ...]
    _binary: bool
    _constants: dict[int, float]
    outliers: Literal["keep", "label"]
    relabelled_ = Relabelling()
    cluster_stability_: NDArray[np.float64] | None = None
    _limits: Limits | None = None
    _confidence: Confidence | None = None
    _resampling: dict[str, Any] | None = None

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.missing == "impute"
        tags.input_tags.string = tags.input_tags.categorical = self.text == "one-hot"
        # it is a clusterer all the same, but scikit-learn's checks of sparse input look here for everything
        # that has predict_proba
        tags.classifier_tags = ClassifierTags()
        return tags

    def predict(self, X: Any) -> NDArray[np.int64]:
        """The most probable cluster of each row, (N,); merged ones (:meth:`relabel`) have one number, and
        rows that belong to none have -1 with ``outliers="label"``."""
        clusters = self.predict_proba(X).argmax(1)
        return np.where(self.is_outlier(X), -1, clusters) if self.outliers == "label" else clusters

    @isolated
    def predict_proba(self, X: Any) -> Array:
        """q(z | ...) of each row, (N, K). Of merged clusters the first has the sum, and the others have 0."""
        return self.relabelled_.merged(self._each(X, inference.assign))

    @isolated
    def is_outlier(self, X: Any) -> NDArray[np.bool_]:
        """Whether each row belongs to no cluster, (N,): it is less dense than rows of its cluster are, or no
        cluster has half of its probability (:class:`gmvae.assess.outliers.Limits`). Of rows that do belong to
        clusters about one in a hundred is taken for an outlier.

        Raises:
            ValueError: where the model is of an experiment of the paper's, or of an earlier version.
        """
        return self._beyond(self._rows(X))

    @isolated
    def confidence(self, X: Any) -> NDArray[np.float64]:
        """The probability that each row keeps its cluster in a fit that starts from another sample of the
        data, (N,), calibrated by ``resamples`` starts (:class:`gmvae.assess.confidence.Confidence`).

        Raises:
            ValueError: where the model was fitted without ``resamples``.
        """
        if self._confidence is None:
            raise ValueError("the confidence was not calibrated: fit with resamples=20")
        return self._confidence(self._each(X, inference.assign))

    def relabel(self, edits: Mapping[str, Any] | None) -> Self:
        """Give clusters names, and say which are one: ``{"names": {"0": "a name"}, "merge": [[1, 4]]}``, such
        as a report exports. ``predict``, ``predict_proba``, ``sample``, ``report`` and files go by it;
        ``labels_``, ``weights_`` and the model stay what they are. It takes the place of earlier names and
        merges, and ``None`` undoes them.

        Raises:
            ValueError: where edits have another form, or name clusters that are not there.
        """
        check_is_fitted(self)
        self.relabelled_ = Relabelling.of(edits or {}, self.model_.config.clusters)
        return self

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
        return self._density(rows) + self._log_dets(rows)

    def score(self, X: Any, y: object = None) -> float:
        """The mean of :meth:`score_samples`; ``y`` is ignored."""
        return float(self.score_samples(X).mean())

    @isolated
    def sample(self, n_samples: int = 1, cluster: int | None = None) -> tuple[Array, NDArray[np.int64]]:
        """New observations, (n_samples, D), and their clusters, (n_samples,).

        z is drawn from ``weights_`` (from the model's uniform p(z), clusters that hold no data would come up,
        too) unless ``cluster`` says which; then w, x and y. Where a Bernoulli model was fitted to
        more than 0 and 1, values are the means of p(y | x). A column that had one value has it here, too.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(f"n_samples is {n_samples}: it must be a whole number of at least 1")
        clusters, c = len(self.weights_), self.model_.config
        if cluster is not None and not 0 <= cluster < clusters:
            raise ValueError(f"cluster is {cluster}: it must be a whole number from 0 to {clusters - 1}")
        rng = check_random_state(self.random_state)
        groups = self.relabelled_.groups(clusters)
        if cluster is None:
            z = rng.choice(clusters, n_samples, p=self.weights_)
        elif len(merged := np.flatnonzero(groups == groups[cluster])) > 1:
            weights = self.weights_[merged] + np.finfo(float).tiny  # as they are where none holds a row
            z = rng.choice(merged, n_samples, p=weights / weights.sum())
        else:
            z = np.full(n_samples, cluster)
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
        samples = self._scaling.undo(drawn.cpu().numpy())
        samples[:, list(self._constants)] = list(self._constants.values())
        return samples, groups[z]

    @property
    @isolated
    def means_(self) -> Array:
        r"""The mean of each cluster in the units of the data, (K, D),
        :math:`\mathbb E[y|z] = \mathbb E_{p(w)\,p_\beta(x|w,z)}\,\mathbb E_{p_\theta(y|x)}[y]`, from 1,000
        draws that are always the same. It is the model's: :meth:`describe` has the means of rows. Of a column
        of text it has the share of each text."""
        check_is_fitted(self)
        c, model = self.model_.config, precise(self.model_)
        zero, found = model.generative.zero, []
        stream = RandomStream(0, zero.device)
        with self._threads(), inference.evaluating(model):
            w = torch.randn(MEANS, c.w_size, generator=stream.cpu, dtype=torch.float32).to(zero)
            x = model.generative.p_x(w).rsample(1, stream.local)[0]
            for k in range(c.clusters):  # one after the other, since an observation may be wide
                found.append(model.generative.p_y(x[:, k]).mean.mean(0).cpu().numpy())
        means = self._scaling.undo(np.stack(found))
        means[:, list(self._constants)] = list(self._constants.values())
        return means

    def _log_dets(self, rows: Observations) -> Array:
        """What the density of each row lacks to be one in the units of the data, (n,), nats."""
        if self.likelihood_ != "gaussian":
            return np.zeros(len(rows.order))
        return rows.log_dets(self._scaling)

    def _table(self, X: Any, *, reset: bool) -> Any:
        """X as rows of numbers, (N, D)."""
        X = rows_of(X, impute=self.missing == "impute")
        if reset:
            self.schema_, X = taken(X, ReadOptions(missing=self.missing, text=self.text))
            if self.schema_ is not None:
                self.n_features_in_ = self.schema_.y_shape[0]
                if self.schema_.features:
                    self.feature_names_in_ = np.array(self.schema_.features, dtype=object)
                return X
        X = without_index(X, self.schema_)
        if self.schema_ is None:
            options = {"accept_sparse": "csr", "ensure_all_finite": "allow-nan"}
            return without_gaps(validate_data(self, X, reset=reset, **options))
        X = check_array(encoded(X, self.schema_), accept_sparse="csr")
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but GMVAE is expecting {self.n_features_in_} features as input"
            )
        return X

    def _rows(self, X: Any) -> Observations:
        check_is_fitted(self)
        X = self._table(X, reset=False)
        self._check(X)
        return Observations(X, self._scaling, self._y_shape, self.model_.generative.zero.device)

    def _check(self, X: Any) -> None:
        """``ValueError`` where rows of a Bernoulli model, or images, do not have the unit of those that it
        was fitted to."""
        if self.likelihood_ == "bernoulli":
            for _, values in chunks(X):
                self._scaling.check(values)
        elif len(self._y_shape) == 3 and (edges := self.model_.recognition.edges()) is not None:
            ends = self._scaling.undo(torch.stack(edges).double().cpu().numpy())
            for _, values in chunks(X):
                check_pixels(values, (ends.min(), ends.max()), of_bytes=X.dtype == np.uint8)

    def _each(self, X: Any, function: Callable[[GaussianMixtureVAE, torch.Tensor], Array]) -> Array:
        rows = self._rows(X)
        model = precise(self.model_)
        with self._threads():
            return np.concatenate([function(model, y) for y in rows.batches(AT_ONCE)])

    def _density(self, rows: Observations) -> Array:
        with self._threads():
            return elbo(each_terms(self.model_, rows)).numpy()

    def _beyond(self, rows: Observations) -> NDArray[np.bool_]:
        if self._limits is None:
            raise ValueError(
                "the model does not say what belongs to its clusters: it is of an experiment of the paper, "
                "or of an earlier version, so fit it again"
            )
        with self._threads():
            return self._limits.beyond(self._density(rows), probabilities(self.model_, rows))

    def _threads(self) -> Any:
        work = self.batch_size * self.mc_samples * self.model_.config.hidden_size**2
        return cpu_threads(pick_threads(self.threads, work))

    @isolated
    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = copy.deepcopy(state["model_"]).cpu()
        return state
