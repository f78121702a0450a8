"""The doctor advises only what has an effect, in the words of the command line or of Python."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gmvae.assess.remedies import Remedies, as_flags
from gmvae.config import ModelConfig, ObjectiveConfig

MODEL, OBJECTIVE = ModelConfig(clusters=4), ObjectiveConfig(cv_weight=1.0, cv_warm_up=5)


def all_of(remedies: Remedies) -> str:
    each = remedies.ignored(), remedies.one_cluster(), remedies.dead(3), remedies.merged()
    return " ".join((*each, remedies.disagreement()))


def test_everything_is_advised_that_has_an_effect():
    remedies = Remedies(MODEL, OBJECTIVE, "random")
    assert remedies.ignored() == "Raise cv_weight, start with init=kmeans, or lower z_prior_weight."
    assert remedies.one_cluster() == (
        "Start with init=kmeans, lengthen cv_warm_up, or lower cv_weight; if nothing changes, the data may "
        "have no groups."
    )
    assert remedies.dead(3) == (
        "That is fine if the data have 3 groups. If they have more, lengthen cv_warm_up, lower cv_weight, "
        "start with init=kmeans, or try other seeds."
    )
    assert remedies.merged() == "Raise cv_weight, which separates clusters, or ask for fewer clusters."
    assert remedies.disagreement() == "Raise cv_weight, make w_size smaller, or train longer."


@pytest.mark.parametrize(
    ("model", "objective", "init", "absent"),
    [
        (replace(MODEL, assignment="posterior"), OBJECTIVE, "kmeans", ["cv_", "z_prior", "kmeans"]),
        (MODEL, OBJECTIVE, "kmeans", ["kmeans"]),
        (MODEL, replace(OBJECTIVE, cv_weight=0.0), "random", ["lower cv_weight", "cv_warm_up"]),
        (MODEL, replace(OBJECTIVE, z_prior_weight=0.0), "random", ["z_prior"]),
    ],
)
def test_nothing_is_advised_that_has_no_effect(model, objective, init, absent):
    said = all_of(Remedies(model, objective, init)).lower()
    assert not [word for word in absent if word in said]


def test_a_weight_of_nothing_is_to_be_raised_above_0():
    remedies = Remedies(MODEL, replace(OBJECTIVE, cv_weight=0.0), "random")
    assert remedies.ignored().startswith("Raise cv_weight (it must be above 0), start")
    assert "give cv_warm_up some epochs" in Remedies(MODEL, replace(OBJECTIVE, cv_warm_up=0), "kmeans").dead(
        2
    )


def test_the_shell_is_advised_flags():
    said = as_flags("Start with init=kmeans, give cv_warm_up some epochs, or lower learning_rate.")
    assert said == "Start with --init kmeans, give --cv-warm-up some epochs, or lower --learning-rate."
