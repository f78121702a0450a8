"""Measures, compared with exhaustive search and cases worked out by hand."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from gmvae.partition.metrics import (
    aae_accuracy,
    agreement,
    agreements,
    calibration_error,
    clusters_used,
    consensus,
    hungarian_accuracy,
)


def one_hot(clusters, n_clusters):
    return np.eye(n_clusters)[clusters]


@pytest.mark.parametrize("n_clusters", [2, 4, 6])
def test_hungarian_accuracy_is_the_best_matching(n_clusters):
    rng = np.random.default_rng(n_clusters)
    labels, clusters = rng.integers(4, size=50), rng.integers(n_clusters, size=50)
    size = max(4, n_clusters)
    best = max(
        np.mean(np.array(matching)[clusters] == labels) for matching in permutations(range(size), size)
    )
    assert hungarian_accuracy(labels, clusters) == pytest.approx(best)


def test_hungarian_accuracy_takes_any_labels():
    assert hungarian_accuracy([-7, -7, 900, 900], [1, 1, 0, 0]) == 1


def test_aae_accuracy_gives_each_cluster_the_label_of_its_most_confident_member():
    labels = np.array([5, 5, 8, 8])
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.9, 0.05, 0.05], [0.1, 0.6, 0.3]])
    # cluster 0 takes 8 from row 2, cluster 1 takes 5 from row 1; rows fall into 0, 1, 0, 1
    assert aae_accuracy(labels, probabilities) == 0.5


def test_aae_accuracy_lets_clusters_share_a_label_where_hungarian_does_not():
    labels, clusters = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    assert aae_accuracy(labels, one_hot(clusters, 3)) == 1
    assert hungarian_accuracy(labels, clusters) == pytest.approx(4 / 6)


def test_one_observation_makes_a_cluster_used():
    assert clusters_used(np.repeat([0, 1, 5], [880, 100, 1])) == 3
    assert clusters_used(np.zeros(9, dtype=np.int64)) == 1


def test_agreement_of_equal_and_of_unrelated_partitions():
    labels = np.arange(5000) % 5
    assert agreement(labels, one_hot((labels + 2) % 5, 8)) == pytest.approx(
        {"acc": 1, "acc_aae": 1, "nmi": 1, "ari": 1}
    )
    unrelated = agreement(labels, one_hot(np.random.default_rng(0).permutation(labels), 8))
    assert unrelated["nmi"] < 0.01
    assert abs(unrelated["ari"]) < 0.01


def test_agreements_of_several_partitions():
    partitions = np.random.default_rng(1).integers(0, 3, (4, 50))
    found = agreements(partitions)
    expected = [[adjusted_rand_score(a, b) for b in partitions] for a in partitions]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_agreement_needs_a_label_for_each_row():
    with pytest.raises(ValueError, match=r"labels have shape \(3,\), probabilities \(4, 2\)"):
        agreement([0, 1, 1], np.full((4, 2), 0.5))


def test_calibration_error_by_hand():
    """Confidence 0.8 in four cases and 0.95 in two; two matchings are equally good."""
    sure = np.array([[0.2, 0.8], [0.2, 0.8], [0.8, 0.2], [0.2, 0.8], [0.05, 0.95], [0.05, 0.95]])
    labels = [0, 0, 1, 1, 1, 1]
    # cluster 1 holds labels 0, 0, 1, 1, 1 and cluster 0 holds label 1: three are right, whichever is which
    found = calibration_error(labels, sure)
    either = (abs(3 / 4 - 0.8) * 4 + abs(0 - 0.95) * 2) / 6, (abs(1 / 4 - 0.8) * 4 + abs(1 - 0.95) * 2) / 6
    assert found == pytest.approx(either[0]) or found == pytest.approx(either[1])


def test_calibrated_probabilities_have_no_calibration_error():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 200_000)
    labels = np.where(rng.uniform(size=len(confidence)) < confidence, 1, 0)
    assert calibration_error(labels, np.stack((1 - confidence, confidence), 1)) < 0.01
    assert calibration_error(labels, np.tile([0.0, 1.0], (len(labels), 1))) == pytest.approx(0.25, abs=0.01)


def test_consensus_is_the_mean_agreement_with_the_others():
    a, b, c = [0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]
    far = adjusted_rand_score(a, c)
    np.testing.assert_allclose(consensus([a, b, c]), [(1 + far) / 2, (1 + far) / 2, far])
    one = consensus([a, [0, 0, 0, 0], [0, 0, 0, 0]])
    assert one[1] == one[2] == 0  # though these two are the same
