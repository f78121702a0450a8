"""Names and merges are checked and applied, and change nothing else."""

import numpy as np
import pytest

from gmvae.partition.relabelling import Relabelling

EDITS = {"names": {"0": " blue  ones ", "4": "late"}, "merge": [[4, 1], [2, 3]]}


def test_merged_clusters_have_the_lowest_number():
    found = Relabelling.of(EDITS, 6)
    assert found.groups(6).tolist() == [0, 1, 2, 2, 1, 5]
    assert found.called(6) == {0: "blue ones", 1: "late"}
    q = np.random.default_rng(0).dirichlet(np.ones(6), 7)
    merged = found.merged(q)
    np.testing.assert_allclose(merged[:, 1], q[:, 1] + q[:, 4])
    np.testing.assert_allclose(merged[:, 2], q[:, 2] + q[:, 3])
    assert not merged[:, [3, 4]].any()
    np.testing.assert_array_equal(merged[:, [0, 5]], q[:, [0, 5]])
    assert Relabelling.of(found.to_json(), 6) == found


def test_without_edits_nothing_changes():
    found = Relabelling.of({}, 3)
    q = np.eye(3)
    assert found.merged(q) is q
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
    ],
)
def test_bad_edits_are_refused_in_one_line(edits, said):
    with pytest.raises(ValueError, match=said) as caught:
        Relabelling.of(edits, 4)
    assert "\n" not in str(caught.value)
