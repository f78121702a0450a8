"""One fit to the rows of a table: start, loop and early stopping, and what restarts are compared by."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gmvae.assess.diagnostics import Signs, examine
from gmvae.config import ModelConfig, ObjectiveConfig, Section, TrainingConfig
from gmvae.data.rows import Rows
from gmvae.fit.clusters import choose_clusters
from gmvae.fit.holdout import Holdout, Trial, choose_epochs
from gmvae.fit.scores import merits
from gmvae.model import objective
from gmvae.model.inference import assign, evaluating
from gmvae.model.noise import noise
from gmvae.model.objective import Terms
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.partition.stability import LOOKED_AT, Choice
from gmvae.progress import Told
from gmvae.start.begin import SHOWN, Start, auto_epochs, begin, may_teach
from gmvae.training.loop import Trainer
from gmvae.training.random import RandomStream

DRAWS = 16
"""Samples of x and w in the bound of an observation."""
MEASURED = 10_000
"""Distinct rows that values and bounds are averaged over, where there are more."""
HIDDEN, HIDDEN_IMAGES = 128, 256
"""Units of each hidden layer where nobody says how many: for tables and for images."""
AT_ONCE = 1000
"""Observations that are computed at once."""


@dataclass(frozen=True)
class Plan:
    """How a model is fitted, with ``patience`` (``None`` for endless) for epochs in which the held-out loss
    falls by less than ``tol``."""

    model: ModelConfig
    objective: ObjectiveConfig
    training: TrainingConfig
    restarts: int
    patience: int | None
    tol: float


@dataclass(frozen=True)
class Fit:
    """A fitted model, the records of its epochs, and its full-weight loss in nats per observation on the
    held-out rows or, without them, on those it was fitted to."""

    model: GaussianMixtureVAE
    history: list[dict[str, Any]]
    loss: float
    seed: int
    start: Start | None = None
    """How it started; ``None`` where it went on with a model."""


def plan(given: Mapping[str, Any], likelihood: str = "gaussian", draws: int = 2, shown: int = 2) -> Plan:
    """What the parameters of the estimator amount to, for so many observations in a pass, and so many that a
    start is made of.

    Raises:
        ValueError: where a parameter breaks its rule.
    """
    p = {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}
    if p["n_clusters"] == "auto":
        p["n_clusters"] = 0
    else:
        whole("n_clusters", p["n_clusters"], 1)
    whole("n_init", p["n_init"], 1)
    whole("max_clusters", p["max_clusters"], 2)
    if p["likelihood"] not in ("auto", "bernoulli", "gaussian"):
        raise ValueError(f"likelihood is {p['likelihood']!r}: it must be auto, bernoulli or gaussian")
    if not 0 < p["validation_fraction"] < 1:
        raise ValueError(f"validation_fraction is {p['validation_fraction']!r}: it must be between 0 and 1")
    if not 0 <= p["tol"] < math.inf:
        raise ValueError(f"tol is {p['tol']!r}: it must be a finite number of at least 0")
    whole("batch_size", p["batch_size"], 2)
    network = p["network"]
    if network == "auto":
        network = "compact" if p["image_shape"] else "fc"
    epochs = p["epochs"]
    if epochs == "auto":
        taught = may_teach(p["init"], p["assignment"], shown, image=bool(p["image_shape"]))
        epochs = auto_epochs(draws, p["batch_size"], taught=taught)
    whole("epochs", epochs, 1)
    shares = {name: spell(name, p[name], epochs) for name in ("warm_up", "cv_warm_up", "n_iter_no_change")}
    rounds = 0 if p["rounds"] == "auto" else p["rounds"]
    whole("rounds", rounds, 0 if p["rounds"] == "auto" else 1)
    known = {**p, **shares, "clusters": p["n_clusters"], "epochs": epochs, "rounds": rounds}
    known["most_clusters"] = p["max_clusters"]
    known |= {"likelihood": likelihood, "network": network}
    if p["hidden_size"] is None:
        known["hidden_size"] = HIDDEN if network == "fc" else HIDDEN_IMAGES
    return Plan(
        model=section(ModelConfig, known),
        objective=section(ObjectiveConfig, known),
        training=section(TrainingConfig, known),
        restarts=p["n_init"],
        patience=max(1, shares["n_iter_no_change"]) if p["early_stopping"] else None,
        tol=p["tol"],
    )


def section(kind: type[Section], known: Mapping[str, Any]) -> Section:
    """A section of the configuration from the parameters that are its fields."""
    names = [field.name for field in fields(kind) if field.name in known]  # type: ignore[arg-type]
    return kind(**{name: known[name] for name in names})


def spell(name: str, value: Any, epochs: int) -> int:
    """A number of epochs that may be given as a share of all epochs."""
    if isinstance(value, float) and 0 <= value <= 1:
        return -int(-value * epochs // 1)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(
            f"{name} is {value!r}: it must be epochs, whole and at least 0, or a share from 0.0 to 1.0"
        )
    return value


def whole(name: str, value: Any, least: int) -> None:
    """``ValueError`` where a value is no whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} is {value!r}: it must be a whole number of at least {least}")


