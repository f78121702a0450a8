"""Two machines train one model together. Each is a network namespace; a virtual cable joins them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from together import FORMS, same_steps_as_one_process, work

pytestmark = pytest.mark.slow
IP = shutil.which("ip")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
ENDPOINT = f"{ADDRESSES[0]}:29400"
LIMIT = 300


def ip(*arguments):
    said = subprocess.run([IP, *arguments], capture_output=True, text=True, timeout=20)
    if said.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {said.stderr.strip()}")
    return said.stdout


@pytest.fixture(scope="module")
def machines():
    """The names of two namespaces, which reach each other and nothing else."""
    if IP is None:
        pytest.skip("network namespaces need the command ip")
    names = [f"gmvae-{os.getpid()}-{number}" for number in (1, 2)]
    with ExitStack() as stack:
        try:
            for name in names:
                ip("netns", "add", name)
                stack.callback(ip, "netns", "del", name)
                stack.callback(end_all, name)
            ends = [["name", "cable", "netns", name] for name in names]
            ip("link", "add", *ends[0], "type", "veth", "peer", *ends[1])
            for name, address in zip(names, ADDRESSES, strict=True):
                ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
                for device in ("lo", "cable"):
                    ip("-n", name, "link", "set", device, "up")
            ip("netns", "exec", names[0], sys.executable, "-c", "")
        except OSError as error:
            pytest.skip(f"network namespaces are not permitted here ({error})")
        yield names


def end_all(name):
    """End all processes of a namespace."""
    for number in ip("netns", "pids", name).split():
        with suppress(ProcessLookupError):
            os.kill(int(number), signal.SIGKILL)


def start(machines, arguments, *options):
    """Start torchrun with one process on each machine."""
    jobs = []
    for name, address in zip(machines, ADDRESSES, strict=True):
        launch = [IP, "netns", "exec", name, sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
        launch += ["--nproc-per-node", "1", "--rdzv-backend", "c10d", "--rdzv-endpoint", ENDPOINT]
        # neither machine has a name that the other one knows
        launch += ["--rdzv-conf", f"is_host={address == ADDRESSES[0]}", "--local-addr", address, *options]
        environment = os.environ | {"GLOO_SOCKET_IFNAME": "cable"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        jobs.append(subprocess.Popen([*launch, *arguments], **pipes, text=True, env=environment))
    return jobs


def wait(machines, jobs):
    """What both printed, once they have ended without an error."""
    try:
        said = [job.communicate(timeout=LIMIT)[0] for job in jobs]
    finally:
        for name in machines:
            end_all(name)
        for job in jobs:
            job.communicate()
    assert not any(job.returncode for job in jobs), "\n".join(said)
    return said


def sent(name):
    """How many bytes a machine has sent through the cable."""
    (cable,) = json.loads(ip("-n", name, "-json", "-statistics", "link", "show", "cable"))
    return cable["stats64"]["tx"]["bytes"]


@pytest.mark.parametrize("form", FORMS)
def test_two_machines_take_the_steps_of_one_process(machines, tmp_path, form):
    before = [sent(name) for name in machines]
    wait(machines, start(machines, work(tmp_path, form)))
    same_steps_as_one_process(tmp_path, form)
    weights = sum(value.nbytes for value in torch.load(tmp_path / "state.pt")[0].values())
    for name, count in zip(machines, before, strict=True):
        assert sent(name) - count > 8 * weights  # the gradients of eight steps


def test_two_machines_restart_from_the_last_checkpoint_if_a_process_of_the_second_dies(machines, tmp_path):
    """The launcher of the first machine does not count this restart. Both machines stream, and share the
    disk."""
    table, run = tmp_path / "rows.npy", tmp_path / "run"
    np.save(table, np.random.default_rng(0).normal(size=(20_000, 5)))
    flags = ["--path", str(table), "--clusters", "3", "--stream", "--init", "random", "--epochs", "3"]
    flags += ["--checkpoint-every", "0.5", "--plot-every", "0", "--run-dir", str(run)]
    jobs = start(machines, ["-m", "gmvae", "train", "data", *flags], "--max-restarts", "1")
    try:
        until = time.monotonic() + LIMIT
        while not (run / "checkpoint" / "state.safetensors").exists() and time.monotonic() < until:
            assert all(job.poll() is None for job in jobs)
            time.sleep(0.1)
        assert len(list(tmp_path.glob(".gmvae-rows*"))) == 2
        children = Path(f"/proc/{jobs[1].pid}/task/{jobs[1].pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
    finally:
        said = wait(machines, jobs)
    assert "".join(said).count("20,000 observations from disk") == 2  # the header of each start
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert not list(tmp_path.glob(".gmvae-rows*"))
