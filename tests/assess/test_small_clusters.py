"""Small clusters count as in use, and are reported as small; only clusters without rows have "no data"."""

from __future__ import annotations

import numpy as np
import pytest
from small_fits import quick

from gmvae.assess.diagnostics import Diagnostics, confusion
from gmvae.assess.doctor import diagnose
from gmvae.config import ModelConfig, ObjectiveConfig

rng = np.random.default_rng(0)
CENTRES = np.array([[0.0, 0, 0], [9, 0, 9], [0, 9, -9], [-12, -12, 0]])
LABELS = np.repeat(np.arange(4), [200, 160, 130, 10])
Y = CENTRES[LABELS] + 0.5 * rng.normal(size=(500, 3))
SHARES = np.bincount(LABELS) / 500


@pytest.fixture(scope="module")
def ten_rows():
    """A fit that finds all four groups, including the one of ten rows."""
    return quick(n_clusters=4, epochs=40, init="kmeans").fit(Y)


@pytest.mark.slow
def test_ten_rows_are_a_cluster(ten_rows):
    np.testing.assert_array_equal(ten_rows.labels_, LABELS)
    assert ten_rows.n_clusters_used_ == 4
    assert ten_rows.diagnostics_.occupancy == pytest.approx(SHARES)
    assert "dead" not in {finding.name for finding in ten_rows.findings_}
    (small,) = (finding for finding in ten_rows.findings_ if finding.name == "small")
    assert small.severity == "note"
    assert small.message == "Small clusters, each with less than a tenth of an equal share: 3 (2.00%)."


@pytest.mark.slow
def test_clusters_without_a_row_hold_no_data(monkeypatch):
    labels = np.where(LABELS == 2, 4, LABELS)
    monkeypatch.setattr("gmvae.fit.result.number", lambda *given, **named: (labels, SHARES))
    model = quick(n_clusters=6, epochs=1).fit(Y)
    assert model.n_clusters_used_ == 4
    assert model.diagnostics_.occupancy == pytest.approx([0.4, 0.32, 0, 0.02, 0.26, 0])
    decided = Diagnostics(model.diagnostics_.occupancy, 0.0, 1.2, 1, 1, 1.0, (), 1.0)
    (dead,) = diagnose(decided, ModelConfig(clusters=6), ObjectiveConfig())
    assert (dead.name, dead.message) == ("dead", "2 of 6 clusters hold no data; 4 are in use.")


@pytest.mark.slow
def test_a_small_cluster_is_counted_even_if_diagnostics_use_a_sample(monkeypatch, ten_rows):
    """Diagnostics are computed on a sample of the rows, but the size of a cluster on all rows."""
    monkeypatch.setattr("gmvae.fit.result.MEASURED", 20)
    again = quick(n_clusters=4, epochs=40, init="kmeans").fit(Y)
    assert again.diagnostics_.occupancy == ten_rows.diagnostics_.occupancy
    assert {finding.name for finding in again.findings_} >= {"small"}
    assert "dead" not in {finding.name for finding in again.findings_}


def test_small_clusters_and_one_that_holds_nearly_all():
    diagnostics = Diagnostics((0.995, 0.005, 0.0), 0.0, 0.03, 1, 1, 1.0, (), 1.0)
    found = diagnose(diagnostics, ModelConfig(clusters=3), ObjectiveConfig())
    assert [finding.name for finding in found] == ["one-cluster", "small"]
    assert found[1].message.endswith("share: 1 (0.50%).")


def test_a_small_cluster_can_share_its_rows_with_another():
    q = np.repeat([[1.0, 0, 0], [0.4, 0.6, 0]], [500, 10], axis=0)
    assert confusion(q) == ((0, 1, 0.4),)
    rest = np.repeat([[0.99, 0.01, 0]], 510, axis=0)  # no row's cluster: what is left of q is nothing
    assert confusion(rest) == ()