def fit(
    plan: Plan,
    rows: Rows,
    held_out: Rows | None,
    seed: int,
    before: GaussianMixtureVAE | None = None,
    done: int = 0,
    held: bool = False,
    told: Callable[[dict[str, Any]], object] = lambda _: None,
    begun: Told = lambda _: None,
    edges: tuple[Tensor, Tensor] | None = None,
) -> Fit:
    """Fit a model to rows, from the start or on from where an earlier fit ended.

    Arguments:
        plan: What to do.
        rows: The observations.
        held_out: Observations to stop early on; the model of the epoch with the least loss on them is kept.
        seed: Seed of everything but what came before.
        before: A model to go on with.
        done: The number of its epochs; it does not warm up again.
        held: Whether that model has been taught its clusters, and is held to them.
        told: Called with the record of each epoch.
        begun: Called with the share of the start that is done.
        edges: The least and the greatest of each number of an observation, scaled, (size of y,) each.
    """
    stream = RandomStream(seed, rows.device)
    model, start, rows = before, None, rows.drawing(stream.cpu)
    if model is not None:
        if edges is not None:
            model.recognition.take_range(*edges, widen=True)
        plan = replace(plan, objective=replace(plan.objective, warm_up=0, cv_warm_up=0))
    else:
        model = fresh(lambda: GaussianMixtureVAE(rows.y_shape, plan.model), stream.cpu).to(rows.device)
        if edges is not None:
            model.recognition.take_range(*edges)
        some = rows.most(SHOWN)
        start = begin(
            model,
            rows,
            some.tensor(),
            plan.objective,
            plan.training,
            seed=seed,
            stream=stream,
            weights=some.weights,
            told=begun,
        )
    training = replace(plan.training, epochs=done + plan.training.epochs)
    trainer = Trainer(model, plan.objective, training, stream)
    trainer.epoch = done
    if held or (start is not None and start.init == "manifold"):
        trainer.hold()
    stopping = Stopping(plan)
    history: list[dict[str, Any]] = []
    for record in trainer.epochs(rows):
        history.append(record)
        if held_out is not None:
            record["validation_loss"] = full_loss(model, held_out, plan)
        told(record)
        if held_out is not None and stopping.after(record, model):
            break
    if stopping.best is not None:
        model.load_state_dict(stopping.best)
    return Fit(model.eval(), history, full_loss(model, held_out or rows, plan), seed, start)


def choose(plan: Plan, rows: Rows, seed: int, told: Told = lambda _: None) -> Choice:
    """The number of clusters of rows, where the plan leaves it open."""
    some = rows.most(LOOKED_AT).tensor()
    stream = RandomStream(seed, rows.device)
    y = rows.drawing(stream.cpu)
    return choose_clusters(y, some, plan.model, plan.training, seed=seed, stream=stream, told=told)


def hold_out(
    plan: Plan,
    planned: Callable[[int], Plan],
    rows: Rows,
    share: float,
    seed: int,
    edges: tuple[Tensor, Tensor] | None = None,
    told: Told = lambda _: None,
) -> Holdout:
    """The number of epochs of a fit to rows that are few for their columns, found by a share of them that is
    held out (:func:`gmvae.fit.holdout.choose_epochs`).

    Arguments:
        plan: What to do, in so many epochs at most.
        planned: The same for other numbers of epochs.
        rows: The observations.
        share: The share.
        seed: Seed of which rows are held out, and of everything else.
        edges: As for :func:`fit`.
        told: Called with the share of this that is done.
    """
    used, held_out = rows.split(share, np.random.RandomState(seed))
    some, unseen = used.most(SHOWN), held_out.most(MEASURED)
    return choose_epochs(
        lambda stream: used.drawing(stream.cpu),
        some.tensor(),
        unseen.tensor(),
        plan.model,
        lambda epochs: planned(epochs).objective,
        plan.training,
        seed=seed,
        weights=some.weights,
        held_out_weights=unseen.weights,
        edges=edges,
        told=told,
    )


