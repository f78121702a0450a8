"""Names, merges and splits are checked and applied, and change nothing else."""

import numpy as np
import pytest

from gmvae.partition.relabelling import Relabelling

SPLIT = {"cluster": 1, "direction": [2.0, 0.0], "offset": -1.0, "share": 0.25}
EDITS = {"names": {"0": " blue  ones ", "4": "late"}, "merge": [[4, 1], [2, 3]]}


def test_merged_clusters_have_the_lowest_number():
    found = Relabelling.of(EDITS, 6, 2)
    assert found.groups(6).tolist() == [0, 1, 2, 2, 1, 5]
    assert found.called(6) == {0: "blue ones", 1: "late"}
    q = np.random.default_rng(0).dirichlet(np.ones(6), 7)
    merged = found.applied(q, q)
    np.testing.assert_allclose(merged[:, 1], q[:, 1] + q[:, 4])
    np.testing.assert_allclose(merged[:, 2], q[:, 2] + q[:, 3])
    assert not merged[:, [3, 4]].any()
    np.testing.assert_array_equal(merged[:, [0, 5]], q[:, [0, 5]])
    assert Relabelling.of(found.to_json(), 6, 2) == found


def test_splits_come_before_merges_and_can_follow_one_another():
    second = {"cluster": 4, "direction": [0.0, 1.0], "offset": 0.0, "share": 0.5}
    found = Relabelling.of({"split": [SPLIT, second], "merge": [[0, 5]], "names": {"5": "far"}}, 4, 2)
    assert Relabelling.of(found.to_json(), 4, 2) == found
    assert found.components(4).tolist() == [0, 1, 2, 3, 1, 1]
    assert found.groups(4).tolist() == [0, 1, 2, 3, 4, 0]
    assert found.called(4) == {0: "far"}
    rng = np.random.default_rng(0)
    q, x = rng.dirichlet(np.ones(4), 7), rng.normal(size=(7, 2))
    one, two = 1 / (1 + np.exp(1 - 2 * x[:, 0])), 1 / (1 + np.exp(-x[:, 1]))
    wanted = [q[:, 0] + q[:, 1] * one * two, q[:, 1] * (1 - one), q[:, 2], q[:, 3], q[:, 1] * one * (1 - two)]
    np.testing.assert_allclose(found.applied(q, x), np.stack([*wanted, 0 * one], 1), atol=1e-12)
    np.testing.assert_allclose(found.shares(np.full(4, 0.25)), [0.28125, 0.1875, 0.25, 0.25, 0.03125, 0])


def test_rows_of_a_merged_cluster_know_where_they_came_from():
    q = np.array([[0.3, 0.2, 0.1, 0.4], [0.1, 0.2, 0.3, 0.4], [0.1, 0.1, 0.1, 0.7], [0.2, 0.3, 0.2, 0.3]])
    found = Relabelling.of({"merge": [[0, 2]]}, 4, 2)
    assert found.applied(q, q[:, :2]).argmax(1).tolist() == [0, 0, 3, 0]
    assert found.single(q, q[:, :2]).tolist() == [0, 2, 3, 0]


def test_without_edits_nothing_changes():
    found = Relabelling.of({}, 3, 2)
    q = np.eye(3)
    assert found.applied(q, q) is q
    assert not found
    assert found.called(3) == {}


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"merges": []}, "not of the form"),
        ([1], "not of the form"),
        ({"names": ["a"]}, "strings by number"),
        ({"names": {"0": 3}}, "strings by number"),
        ({"merge": [1, 2]}, "list of lists"),
        ({"merge": [[0, 9]]}, "cluster 9: it must be a whole number from 0 to 3"),
        ({"names": {"x": "a"}}, "cluster 'x': it must be"),
        ({"merge": [[0, 1.0]]}, "cluster 1.0: it must be"),
        ({"merge": [[0, 1], [1, 2]]}, "cluster 1 is in two groups"),
        ({"split": [1]}, "list of splits with cluster, direction, offset, share"),
        ({"split": [SPLIT | {"cluster": 4}]}, "cluster 4: it must be a whole number from 0 to 3"),
        ({"split": [SPLIT | {"direction": [1]}]}, "must have 2 numbers, those of x"),
        ({"split": [SPLIT | {"direction": [1, float("nan")]}]}, "must be numbers"),
        ({"split": [SPLIT | {"offset": "3"}]}, "must be numbers"),
        ({"split": [SPLIT | {"offset": 10**400}]}, "must be numbers"),
        ({"split": [SPLIT | {"share": 1.5}]}, "from 0 to 1"),
        ({"split": [SPLIT], "merge": [[0, 5]]}, "cluster 5: it must be a whole number from 0 to 4"),
    ],
)
def test_bad_edits_are_refused_in_one_line(edits, said):
    with pytest.raises(ValueError, match=said) as caught:
        Relabelling.of(edits, 4, 2)
    assert "\n" not in str(caught.value)
