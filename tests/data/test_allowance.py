"""What the process may use decides, not what the machine has."""

import os
import subprocess
import sys

import pytest
import torch
from pyarrow import parquet, table

from gmvae import inputs
from gmvae.data import allowance, scratch

MIB = 1 << 20


def write(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, None),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": f"{8 * MIB}\n"}, 8),
        (  # the smallest limit of the groups above it
            {
                "proc/self/cgroup": "0::/a/b/c\n",
                "sys/fs/cgroup/a/memory.max": f"{5 * MIB}\n",
                "sys/fs/cgroup/a/b/memory.max": "max\n",
                "sys/fs/cgroup/a/b/c/memory.max": f"{8 * MIB}\n",
                "sys/fs/cgroup/other/memory.max": f"{MIB}\n",
            },
            5,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{6 * MIB}\n"}, 6),
        ({"proc/self/cgroup": "0::/../../x\n", "sys/fs/cgroup/memory.max": f"{6 * MIB}\n"}, 6),
        (  # version 1; the path is that outside the container
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/docker/f00\n4:hugetlb,memory:/docker/f00\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{7 * MIB}\n",
            },
            7,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/a/b\n0::/a/b\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": f"{9 * MIB}\n",
            },
            9,
        ),
    ],
)
def test_memory_is_that_of_the_container(tmp_path, monkeypatch, files, limit):
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    write(tmp_path, files)
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert allowance.memory(tmp_path) == (whole if limit is None else limit * MIB)


def test_the_processes_on_a_machine_share_its_memory(tmp_path, monkeypatch):
    write(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": str(8 * MIB)})
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert allowance.memory(tmp_path) == 2 * MIB


def test_a_process_may_have_less_than_the_machine():
    """A real limit, which counts for one process, in a process of its own."""
    program = (
        "import resource, os; resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28)); "
        "os.environ['LOCAL_WORLD_SIZE'] = '2'; from gmvae.data.allowance import memory; print(memory())"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert int(said.stdout) == 1 << 28, said.stderr


def test_rows_are_streamed_if_they_are_large_for_the_process(tmp_path, monkeypatch):
    from gmvae.config import Config, DataConfig

    monkeypatch.chdir(tmp_path)
    parquet.write_table(table({"a": [1.0, 2.0, 3.0, 4.0], "b": [1.0, 0.5, 3.0, 4.0]}), "t.parquet")
    config = Config(data=DataConfig(dataset="file", path="t.parquet"))
    size = 4 * 2 * 8
    for limit, streamed in ((8 * size, False), (2 * size, True)):
        monkeypatch.setattr(allowance, "memory", lambda limit=limit: limit)
        found, _, prepared = inputs.gather(config, torch.device("cpu"))
        assert found.data.stream == bool(prepared.rows.window) == streamed
    scratch.remove_all()
