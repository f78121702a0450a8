"""Freed memory is kept for the next step, and given back after a fit."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import json, resource
import numpy as np
from gmvae.training.memory import memory_kept

def step(blocks):
    kept = [np.ones(200_000) for _ in range(blocks)]

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        step(8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

step(8)
found = {"outside": faults()}
before = resident()
with memory_kept():
    step(8)
    found["inside"] = faults()
    with memory_kept():
        step(100)
    found["kept"] = resident() - before
found["after"] = resident() - before
print(json.dumps(found))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is not glibc's")
def test_freed_memory_is_kept_and_then_given_back():
    said = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True).stdout
    found = json.loads(said)
    assert found["inside"] < found["outside"] / 10
    assert found["kept"] > 100 * 200_000 * 8 * 0.9
    assert found["after"] < 20e6


def test_other_allocators_are_left_as_they_are(monkeypatch):
    from gmvae.training import memory

    monkeypatch.setattr(memory.sys, "platform", "darwin")
    with memory.memory_kept():
        assert memory._users == [0]
