"""The estimator's parameters as a configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

import numpy as np

from gmvae.config import Config, ModelConfig, ObjectiveConfig, Scale, Section, TrainingConfig
from gmvae.rules import no_choice, real, whole

WORDS = {
    "scale": get_args(Scale),
    "missing": ("error", "impute"),
    "text": ("error", "one-hot"),
    "outliers": ("keep", "label"),
}
"""Parameters of the estimator that are in no section of the configuration, with their allowed values."""
AUTO = ", or 'auto'"
"""What the message about a number adds if the number can be left open."""


def configuration(given: Mapping[str, Any], seed: int = 0) -> Config:
    """Return the parameters of the estimator as a configuration, for one seed.

    Raises:
        ValueError: if a parameter is not valid.
    """
    p = {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}
    if p["n_clusters"] == "auto":
        p["n_clusters"] = 0
    else:
        whole("n_clusters", p["n_clusters"], 1, AUTO)
    whole("n_init", p["n_init"], 1)
    for name, allowed in WORDS.items():
        if p[name] not in allowed:
            raise ValueError(no_choice(name, p[name], allowed))
    whole("max_clusters", p["max_clusters"], 2)
    if p["verbose"] != "auto":
        whole("verbose", int(p["verbose"]) if isinstance(p["verbose"], bool) else p["verbose"], 0, AUTO)
    if not 0 <= p["tol"] < math.inf:
        raise ValueError(f"tol is {p['tol']!r}: it must be a finite number of at least 0")
    whole("batch_size", p["batch_size"], 2)
    epochs = 0 if p["epochs"] == "auto" else p["epochs"]
    whole("epochs", epochs, 0 if p["epochs"] == "auto" else 1, AUTO)
    if p["learning_rate"] == "auto":
        p["learning_rate"] = 0
    else:
        real("learning_rate", p["learning_rate"], minimum=0, open_end=True)
    rounds = 0 if p["rounds"] == "auto" else p["rounds"]
    whole("rounds", rounds, 0 if p["rounds"] == "auto" else 1, AUTO)
    if p["hidden_size"] is None:
        p["hidden_size"] = 0
    else:
        whole("hidden_size", p["hidden_size"], 1)
    shares = {name: share(name, p[name]) for name in ("warm_up", "cv_warm_up", "n_iter_no_change")}
    if p["network"] == "auto" and not p["image_shape"]:
        p["network"] = "fc"
    known = {**p, **shares, "clusters": p["n_clusters"], "epochs": epochs, "rounds": rounds, "seed": seed}
    known |= {"max_clusters": p["max_clusters"], "restarts": p["n_init"], "device": str(p["device"])}
    return Config(
        model=section(ModelConfig, known),
        objective=section(ObjectiveConfig, known),
        training=section(TrainingConfig, known),
    )


def section(kind: type[Section], known: Mapping[str, Any]) -> Section:
    """A section of the configuration from the parameters that are its fields."""
    names = [field.name for field in fields(kind) if field.name in known]  # type: ignore[arg-type]
    return kind(**{name: known[name] for name in names})


def share(name: str, value: Any) -> float:
    """Check a number of epochs that can also be a share of all epochs: a float up to 1.0. In the
    configuration only values below 1 are shares, so 1.0 becomes the next smaller float."""
    if isinstance(value, float) and 0 <= value <= 1:
        return min(value, math.nextafter(1.0, 0.0))
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(
            f"{name} is {value!r}: it must be a whole number of epochs, or a share from 0.0 to 1.0"
        )
    return value
