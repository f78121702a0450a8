"""Processes agree on a name that no dead process had."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch.distributed import DistStoreError, HashStore

from gmvae.training.meeting import meet

LIMIT = timedelta(seconds=20)


def together(store, restarts):
    with ThreadPoolExecutor(len(restarts)) as pool:
        jobs = [pool.submit(meet, store, rank, len(restarts), n, LIMIT) for rank, n in enumerate(restarts)]
        return [job.result() for job in jobs]


def test_all_have_the_same_name_and_each_meeting_another():
    store = HashStore()
    first, second = together(store, [0, 0, 0]), together(store, [0, 1, 0])
    assert len(set(first)) == len(set(second)) == 1
    assert first[0].name != second[0].name
    assert not first[0].restarted
    assert second[0].restarted  # the second machine's launcher counts the restart, the others' do not


def test_what_a_process_left_that_died_before_the_meeting_is_ignored():
    store = HashStore()
    with pytest.raises((DistStoreError, RuntimeError)):
        meet(store, 1, 3, 0, timedelta(seconds=0.05))  # it came, but the others did not
    assert len(set(together(store, [0, 0, 0]))) == 1


def test_a_missing_process_is_named():
    with pytest.raises(TimeoutError, match="of 2 processes, number 1 did not come"):
        meet(HashStore(), 0, 2, 0, timedelta(seconds=0.05))
