"""The configuration of a run: the model, the objective, the training, the data and the run folder.

Every field is also a flag of the command line (``x_size`` is ``--x-size``); the string below a field is the
help text of that flag. A configuration checks its values when it is made, and never changes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, Self, TypeVar, get_args

from gmvae.rules import choice, real, renamed, span, whole

Section = TypeVar("Section")

Network = Literal["auto", "fc", "compact", "conv", "svhn"]
Likelihood = Literal["auto", "bernoulli", "gaussian"]
Assignment = Literal["recogniser", "posterior"]
Optimiser = Literal[
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "asgd",
    "nadam", "radam", "rmsprop", "rprop", "sgd", "sign",
]  # fmt: skip
Start = Literal["auto", "random", "kmeans", "candidates", "manifold"]
Augment = Literal["auto", "none", "image", "table"]
Scale = Literal["auto", "standard", "robust", "log", "unit", "common", "none"]
Tracker = Literal["none", "tensorboard"]
Precision = Literal["auto", "float32", "bfloat16"]
DatasetName = Literal["spiral", "mnist", "fashion_mnist", "svhn", "file"]
Plot = Literal[
    "latent", "recon", "samples", "styles", "bound", "terms", "consistency", "scores", "shares", "stability"
]

DEVICE = r"auto|cpu|mps|cuda(:\d+)?"
"""Pattern of the names of devices."""
DEVICES = "auto, cpu, cuda, cuda:N (N from 0) or mps"
"""The same in words."""


@dataclass(frozen=True)
class ModelConfig:
    """The generative and the recognition model."""

    clusters: int = 10
    """Number of clusters, K; 0 or auto chooses the greatest stable number, and says whether it is sure."""
    max_clusters: int = 20
    """Maximum number of clusters that --clusters 0 tries."""
    x_size: int = 10
    """Size of x, the continuous latent that holds the clusters."""
    w_size: int = 10
    """Size of w, the latent that shapes the clusters."""
    hidden_size: int = 500
    """Units of each hidden layer, H; 0 for 128, or 256 for networks with convolutions."""
    network: Network = "fc"
    """Bodies of recogniser and decoder: fc for any data; compact, conv (as for MNIST) and svhn for images;
    auto is compact for images of at least 4x4 pixels, else fc."""
    filters: int = 16
    """Filters of the first convolution (networks compact, conv, svhn); later ones have two and four times as
    many."""
    likelihood: Likelihood = "gaussian"
    """p(y | x): bernoulli for observations in [0, 1], gaussian for real numbers; auto chooses, and says
    why."""
    min_variance: float = 0.0
    """Minimum variance of a gaussian p(y | x), added to the decoder's, for columns scaled to variance 1; 0
    for none."""
    assignment: Assignment = "recogniser"
    """q(z | ...): a softmax head on y (recogniser, paper version 1) or Bayes' rule (posterior, version 2)."""

    def __post_init__(self) -> None:
        whole("clusters", self.clusters, 0)
        whole("max_clusters", self.max_clusters, 2)
        whole("hidden_size", self.hidden_size, 0)
        for name in ("x_size", "w_size", "filters"):
            whole(name, getattr(self, name), 1)
        real("min_variance", self.min_variance, minimum=0)
        choice("network", self.network, Network)
        choice("likelihood", self.likelihood, Likelihood)
        choice("assignment", self.assignment, Assignment)


