"""Weights of rows: only their shares count, and passes and thresholds depend on distinct rows."""

from __future__ import annotations

import numpy as np
import pytest
from small_fits import taught, three_blobs

from gmvae.fit.engine import Engine

Y = three_blobs()[0][::4]
WEIGHTS = np.random.default_rng(0).gamma(1.0, size=len(Y))
fit = taught(epochs=2).fit


@pytest.fixture(scope="module")
def answers():
    """Labels and probabilities of fits without weights, and with them."""
    found = {}
    for name, weights in (("none", None), ("some", WEIGHTS)):
        model = taught(epochs=2).fit(Y, sample_weight=weights)
        found[name] = (model.labels_, model.predict_proba(Y), model.elbo_)
    assert (found["none"][1] != found["some"][1]).any()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.1, 3.0, 1e8, 1e308, 1e-300, 5e-324])
def test_a_factor_on_all_weights_changes_nothing(answers, factor):
    given = {"none": np.full(len(Y), factor)}
    if 1e-300 <= factor <= 1e8:
        given["some"] = factor * WEIGHTS
    for name, weights in given.items():
        model = taught(epochs=2).fit(Y, sample_weight=weights)
        labels, probabilities, bound = answers[name]
        np.testing.assert_array_equal(model.labels_, labels)
        np.testing.assert_array_equal(model.predict_proba(Y), probabilities)
        assert model.elbo_ == bound


@pytest.mark.parametrize("name", ["none", "some"])
def test_copies_of_all_rows_change_nothing(answers, name):
    weights = None if name == "none" else np.tile(WEIGHTS, 7)
    order = np.random.default_rng(1).permutation(7 * len(Y))
    copies = np.tile(np.arange(len(Y)), 7)[order]
    model = taught(epochs=2).fit(Y[copies], sample_weight=None if weights is None else weights[order])
    np.testing.assert_array_equal(model.labels_, answers[name][0][copies])
    np.testing.assert_array_equal(model.predict_proba(Y), answers[name][1])


@pytest.mark.parametrize("weight", [1.0, 100.0, 1e8, 1e-8])
def test_the_length_of_a_fit_depends_on_distinct_rows(monkeypatch, weight):
    def stop(engine):
        raise RuntimeError(f"{engine.config.training.epochs} epochs of {len(engine.rows)} rows")

    monkeypatch.setattr(Engine, "fit", stop)
    y, weights = np.vstack([Y, Y, Y[:7]]), np.full(127, weight)
    weights[:9] *= 5
    with pytest.raises(RuntimeError, match=r"^200 epochs of 60 rows"):  # 400 steps of 40 rows, two a pass
        taught(epochs="auto").fit(y, sample_weight=weights)


@pytest.mark.slow
@pytest.mark.parametrize("weight", [1e4, 1e300])
def test_one_row_with_nearly_all_weight_is_a_finding(weight):
    weights = np.ones(len(Y))
    weights[5] = weight
    model = taught(epochs=2).fit(Y, sample_weight=weights)
    assert set(model.labels_) <= {0, 1, 2}
    (finding,) = (finding for finding in model.findings_ if finding.name == "one-row")
    assert finding.message.startswith(
        f"One distinct row has {weight / (weight + 59):.1%} of the total weight"
    )
    assert "one-row" not in {finding.name for finding in fit(Y, sample_weight=WEIGHTS).findings_}


def test_rows_that_are_all_the_same_can_be_fitted():
    model = taught(epochs=2).fit(np.full((9, 2), 7.0))
    assert np.isfinite(model.elbo_)
    assert len(set(model.labels_)) == 1
    with pytest.raises(ValueError, match="X has n_samples=2 with a weight above 0: there must be at least 3"):
        taught().fit(Y[:4], sample_weight=[1, 0, 0, 5])


def test_the_information_constraint_weighs_rows():
    """Without minimum information, the loss of the posterior form is the negative bound."""
    options = {"assignment": "posterior", "min_information": 0.0, "epochs": 2}
    model = taught(**options).fit(Y, sample_weight=WEIGHTS**3)
    assert model.restarts_[0]["loss"] == pytest.approx(-model.elbo_, rel=1e-9)