def stopped(fit: Fit, used: Rows, held_out: Rows, epochs: int) -> Holdout:
    """What rows say that a fit has stopped early by."""
    parts = used.most(MEASURED), held_out.most(MEASURED)
    seen, unseen = (objective.elbo(each_terms(fit.model, rows)).numpy() for rows in parts)
    trial = Trial.of(len(fit.history), seen, unseen, *(rows.weights for rows in parts))
    columns = math.prod(used.y_shape)
    return Holdout(len(held_out.order), trial.epochs, epochs, columns, (trial,))


def keep(fits: Sequence[Fit], rows: Rows) -> tuple[Fit, list[dict[str, float]]]:
    """Which of several fits to keep, without labels, and the merits of each
    (:func:`gmvae.fit.scores.merits`): the fit whose clusters agree most with those of the others or have the
    greatest modularity in the graph of nearest neighbours and, of those with the same (two always agree as
    much), the one with the least loss.

    Arguments:
        fits: The fits.
        rows: The distinct rows that their clusters are compared on, those held out among them.
    """
    found = merits([most_probable(fit.model, rows) for fit in fits], rows.most(MEASURED))
    each = [{name: float(values[i]) for name, values in found.items()} for i in range(len(fits))]
    *_, decisive = found
    best = max(range(len(fits)), key=lambda i: (round(each[i][decisive], 9), -fits[i].loss))
    return fits[best], each