@dataclass(frozen=True)
class ObjectiveConfig:
    """The weights of the five terms. The reported bound never contains them."""

    cv_weight: float = 1.0
    """Weight of the consistency violation, alpha; 0 turns it off (assignment recogniser)."""
    z_prior_weight: float = 1.0
    """Weight of the z prior term, eta; 0 turns it off (assignment recogniser)."""
    min_information: float = 0.5
    """Minimum information constraint, lambda, in nats: below it the z prior term costs nothing (assignment
    posterior)."""
    mc_samples: int = 1
    """Monte Carlo samples of x and w per observation, M."""
    view_weight: float = 10.0
    """Weight of the view consistency, which makes q(z | y) agree on all augmented views of an observation
    (see --augment); 0 turns it off."""
    warm_up: float = 0
    """Epochs over which the weight of the three divergences (terms 2, 3, 4) grows from 0 to 1; a value below
    1 is a share of all epochs, 0 for none."""
    cv_warm_up: float = 0
    """Epochs after --warm-up over which the weight of the consistency violation grows from 0; a value below 1
    is a share of all epochs, 0 for none."""

    def __post_init__(self) -> None:
        for name in ("cv_weight", "z_prior_weight", "min_information", "view_weight"):
            real(name, getattr(self, name), minimum=0)
        whole("mc_samples", self.mc_samples, 1)
        for name in ("warm_up", "cv_warm_up"):
            span(name, getattr(self, name))

    def resolved(self, epochs: int) -> Self:
        """Return the same with warm-ups in whole epochs; shares are of the number of ``epochs``."""
        warm_up, cv_warm_up = (whole_epochs(value, epochs) for value in (self.warm_up, self.cv_warm_up))
        return replace(self, warm_up=warm_up, cv_warm_up=cv_warm_up)

    def warmth(self, epoch: float) -> tuple[float, float]:
        """The warm-up factors, from 0 to 1, of the divergences and of the consistency violation in an epoch,
        counted from 1. The second starts to grow when the first has reached 1."""
        divergences = _share(epoch - 1, self.warm_up)
        return divergences, _share(epoch - 1 - self.warm_up, self.cv_warm_up)


@dataclass(frozen=True)
class TrainingConfig:
    """How the objective is optimised."""

    optimiser: Optimiser = "adam"
    """An optimiser of torch, or sign: steps of a fixed size against the sign of the gradient, as in the
    original code."""
    learning_rate: float = 1e-4
    """Step size of the optimiser; 0 for 3e-3 if a table's clusters are taught first, else 1e-3. If clusters
    are anchored, it decays over the second half of the fit."""
    batch_size: int = 50
    """Observations per step."""
    epochs: int = 100
    """Passes over the data; 0 for at least 800 steps and 4 passes if q(z | y) is taught pseudo-labels first,
    else (init random, assignment posterior) for at least 1,500 steps and 20 passes. A table that learns
    nothing more has fewer, and so has one of few rows."""
    init: Start = "random"
    """Pseudo-labels that q(z | y) is taught before the fit: the best partition of several methods, chosen
    without labels (candidates), that of k-means (kmeans), or clusters along the manifold of the data, found
    in rounds (manifold); auto takes what suits the data; random teaches none."""
    rounds: int = 0
    """Maximum number of rounds that look for the manifold in what q(z | y) has learned (init manifold); 0 for
    7 with augmented images, and 3 otherwise."""
    augment: Augment = "none"
    """Augmented views that must be in the same cluster as their observation: image (rotated, shifted, scaled,
    sheared), table (moved to a neighbour, with values of other rows, with noise), or none; auto is none for
    images, and moves rows of tables a little while pseudo-labels are taught."""
    epoch_size: int = 0
    """Observations in a pass, drawn anew for each pass; 0 for all of the data."""
    restarts: int = 1
    """Number of fits from new weights. The best is kept, chosen without labels."""
    resamples: int = 0
    """Starts from other samples of 80 % of the rows, to measure the stability of each row's cluster and to
    calibrate its probability; 0 for none, 20 work well."""
    early_stopping: bool = False
    """Hold rows out, stop when the loss on them no longer improves, and keep the best epoch."""
    validation_fraction: float = 0.1
    """Share of the distinct rows to hold out, for --early-stopping or for finding the number of epochs."""
    n_iter_no_change: float = 0.1
    """Epochs without improvement after which to stop; a value below 1 is a share of all epochs."""
    tol: float = 1e-4
    """Minimum improvement that counts, in nats per observation."""
    seed: int = 1
    """Seed of weights, batches and noise."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1, ... or mps."""
    precision: Precision = "auto"
    """Number format of the networks in training: float32 or bfloat16; auto is bfloat16 for convolutions on a
    CUDA GPU that has it, else float32."""
    threads: int = 0
    """CPU threads; 0 uses one for small networks, and otherwise lets torch decide."""

    def __post_init__(self) -> None:
        choice("optimiser", self.optimiser, Optimiser)
        real("learning_rate", self.learning_rate, minimum=0)
        whole("batch_size", self.batch_size, 2)
        whole("epochs", self.epochs, 0)
        choice("init", self.init, Start)
        whole("rounds", self.rounds, 0)
        choice("augment", self.augment, Augment)
        choice("precision", self.precision, Precision)
        whole("epoch_size", self.epoch_size, 0)
        if self.epoch_size == 1:
            raise ValueError("epoch_size is 1: it must be 0, for all of the data, or at least 2")
        whole("restarts", self.restarts, 1)
        whole("resamples", self.resamples, 0)
        real("tol", self.tol, minimum=0)
        span("n_iter_no_change", self.n_iter_no_change)
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction is {self.validation_fraction!r}: it must be between 0 and 1"
            )
        whole("seed", self.seed, 0)
        if self.seed >= 2**63:
            raise ValueError(f"seed is {self.seed}: it must be below 2 to the power of 63")
        whole("threads", self.threads, 0)
        if not re.fullmatch(DEVICE, str(self.device)):
            raise ValueError(f"device is {self.device!r}: it must be {DEVICES}")


