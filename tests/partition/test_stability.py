"""Stability compared with hand calculation; numbers of clusters compared with known ones."""

import numpy as np
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.preprocessing import StandardScaler

from gmvae.partition.stability import NEARLY, STABLE, Choice, choose, decide, stability
from gmvae.show.stability import of_numbers
from gmvae.start.methods import arcs, groups, means


def test_stability_is_the_smallest_overlap_of_a_cluster():
    """By hand, on the four rows in both samples: one has clusters {0, 1} and {2, 3}, the other {0} and
    {1, 2, 3}. The best overlaps are 1/2 and 2/3 in either direction, so the smallest is 1/2."""
    a = np.array([0, 0, 1, 1, 1, -1])
    b = np.array([1, 0, 0, 0, -1, 0])
    assert stability([a, b], 2) == pytest.approx(0.5)
    assert stability([a, 1 - a * (a >= 0) - 2 * (a < 0)], 2) == 1  # other numbers, the same clusters


def test_a_missing_cluster_has_no_overlap():
    """From two clusters to one the overlap is 1 / 2, from the empty one 0; the median is between."""
    a = np.array([0, 0, 1, 1])
    assert stability([a, np.zeros(4, np.int64)], 2) == pytest.approx((1 / 2 + 0) / 2)


def test_the_greatest_stable_number_is_chosen():
    sure = decide([2, 3, 4, 5], np.array([0.7, 0.9, 0.6, 0.5]))
    assert (sure.clusters, sure.sure) == (3, True)
    assert "3 is the greatest number" in sure.reason
    near = decide([2, 3, 4, 5], np.array([1.0, 0.9, 0.78, 0.5]))
    assert (near.clusters, near.sure) == (3, False)
    assert near.reason.endswith("rivals are 2 (1.00), 4 (0.78)")
    scales = decide([2, 3, 4, 5], np.array([0.95, 0.5, 0.3, 0.9]))
    assert (scales.clusters, scales.sure) == (5, False)
    assert scales.reason.endswith("rivals are 2 (0.95)")


def test_a_number_less_stable_than_a_smaller_one_must_be_worth_it():
    curve = np.array([1.0, 1.0, 0.96, 0.5])
    assert decide([2, 3, 4, 5], curve).clusters == 4
    assert decide([2, 3, 4, 5], curve, lambda k, fewer: (k, fewer) != (4, 3)).clusters == 3
    never = lambda k, fewer: False  # noqa: E731
    assert decide([2, 3, 4, 5], curve, never).clusters == 3  # 3 is as stable as 2
    assert decide([2, 3, 4, 5], np.array([0.5, 0.86, 0.75, 0.97]), never).clusters == 5


def test_it_is_reported_if_no_number_is_stable():
    none = decide([2, 3, 4], np.array([0.3, 0.6, 0.5]))
    assert (none.clusters, none.sure) == (3, False)
    assert none.reason.startswith("no number of clusters is stable: the closest is 3 (stability 0.60 of 1")
    noise = decide([2, 3, 4], np.array([0.3, 0.59, 0.5]))
    assert (noise.clusters, noise.sure) == (1, False)
    assert noise.reason.startswith(
        "no number of clusters is found again in other samples of the data: the closest"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("load", "rivals"), [(load_iris, [2]), (load_wine, [])])
def test_three_kinds_of_flowers_and_of_wines_are_counted(load, rivals):
    """Two kinds of flowers are so similar that two clusters are stable too."""
    rows = StandardScaler().fit_transform(load().data).astype(np.float32)
    shares = []
    found = choose([(means, [rows], 10)], 8, 0, shares.append)
    assert (found.clusters, found.sure) == (3, not rivals), found.reason
    close = [k for k, s in found.curve if k != 3 and s >= (NEARLY if k > 3 else STABLE)]
    assert close == rivals
    assert [k for k, _ in found.curve] == list(range(2, 9))
    assert shares == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_noise_is_one_cluster_and_not_sure(seed):
    rows = np.random.default_rng(seed).normal(size=(300, 30)).astype(np.float32)
    found = choose([(means, [rows], 10)], 6, 0)
    assert (found.clusters, found.sure) == (1, False)
    narrow = choose([(means, [rows[:, :5]], 10)], 6, 0)  # in few dimensions even halves of noise are stable
    assert not narrow.sure


def arms(count: int = 5, each: int = 240) -> np.ndarray:
    """Arcs around a centre, side by side, each longer than its distance from the next."""
    rng = np.random.default_rng(0)
    along = rng.uniform(0.4, 1.2, (count, each))
    turn = 2 * np.pi * np.arange(count)[:, None] / count + 2 * along
    flat = np.stack((along * np.cos(turn), along * np.sin(turn)), -1)
    return (flat + 0.02 * rng.normal(size=flat.shape)).reshape(-1, 2).astype(np.float32)


@pytest.mark.slow
def test_arms_are_counted_along_their_manifold():
    """Which arms are adjacent in an embedding decides whether fewer clusters are stable, too, and so whether
    the answer is sure."""
    found = choose([(arcs, [arms()], 3)], 8, 0)
    assert found.clusters == 5, found.reason
    assert dict(found.curve)[5] > 0.95 > 0.65 > max(s for k, s in found.curve if k > 5)


@pytest.mark.slow
def test_groups_of_different_shape_are_counted_by_neighbour_edges():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1200, 6)) * rng.uniform(0.2, 1, (6, 6))[np.arange(1200) % 6]
    rows += 8 * np.eye(6)[np.arange(1200) % 6]
    found = choose([(groups, [rows.astype(np.float32)], 3)], 10, 0)
    assert (found.clusters, found.sure) == (6, True), found.reason


@pytest.mark.parametrize(
    ("stray", "answer", "samples"),
    [
        ({3}, (3, False), 8),  # without the fourth sample 3 is stable, as in most sets of eight
        ({3, 4, 5, 6, 7}, (2, True), 8),
        (set(range(8)), (2, True), 4),  # 2, whichever sample is left out
        (set(), (3, False), 4),
    ],
)
def test_an_answer_that_depends_on_one_sample_doubles_the_samples(stray, answer, samples):
    """Two halves that are always found, and three clusters that differ in a few samples."""
    rows = np.arange(120, dtype=np.float32)[:, None]

    def method(values, counts, seed):
        place = values[:, 0].astype(int)
        strange = np.random.default_rng(seed).integers(3, size=120)
        thirds = strange[place] if seed in stray else place // 40
        return [(place >= 60).astype(np.int64), thirds.astype(np.int64)]

    shares = []
    found = choose([(method, [rows], 4)], 3, 0, shares.append)
    assert (found.clusters, found.sure) == answer
    assert len(shares) == samples + 1
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_two_samples_are_enough_for_an_answer():
    rows = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    rows[::2] += 20
    assert choose([(means, [rows], 2)], 3, 0).clusters == 2


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="there are 9 rows: too few to choose"):
        choose([(means, [np.zeros((9, 2), np.float32)], 3)], 5, 0)


def test_the_picture_shows_the_curve_and_what_was_chosen():
    choice = Choice(3, False, "", ((2, 0.5), (3, 0.9), (4, 0.8))).to_json()
    axes = of_numbers(choice).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[2, 0.5], [3, 0.9], [4, 0.8]])
    np.testing.assert_array_equal(axes.lines[1].get_xydata(), [[3, 0.9]])
    assert "not sure" in axes.get_title()
