"""Configurations check their values, and JSON preserves them."""

import json
import math
from dataclasses import fields, replace

import pytest

from gmvae.config import Config, DataConfig, ModelConfig, ObjectiveConfig, RunConfig, TrainingConfig
from gmvae.experiments import EXPERIMENTS, experiment


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_json_gives_the_same_configuration_back(name):
    config = EXPERIMENTS[name]
    changed = replace(config, run=replace(config.run, plots=("bound",)), model=ModelConfig(clusters=3))
    assert Config.from_json(json.loads(json.dumps(changed.to_json()))) == changed != config


def test_unknown_json_fields_are_named():
    values = Config().to_json()
    values["model"]["colour"] = 3
    with pytest.raises(ValueError, match=r"model has colour: unknown here"):
        Config.from_json(values)
    with pytest.raises(ValueError, match=r"configuration has extra: unknown here"):
        Config.from_json({**Config().to_json(), "extra": {}})


@pytest.mark.parametrize(
    ("kind", "field", "value", "message"),
    [
        (ModelConfig, "clusters", -3, "clusters is -3: it must be a whole number of at least 0"),
        (ModelConfig, "clusters", 2.5, "clusters is 2.5: it must be a whole number"),
        (ModelConfig, "clusters", True, "clusters is True: it must be a whole number"),
        (ModelConfig, "x_size", 0, "x_size is 0"),
        (
            ModelConfig,
            "network",
            "deep",
            "network is 'deep': it must be one of auto, fc, compact, conv, svhn",
        ),
        (ModelConfig, "filters", 0, "filters is 0: it must be a whole number of at least 1"),
        (ModelConfig, "filters", 16.0, "filters is 16.0: it must be a whole number"),
        (ObjectiveConfig, "mc_samples", 0, "mc_samples is 0"),
        (ObjectiveConfig, "cv_weight", -0.1, "cv_weight is -0.1: it must be a finite number of at least 0"),
        (ObjectiveConfig, "cv_weight", float("nan"), "cv_weight is nan"),
        (TrainingConfig, "learning_rate", -1, "learning_rate is -1: it must be a finite number"),
        (
            TrainingConfig,
            "optimiser",
            "adamm",
            "optimiser is 'adamm': did you mean adam? It can also be one of adadelta",
        ),
        (TrainingConfig, "epoch_size", -1, "epoch_size is -1: it must be a whole number of at least 0"),
        (TrainingConfig, "epoch_size", 1e3, "epoch_size is 1000.0: it must be a whole number"),
        (TrainingConfig, "device", "gpu", "device is 'gpu'"),
        (DataConfig, "labels_path", "l.npy", "labels_path is 'l.npy' without a path"),
        (DataConfig, "dataset", "cifar", "dataset is 'cifar': it must be one of spiral, mnist"),
        (RunConfig, "plots", ("loss",), "plots is 'loss'"),
        (RunConfig, "measure_limit", 0, "measure_limit is 0: it must be a whole number of at least 1"),
        (RunConfig, "measure_limit", 0.5, "measure_limit is 0.5: it must be a whole number"),
    ],
)
def test_a_bad_value_is_named_with_its_rule(kind, field, value, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        kind(**{field: value})
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("warm_ups", "shares"),
    [
        ((0, 0), {1: (1, 1), 2: (1, 1)}),
        ((3, 0), {1: (0, 1), 2: (1 / 3, 1), 3: (2 / 3, 1), 4: (1, 1), 5: (1, 1)}),
        ((0, 3), {1: (1, 0), 2: (1, 1 / 3), 4: (1, 1)}),
        ((2, 4), {1: (0, 0), 2: (0.5, 0), 3: (1, 0), 4: (1, 0.25), 5: (1, 0.5), 7: (1, 1), math.inf: (1, 1)}),
    ],
)
def test_divergences_warm_up_first_and_the_consistency_violation_after_them(warm_ups, shares):
    config = ObjectiveConfig(warm_up=warm_ups[0], cv_warm_up=warm_ups[1])
    assert {epoch: config.warmth(epoch) for epoch in shares} == {
        epoch: pytest.approx(share) for epoch, share in shares.items()
    }


def test_flags_are_flat():
    names = [f.name for section in fields(Config) for f in fields(section.default_factory)]
    assert len(names) == len(set(names))


def test_unknown_experiment():
    with pytest.raises(ValueError, match=r"experiment is 'spirla': did you mean spiral"):
        experiment("spirla")
