"""The doctor's findings about tables, on fits to tables with these problems."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from small_fits import taught

from gmvae.assess.diagnostics import Diagnostics
from gmvae.assess.doctor import diagnose
from gmvae.config import ModelConfig, ObjectiveConfig
from gmvae.data.oddities import Oddities

BLOBS, LABELS = make_blobs(240, 3, centers=3, random_state=1)
ODD = {"heavy-tails", "nearly-constant", "wide", "duplicates"}


def odd(y, **options) -> dict[str, str]:
    """The findings about a table, by name."""
    findings = taught(**options).fit(y).findings_
    return {f.name: f"{f.severity}: {f.message}" for f in findings if f.name in ODD}


@pytest.mark.parametrize(("names", "called"), [((), "1, 2, counted from 0."), (("a", "b", "c"), "b, c.")])
def test_the_advice_on_heavy_tails_is_in_the_words_of_shell_and_python(names, called):
    calm = Diagnostics((0.5, 0.5), 0.0, 0.69, 1, 1, 1.0, (), 1.0)
    found = Oddities(240, 240, 3, heavy=(1, 2), names=names)
    (finding,) = diagnose(calm, ModelConfig(clusters=2), ObjectiveConfig(), oddities=found)
    assert finding.message.endswith(f"the others look alike: {called}")
    assert str(finding).endswith("or bring them nearer with scale=robust or scale=log.")
    assert finding.in_shell().endswith("or bring them nearer with --scale robust or --scale log.")


@pytest.mark.slow
def test_blobs_have_no_odd_columns():
    assert odd(BLOBS) == {}


@pytest.mark.slow
def test_columns_with_heavy_tails_are_named():
    rng = np.random.default_rng(0)
    y = pd.DataFrame(BLOBS, columns=["a", "b", "c"]).assign(d=rng.standard_cauchy(240) ** 3)
    assert odd(y, scale="standard")["heavy-tails"].endswith("alike: d.")
    assert odd(y, scale="robust") == {}
    assert "heavy-tails" not in odd(y.clip(-50, 50).assign(d=rng.normal(size=240)))


@pytest.mark.slow
def test_a_column_that_is_nearly_constant_is_named():
    y = np.c_[BLOBS, np.zeros(240)]
    y[7, 3] = 1.0
    assert odd(y)["nearly-constant"].startswith(
        "note: Columns with one value in more than 99 % of the rows: 3, counted from 0."
    )
    y[:5, 3] = 1.0  # six of 240
    assert odd(y) == {}


@pytest.mark.slow
def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    y = np.c_[BLOBS[:60], rng.normal(size=(60, 57))]
    assert odd(y)["wide"].startswith("note: There are 60 columns and only 60 distinct rows")
    assert odd(y[:, :59]) == {}


@pytest.mark.slow
def test_copies_of_rows():
    assert odd(np.repeat(BLOBS, 3, axis=0)) == {
        "duplicates": "note: 67% of the rows are copies of others: 240 of 720 differ."
    }
    assert odd(np.repeat(BLOBS, 2, axis=0)) == {}  # half of them, and no more


@pytest.mark.parametrize(
    ("pairs", "groups"),
    [
        ([(0, 1)], "Clusters 0 and 1 overlap: they may be one group."),
        ([(0, 1), (1, 3), (0, 3)], "Clusters 0, 1 and 3 overlap: they may be one group."),
        ([(2, 3), (0, 1)], "Clusters 0 and 1; 2 and 3 overlap: each of these may be one group."),
        ([(1, 2), (3, 4), (2, 4)], "Clusters 1, 2, 3 and 4 overlap: they may be one group."),
    ],
)
def test_a_group_of_clusters_is_named_once(pairs, groups):
    diagnostics = Diagnostics(
        occupancy=(0.2,) * 5, z_entropy=0.1, z_information=1.5, active_x=2, active_w=1, agreement=1.0,
        confused=(), smallest_variance=1.0,
    )  # fmt: skip
    shared = tuple((i, j, 0.4) for i, j in pairs)
    found = diagnose(
        replace(diagnostics, confused=shared), ModelConfig(clusters=5, x_size=2), ObjectiveConfig()
    )
    assert [f.message for f in found if f.name == "merged"] == [groups]
    assert diagnose(diagnostics, ModelConfig(clusters=5, x_size=2), ObjectiveConfig()) == []