OF_FILES = (
    "labels_path", "label_column", "id_column", "weight_column", "stream", "separator", "decimal",
    "thousands", "encoding", "columns", "drop", "image_size", "grey",
)  # fmt: skip
"""Fields of :class:`DataConfig` that mean nothing without a ``path``."""


@dataclass(frozen=True)
class DataConfig:
    """The observations."""

    dataset: DatasetName = "spiral"
    """Which data: generated points (spiral), published images (downloaded if they are not on this machine),
    or the --path (file)."""
    path: str | None = None
    """File or folder to use in place of the data set: .csv, .tsv, .parquet, .arrow, .feather, .npy, .npz,
    .h5ad, .zarr, .t7, a folder of pictures or of .parquet files, a glob of these, or an address (s3://...)."""
    labels_path: str | None = None
    """File with a whole number for each row (.npy or .t7), used as labels."""
    label_column: str | None = None
    """Column of the labels (the name of an array in .npz; "folder" for pictures with a folder for each
    class). Labels only measure the result; training never sees them."""
    id_column: str | None = None
    """Column that names the rows: not a feature, but copied into predictions."""
    weight_column: str | None = None
    """Column of the rows' weights: not a feature. Only a row's share of the total weight counts."""
    layer: str | None = None
    """Layer or embedding of a .h5ad or .zarr file to use in place of its X, such as counts or X_pca."""
    separator: str | None = None
    """Character between the values of a text table, such as ; or tab; detected by default."""
    decimal: str | None = None
    """Decimal mark of the numbers in a text table, . or a comma; detected by default."""
    thousands: str | None = None
    """Thousands separator of the numbers in a text table, such as the comma in 1,234.5."""
    encoding: str | None = None
    """Encoding of a text table, such as cp1252; UTF-8 by default."""
    columns: tuple[str, ...] = ()
    """Columns to use as features; by default all but those of labels, ids and weights."""
    drop: tuple[str, ...] = ()
    """Columns to leave out."""
    missing: Literal["error", "impute"] = "error"
    """Whether missing values are an error, or are filled with the mean of their column."""
    text: Literal["error", "one-hot"] = "error"
    """Whether columns of text are an error, or become a 0/1 feature for each of their values."""
    image_size: int = 0
    """Pixels of each side to which pictures of a folder are resized; 0 keeps them as they are."""
    grey: bool = False
    """Convert the pictures of a folder to greyscale."""
    stream: bool = False
    """Shuffle the rows onto the disk once and read them from there while training, for data larger than
    memory; turned on automatically if the rows would take more than a quarter of the memory that the process
    may use."""
    scale: Scale = "none"
    """How the columns are scaled for a gaussian likelihood: to mean 0 and standard deviation 1 (standard); by
    median and quartiles, with far values brought nearer (robust); by logarithms (log); rows to length 1, for
    embeddings compared by cosine (unit); all columns by one factor (common); not at all (none); or as suits
    the data (auto)."""
    data_dir: str | None = None
    """Folder that has the image files, or to download them into; $GMVAE_DATA_DIR and the usual folders are
    searched too."""
    extra: bool = False
    """Also train on SVHN's 531,131 extra images."""
    points: int = 5000
    """Number of generated points."""
    arms: int = 5
    """Number of generated arms."""
    data_seed: int = 0
    """Seed of the generated points. It is separate from --seed, so runs can differ on the same data."""

    def __post_init__(self) -> None:
        choice("dataset", self.dataset, DatasetName)
        whole("points", self.points, 2)
        whole("arms", self.arms, 1)
        whole("data_seed", self.data_seed, 0)
        choice("missing", self.missing, Literal["error", "impute"])
        choice("text", self.text, Literal["error", "one-hot"])
        choice("scale", self.scale, Scale)
        whole("image_size", self.image_size, 0)
        for name in ("columns", "drop"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.stream and (self.weight_column or self.labels_path):
            given = "weight column" if self.weight_column else "labels path"
            raise ValueError(
                f"stream is on and a {given} is given: a stream has no weights, and takes its labels "
                "from --label-column"
            )
        if self.path == "":
            raise ValueError("path is empty: it must be a file or a folder")
        if self.path == "-":
            raise ValueError(
                "path is '-', standard input, which training cannot read twice: save it to a file first "
                "(gmvae predict, embed and describe take -)"
            )
        alone = [name for name in OF_FILES if getattr(self, name) and self.path is None]
        if alone:
            given = f"{alone[0]} is {getattr(self, alone[0])!r}"
            raise ValueError(f"{given} without a path: name the data it belongs to with --path")


@dataclass(frozen=True)
class RunConfig:
    """What a run writes, and where."""

    run_dir: str | None = None
    """Run folder, which must not hold a run yet; runs/EXPERIMENT-TIME by default."""
    plots: tuple[Plot, ...] = get_args(Plot)
    """Pictures to draw while training."""
    plot_every: int = 50
    """Number of epochs after which the pictures are drawn again; 0 for never."""
    keep_every: int = 0
    """Number of epochs after which a copy of the pictures is kept, as samples-20.png; 0 for never."""
    checkpoint_every: float = 60.0
    """Seconds between two checkpoints, the most work a crash can lose. One is also written at the end."""
    measure: bool = True
    """Compare clusters with labels after each epoch, if the data have labels."""
    measure_limit: int = 10_000
    """Maximum number of observations, each of training and test data, to measure on; all after the last
    epoch."""
    save_model: bool = True
    """Write model.safetensors at the end."""
    tracker: Tracker = "none"
    """Also write the records for another program: tensorboard, into tensorboard/ of the run folder."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "plots", tuple(self.plots))
        for plot in self.plots:
            choice("plots", plot, Plot)
        choice("tracker", self.tracker, Tracker)
        whole("plot_every", self.plot_every, 0)
        whole("keep_every", self.keep_every, 0)
        whole("measure_limit", self.measure_limit, 1)
        real("checkpoint_every", self.checkpoint_every, minimum=0)


@dataclass(frozen=True)
class Config:
    """Everything that decides a run."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def to_json(self) -> dict[str, Any]:
        """The configuration as nested dictionaries of JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The configuration that :meth:`to_json` wrote.

        Raises:
            ValueError: if a section or a field is unknown, or a value breaks its rule.
        """
        sections: dict[str, Any] = {}
        for section in fields(cls):
            kind = section.default_factory
            given = dict(values.get(section.name, {}))
            if section.name == "data" and "standardise" in given:  # its name before the release of 0.2.0
                given["scale"] = "standard" if given.pop("standardise") else "none"
            sections[section.name] = from_mapping(kind, given, section.name)  # type: ignore[arg-type]
        _known("configuration", values, {section.name for section in fields(cls)})
        return cls(**sections)


def from_mapping(kind: type[Section], values: Mapping[str, Any], name: str) -> Section:
    """One section of a configuration from a dictionary; ``ValueError`` if a field is unknown."""
    values = renamed(values)
    _known(name, values, {f.name for f in fields(kind)})  # type: ignore[arg-type]
    return kind(**values)


def whole_epochs(value: float, epochs: int) -> int:
    """Return a number of epochs as whole epochs; a value below 1 is a share of all epochs."""
    return math.ceil(value * epochs) if value < 1 else int(value)


def _share(done: float, duration: float) -> float:
    if not duration or done >= duration:
        return 1.0
    return max(0.0, done / duration)


def _known(what: str, given: Mapping[str, Any], names: set[str]) -> None:
    unknown = sorted(set(given) - names)
    if unknown:
        raise ValueError(
            f"{what} has {', '.join(unknown)}: unknown here, so it was written by another version"
        )