class Stopping:
    """Keeps the best state of a model since its warm-ups ended, and says when to stop."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.least, self.since = plan, math.inf, 0
        self.best: dict[str, Tensor] | None = None

    def after(self, record: dict[str, Any], model: GaussianMixtureVAE) -> bool:
        """Whether to stop after the epoch of this record."""
        if min(self.plan.objective.warmth(record["epoch"])) < 1:
            return False
        value = record["validation_loss"]
        self.since = 0 if value < self.least - self.plan.tol else self.since + 1
        if value < self.least:
            self.least, self.best = value, copy.deepcopy(model.state_dict())
        return self.plan.patience is not None and self.since >= self.plan.patience


def full_loss(model: GaussianMixtureVAE, rows: Rows, plan: Plan) -> float:
    """The mean loss with its full weights, in nats per observation, on at most ``MEASURED`` distinct rows."""
    some = rows.most(MEASURED)
    terms, weights = each_terms(model, some), torch.from_numpy(some.weights)
    loss = objective.weigh(terms, plan.objective, plan.model.assignment, weights=weights.to(terms.z_prior))
    return float(np.average(loss.numpy(), weights=some.weights))


def signs(model: GaussianMixtureVAE, rows: Rows, labels: NDArray[np.int64]) -> Signs:
    """What at most ``MEASURED`` distinct rows show of a model; how many each cluster holds, of all of them,
    since a small cluster may have none among these.

    Arguments:
        model: The model.
        rows: The distinct rows.
        labels: The cluster of each row of the table.
    """
    found = examine(precise(model), torch.cat(list(rows.most(MEASURED).batches(AT_ONCE))))[0]
    held = np.bincount(labels[rows.order], minlength=model.config.clusters)
    return replace(found, occupancy=tuple((held / len(rows.order)).tolist()))


def most_probable(model: GaussianMixtureVAE, rows: Rows) -> NDArray[np.int64]:
    """The clusters of at most ``MEASURED`` distinct rows, (n,)."""
    exact = precise(model)
    parts = [assign(exact, y).argmax(1) for y in rows.most(MEASURED).batches(AT_ONCE)]
    return np.concatenate(parts)


def mean_bound(model: GaussianMixtureVAE, rows: Rows) -> float:
    """The mean lower bound, in nats per observation, on at most ``MEASURED`` distinct rows."""
    some = rows.most(MEASURED)
    return float(np.average(objective.elbo(each_terms(model, some)).numpy(), weights=some.weights))


def each_terms(model: GaussianMixtureVAE, rows: Rows, seed: int = 0) -> Terms:
    """The five terms of each observation, in nats, each of shape (N,), on the CPU.

    Every observation meets ``DRAWS`` samples of noise of its own (:func:`gmvae.model.noise.noise`): what is
    found for one does not depend on the others, and the error averages out over them.
    """
    exact = precise(model)
    at_once, size = AT_ONCE // DRAWS, model.config.x_size + model.config.w_size
    found = torch.empty(len(Terms._fields), len(rows.order), dtype=exact.generative.zero.dtype)
    with evaluating(exact):
        for part, batch in zip(found.split(at_once, 1), rows.batches(at_once), strict=True):
            # far rows share theirs: along a ray it must not hide that the bound falls
            far = exact.recognition.far(batch).reshape(-1, *[1] * len(rows.y_shape))
            drawn = noise(batch.masked_fill(far, 0), DRAWS, size, seed).to(batch)
            terms = objective.five_terms(exact, batch, DRAWS, noise=drawn)
            part.copy_(torch.stack(terms))  # kept, small results would split up the space of large ones
    return Terms(*found)


def precise(model: GaussianMixtureVAE) -> GaussianMixtureVAE:
    """A copy of a model for answers: in 64 bits, where rounding hides what else was in a batch."""
    on = model.generative.zero.device
    return copy.deepcopy(model).to(torch.float32 if on.type == "mps" else torch.float64)


def renumber(model: GaussianMixtureVAE, order: NDArray[np.int64]) -> None:
    """Give the clusters of a model new numbers: number k is what number ``order[k]`` was."""
    size = model.config
    prior = model.generative.prior[2]  # type: ignore[index]
    with torch.no_grad():
        for parameter in (prior.weight, prior.bias):
            heads = parameter.unflatten(0, (2, size.clusters, size.x_size))
            parameter.copy_(heads[:, order].flatten(0, 2))
        if isinstance(model.recognition.z, nn.Linear):
            for parameter in model.recognition.z.parameters():
                parameter.copy_(parameter[order])


def number(
    model: GaussianMixtureVAE, rows: Rows, distinct: Rows
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Number the clusters of a model by the weight of the rows that they hold, the largest first.

    Arguments:
        model: The model, changed in place.
        rows: All rows of a table, (N, D).
        distinct: Those of them that count, with their weights.

    Returns:
        The cluster of each row, (N,), and the weighted means of q(z | ...), (K,).
    """
    exact, labels, sums = precise(model), [], np.zeros(model.config.clusters)
    weights = np.zeros(len(rows.order))
    weights[distinct.order] = distinct.weights
    for start, y in enumerate(rows.batches(AT_ONCE)):
        probabilities = assign(exact, y)
        labels.append(probabilities.argmax(1))
        sums += weights[start * AT_ONCE :][: len(y)] @ probabilities
    clusters = np.concatenate(labels)
    order = np.argsort(-np.bincount(clusters, weights, minlength=len(sums)), kind="stable")
    renumber(model, order)
    return np.argsort(order)[clusters], sums[order] / sums.sum()


def narrator(plan: Plan, restart: int, done: int, verbose: int) -> Callable[[dict[str, Any]], None]:
    """Prints no record, one for each tenth of a fit, or all of them (``verbose`` 0, 1, 2)."""
    epochs = plan.training.epochs
    every = {0: epochs + 1, 1: max(1, epochs // 10)}.get(verbose, 1)

    def tell(record: dict[str, Any]) -> None:
        epoch = record["epoch"] - done
        if epoch % every == 0:
            values = ", ".join(f"{k} {record[k]:.4g}" for k in ("loss", "validation_loss") if k in record)
            print(f"GMVAE, restart {restart + 1} of {plan.restarts}, epoch {epoch} of {epochs}: {values}")

    return tell


def beginner(what: str, verbose: int) -> Told:
    """Prints how far something has come, in tenths, where ``verbose`` is above 0."""
    printed = -1

    def tell(share: float) -> None:
        nonlocal printed
        tenth = int(share * 10 + 1e-9)
        if verbose and tenth > printed:
            printed = tenth
            print(f"GMVAE, {what}: {tenth * 10} %", flush=True)

    return tell
