"""Apply a fitted model to rows: clusters, embeddings, scores, and new observations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self
from warnings import warn

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
from gmvae.data.schema import ReadOptions, Schema, column_names, without_index
from gmvae.estimator.intake import finite, rows_of, taken
from gmvae.estimator.parts import draw
from gmvae.estimator.refusals import check_labels, check_numbers, labels
from gmvae.model import inference
from gmvae.model.answers import AT_ONCE, each_terms, precise, probabilities
from gmvae.model.distributions import Bernoulli
from gmvae.model.isolation import isolated
from gmvae.model.objective import elbo
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.partition.relabelling import Relabelling
from gmvae.partition.split import halves
from gmvae.rules import renamed
from gmvae.training.devices import cpu_threads, pick_threads
from gmvae.training.random import RandomStream

Array = NDArray[Any]
MEANS = 1_000
"""How many draws of w and x the mean of a cluster comes from."""


class Fitted(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """The part of the estimator that uses a fitted model without changing it."""

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
        # it is a clusterer, but scikit-learn's checks of sparse input look here for every estimator with
        # predict_proba
        tags.classifier_tags = ClassifierTags()
        return tags

    def predict(self, X: Any) -> NDArray[np.int64]:
        """The most probable cluster of each row, (N,). Merged clusters (:meth:`relabel`) have one number.
        With ``outliers="label"``, rows that belong to no cluster have -1."""
        clusters = self.predict_proba(X).argmax(1)
        return np.where(self.is_outlier(X), -1, clusters) if self.outliers == "label" else clusters

    @isolated
    def predict_proba(self, X: Any) -> Array:
        """q(z | ...) of each row, (N, K). Of merged clusters, the first has the sum and the others have 0.
        Each split of a cluster (:meth:`relabel`) adds a column."""
        q = self._each(X, inference.assign)
        x = self._each(X, inference.embed) if self.relabelled_.split else q
        return self.relabelled_.applied(q, x)

    @isolated
    def is_outlier(self, X: Any) -> NDArray[np.bool_]:
        """Whether each row belongs to no cluster, (N,): its density is too low for its cluster, or the
        probability of its cluster is too low (:class:`gmvae.assess.outliers.Limits`). About one in a hundred
        rows that do belong to clusters is taken for an outlier.

        Raises:
            ValueError: if the model comes from an experiment of the paper, or from an earlier version.
        """
        return self._beyond(self._rows(X))

    @isolated
    def confidence(self, X: Any) -> NDArray[np.float64]:
        """The probability that each row keeps its cluster if the fit starts from another sample of the data,
        (N,), calibrated with ``resamples`` starts (:class:`gmvae.assess.confidence.Confidence`).

        Raises:
            ValueError: if the model was fitted without ``resamples``.
        """
        if self._confidence is None:
            raise ValueError("the confidence was not calibrated: fit with resamples=20")
        return self._confidence(self._each(X, inference.assign))

    def relabel(self, edits: Mapping[str, Any] | None) -> Self:
        """Name, merge and split clusters: ``{"names": {"0": "a name"}, "merge": [[1, 4]], "split": [...]}``,
        as a report exports. :meth:`propose_split` makes splits.

        ``predict``, ``predict_proba``, ``sample``, ``report`` and files use these edits; ``labels_``,
        ``weights_`` and the model are not changed. Earlier edits are replaced; ``None`` removes them.

        Raises:
            ValueError: if edits have another form, or name clusters that do not exist.
        """
        check_is_fitted(self)
        c = self.model_.config
        self.relabelled_ = Relabelling.of(edits or {}, c.clusters, c.x_size)
        return self

    @isolated
    def propose_split(self, X: Any, cluster: int) -> dict[str, Any]:
        r"""Propose how to split a cluster in two, as an item of ``split`` for :meth:`relabel`. A Gaussian
        mixture of two components is fitted to the means of x of the cluster's rows
        (:func:`gmvae.partition.split.halves`). The new part gets the number K, or the next free one.

        Arguments:
            X: Rows like those of the fit, (N, D).
            cluster: The number of the cluster, as ``predict`` gives it.

        Raises:
            ValueError: if the cluster has fewer than ten of these rows or no two parts, or is a merged one.
        """
        if any(cluster in group for group in self.relabelled_.merge):
            raise ValueError(
                f"cluster {cluster} is merged with others: take the merge back before you split it"
            )
        mine = self.predict_proba(X).argmax(1) == cluster
        found = halves(self._each(X, inference.embed)[mine], int(cluster))
        if found is None:
            raise ValueError(
                f"cluster {cluster} has {mine.sum():,} of these rows, which do not form two parts"
            )
        return found.to_json()

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
        """The lower bound on log p(y) of each row, (N,), in nats. With a Gaussian likelihood p(y) is a
        density over the columns in the units of X. The noise is a function of the values of the row. So the
        score of a row does not depend on the other rows, and is the same every time."""
        rows = self._rows(X)
        return self._density(rows) + self._log_dets(rows)

    def score(self, X: Any, y: object = None) -> float:
        """The mean of :meth:`score_samples`; ``y`` is ignored."""
        return float(self.score_samples(X).mean())

    @isolated
    def sample(self, n_samples: int = 1, cluster: int | None = None) -> tuple[Array, NDArray[np.int64]]:
        """Draw new observations, (n_samples, D), and return them with their clusters, (n_samples,).

        z is ``cluster`` or else drawn from ``weights_``; the model's uniform p(z) would also draw clusters
        without data. Then w, x and y are drawn. If a Bernoulli model was fitted to more than zeros and ones,
        the values are the means of p(y | x). A column with only one value in the data has it here, too.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(f"n_samples is {n_samples}: it must be a whole number of at least 1")
        clusters = self.relabelled_.count(len(self.weights_))
        if cluster is not None and not 0 <= cluster < clusters:
            raise ValueError(f"cluster is {cluster}: it must be a whole number from 0 to {clusters - 1}")
        rng = check_random_state(self.random_state)
        groups = self.relabelled_.groups(len(self.weights_))
        shares = self.relabelled_.split_shares(self.weights_)
        if cluster is None:
            z = rng.choice(clusters, n_samples, p=shares)
        elif len(merged := np.flatnonzero(groups == groups[cluster])) > 1:
            weights = shares[merged] + np.finfo(float).tiny  # equal if none of them has a row
            z = rng.choice(merged, n_samples, p=weights / weights.sum())
        else:
            z = np.full(n_samples, cluster)
        model = precise(self.model_)
        zero = model.generative.zero
        stream = RandomStream(int(rng.randint(2**31 - 1)), zero.device)

        def observe(x: torch.Tensor) -> torch.Tensor:
            p_y = model.generative.p_y(x)
            if not isinstance(p_y, Bernoulli):
                return p_y.rsample(1, stream.local)[0]
            return torch.bernoulli(p_y.mean, generator=stream.local) if self._binary else p_y.mean

        with self._threads(), inference.evaluating(model):
            drawn = draw(model, self.relabelled_, z, stream, observe)
        samples = self._scaling.undo(drawn.cpu().numpy())
        samples[:, list(self._constants)] = list(self._constants.values())
        return samples, groups[z]

    @property
    @isolated
    def means_(self) -> Array:
        r"""The mean of each cluster in the units of the data, (K, D),
        :math:`\mathbb E[y|z] = \mathbb E_{p(w)\,p_\beta(x|w,z)}\,\mathbb E_{p_\theta(y|x)}[y]`, from 1,000
        fixed draws. These are means under the model; :meth:`describe` has the means of rows. For a column of
        text they are the shares of its values."""
        check_is_fitted(self)
        c, model = self.model_.config, precise(self.model_)
        zero, found = model.generative.zero, []
        stream = RandomStream(0, zero.device)
        with self._threads(), inference.evaluating(model):
            w = torch.randn(MEANS, c.w_size, generator=stream.cpu, dtype=torch.float32).to(zero)
            x = model.generative.p_x(w).rsample(1, stream.local)[0]
            for k in range(c.clusters):  # one after the other, since an observation can be wide
                found.append(model.generative.p_y(x[:, k]).mean.mean(0).cpu().numpy())
        means = self._scaling.undo(np.stack(found))
        means[:, list(self._constants)] = list(self._constants.values())
        return means

    def _log_dets(self, rows: Observations) -> Array:
        """The log-determinant of each row, (n,), in nats: what must be added to a log-density in the model's
        units to get one in the units of the data."""
        if self.likelihood_ != "gaussian":
            return np.zeros(len(rows.order))
        return rows.log_dets(self._scaling)

    def _table(self, X: Any, *, reset: bool) -> Any:
        """X as rows of numbers, (N, D)."""
        impute, texts = self.missing == "impute", self.text == "one-hot"
        if reset:
            self._labels = labels(X)
        else:
            check_labels(X, getattr(self, "_labels", None))
        X = given = rows_of(X, impute=impute, texts=texts, fitted=not reset)
        X = without_index(X, () if reset else self._names())
        if reset:
            # the index of a data frame in an Arrow table is not one of its columns: no warning
            left_out = [] if X is given else sorted({"", "Unnamed: 0"} & {*column_names(given)})
            if left_out:
                warn(f"columns of X that name its rows are left out: {left_out}", UserWarning, stacklevel=2)
            self.schema_, X = taken(X, ReadOptions(missing=self.missing, text=self.text))
            if self.schema_ is not None:
                self.n_features_in_ = self.schema_.y_shape[0]
                if self.schema_.features:
                    self.feature_names_in_ = np.array(self.schema_.features, dtype=object)
                return X
        if self.schema_ is None:
            options = {"accept_sparse": "csr", "ensure_all_finite": False}
            if not reset:
                check_numbers(X, self._names())
            return finite(validate_data(self, X, reset=reset, **options), fitted=not reset)
        rows = check_array(encoded(X, self.schema_), accept_sparse="csr", ensure_all_finite=False)
        X = finite(rows, fitted=True)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but GMVAE is expecting {self.n_features_in_} features as input"
            )
        return X

    def _names(self) -> tuple[str, ...]:
        """Names of the columns that X was fitted with, if they had names."""
        if self.schema_ is not None and self.schema_.columns:
            return tuple(self.schema_.columns)
        return tuple(getattr(self, "feature_names_in_", ()))

    def _rows(self, X: Any) -> Observations:
        check_is_fitted(self)
        X = self._table(X, reset=False)
        self._check(X)
        return Observations(X, self._scaling, self._y_shape, self.model_.generative.zero.device)

    def _check(self, X: Any) -> None:
        """Raise ``ValueError`` if rows of a Bernoulli model, or images, are not in the unit that the model
        was fitted to."""
        if self.likelihood_ == "bernoulli":
            for _, values in chunks(X):
                self._scaling.check(values)
        elif len(self._y_shape) == 3 and (edges := self.model_.recognition.edges()) is not None:
            ends = self._scaling.undo(torch.stack(edges).cpu().double().numpy())
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
                "the model has no limits for outliers: it comes from an experiment of the paper, or from an "
                "earlier version, so fit it again"
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

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(renamed(state))
