"""Rows of a table: a survey in one pass agrees with numpy on all rows, and draws follow the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from gmvae.data import chunks, observations
from gmvae.data.observations import Observations
from gmvae.data.scales.scaling import dividing, standardising
from gmvae.data.survey import Survey

CPU = torch.device("cpu")


@pytest.fixture
def table(monkeypatch):
    """A table with more rows than a chunk, some of them twice, and some columns far from 0."""
    monkeypatch.setattr(chunks, "CHUNK", 21)
    y = np.random.default_rng(0).normal(size=(50, 3)) * [1, 100, 1e-3] + [0, 1e6, 5]
    y[30:35] = y[:5]
    return y


def test_a_survey_finds_what_numpy_finds(table):
    weights = np.random.default_rng(1).integers(0, 4, 50).astype(float)
    found, copies = Survey.of(table, weights), np.repeat(table, weights.astype(int), axis=0)
    # weights have 24 binary digits
    np.testing.assert_allclose((found.moments.mean - copies.mean(0)) / copies.std(0), 0, atol=1e-7)
    np.testing.assert_allclose(found.moments.deviation, copies.std(0), rtol=1e-7)
    np.testing.assert_array_equal(
        [found.moments.minimum, found.moments.maximum], [copies.min(0), copies.max(0)]
    )
    distinct, counts = np.unique(copies, axis=0, return_counts=True)
    assert len(found.order) == len(distinct)
    ours = np.argsort(table[found.order][:, 0])
    np.testing.assert_array_equal(table[found.order][ours], distinct)
    np.testing.assert_allclose(found.weights[ours], counts / counts.max(), rtol=1e-6)


def test_a_survey_does_not_depend_on_order_type_or_form(table):
    table = table.astype(np.float32) * (table > 0)
    first = Survey.of(table, np.ones(50))
    order = np.random.default_rng(2).permutation(50)
    for other in (
        table[order],
        table.astype(np.float64),
        sparse.csr_array(table),
        np.where(table == 0, -0.0, table),
    ):
        again = Survey.of(other, np.ones(50))
        values = other.toarray() if sparse.issparse(other) else other
        assert again.fingerprint == first.fingerprint
        np.testing.assert_array_equal(values[again.order], table[first.order])
        ours, theirs = standardising(again.moments), standardising(first.moments)
        subset = values[:9].astype(float)
        np.testing.assert_array_equal(ours.apply(subset), theirs.apply(subset))


def test_binarity_counts_by_weight():
    y = np.array([[0.0, 1.0], [0.5, 0.0], [1.0, 1.0]])
    assert Survey.of(y, np.ones(3)).moments.binarity == pytest.approx((1 / 6) / (1 / 4))
    assert Survey.of(y, np.array([1.0, 0, 1])).moments.binarity == 1
    assert not Survey.of(y, np.ones(3)).moments.binary
    assert Survey.of(np.eye(3), np.ones(3)).moments.binary


def test_scaling_and_back(table):
    scaling = standardising(Survey.of(table, np.ones(50)).moments)
    scaled = scaling.apply(table)
    np.testing.assert_allclose([scaled.mean(0), scaled.std(0)], [[0] * 3, [1] * 3], atol=2e-6)
    np.testing.assert_allclose(scaling.undo(scaled), table, rtol=1e-12)
    np.testing.assert_allclose(scaling.log_dets(scaled), -np.log(table.std(0)).sum(), rtol=1e-6)


def test_a_pass_has_each_row_once_if_weights_are_equal(table):
    for weight in (1.0, 1e8, 1e-8):
        ours = Observations(table, dividing(3), (3,), CPU, np.arange(50)[::-1], np.full(50, weight))
        assert len(ours) == 50
        drawn = ours[torch.randperm(50)]
        assert drawn.dtype == torch.float32
        np.testing.assert_array_equal(np.sort(drawn[:, 0]), np.sort(table[:, 0].astype(np.float32)))
    alone = Observations(table, dividing(3), (3,), CPU, np.array([7]))
    assert len(alone) == 2  # which batch norm takes
    np.testing.assert_array_equal(alone[torch.arange(2)], table[[7, 7]].astype(np.float32))


def test_rows_are_drawn_in_proportion_to_their_weight():
    torch.manual_seed(0)
    weights = np.array([0.01, 0.2, 0.5, 0.04, 0.25])
    ours = Observations(np.arange(5.0)[:, None], dividing(1), (1,), CPU, None, 1e8 * weights)
    assert len(ours) == 5
    passes = 2400
    drawn = np.concatenate([ours[torch.randperm(5)].numpy()[:, 0] for _ in range(passes)])
    shares = np.bincount(drawn.astype(int), minlength=5) / len(drawn)
    np.testing.assert_array_less(abs(shares - weights), 4.5 * np.sqrt(weights / len(drawn)))


def test_subsets_are_of_distinct_rows(table, monkeypatch):
    survey = Survey.of(table, np.ones(50))
    whole = Observations(table, dividing(3), (3,), CPU, survey.order, survey.weights)
    rest, subset = whole.split(0.2, np.random.RandomState(0))
    assert len(subset.order) == 9
    assert sorted([*rest.order, *subset.order]) == sorted(survey.order)
    # rows that occur twice have weight 1
    assert rest.weights.sum() + subset.weights.sum() == 25
    (values,) = whole.sample(7).batches(100)
    np.testing.assert_array_equal(values, table[survey.order[:7]])
    assert values.dtype == torch.float64
    monkeypatch.setattr(observations, "SAMPLE", 16)  # fewer if rows are wide: five rows of three numbers
    assert len(whole.sample(7).order) == 5


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_small_tables_are_scaled_once_to_the_same_numbers(table, kind, monkeypatch):
    scaling = standardising(Survey.of(table, np.ones(50)).moments)
    drawn, positions = [], torch.from_numpy(np.random.default_rng(0).permutation(30))
    for limit in (observations.SMALL, 0):
        monkeypatch.setattr(observations, "SMALL", limit)
        rows = Observations(kind(table), scaling, (3,), CPU, np.arange(40)[::-1].copy())
        rows.generator = torch.Generator().manual_seed(0)
        drawn += [rows[positions], rows.part(np.arange(5, 35))[positions]]
    assert torch.equal(drawn[0], drawn[2])
    assert drawn[0].stride() == drawn[2].stride()  # products of other layouts round differently
    assert torch.equal(drawn[1], drawn[3])
    assert not torch.equal(drawn[0], drawn[1])
