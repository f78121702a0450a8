"""The process that draws pictures: what it is asked for, in which order, and what happens when it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from io import BytesIO
from threading import Thread

import pytest

from gmvae.show import pictures, process
from gmvae.show.process import MAXIMUM, DrawingProcess
from gmvae.show.request import Request

FAKE = """
import os, sys, time
from pathlib import Path
from gmvae.show.request import Request
may, log = map(Path, sys.argv[1:])
while (request := Request.read(sys.stdin.buffer)) is not None:
    with log.open("a") as file:
        file.write(f"{' '.join(request.names)} {request.size}\\n")
    while not may.exists():
        time.sleep(0.01)
    os.write(1, b"drawn\\n")
"""
"""Writes down what it is asked for, and draws nothing. It ends its first request when a file is there."""


def request(size: int, *names: str, kept: bool = False, plots="plots") -> Request:
    """A request that can be recognised by its size."""
    suffixes = ["", f"-{size}"] if kept else [""]
    return Request(str(plots), names or ("bound",), suffixes, b"", (), None, "metrics.jsonl", size, 1)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """The file that lets the process go on, and a function that returns what it was asked for."""
    may, log = tmp_path / "may", tmp_path / "log"
    log.touch()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", FAKE, may, log]
    monkeypatch.setattr(process, "start", lambda: subprocess.Popen(command, **pipes))
    return may, lambda: log.read_text().splitlines()


def started(asked) -> None:
    """Wait until the process has its first request."""
    while not asked():
        pass


def test_a_request_is_read_as_it_was_written():
    one = request(7, "latent", "bound")
    stream = BytesIO()
    for snapshot in (b"\n" * 1000, b""):
        Request(**{**vars(one), "snapshot": snapshot, "choice": {"clusters": 3}}).write(stream)
    whole = stream.getvalue()
    stream.seek(0)
    first, second, end = (Request.read(stream) for _ in range(3))
    assert (first.snapshot, second.snapshot, end) == (b"\n" * 1000, b"", None)
    assert (second.size, [*second.names], second.choice) == (7, ["latent", "bound"], {"clusters": 3})
    for cut in (10, whole.index(b"\n") + 10):  # a process that was killed while it wrote
        assert Request.read(BytesIO(whole[:cut])) is None


def test_pictures_that_a_later_request_replaces_are_left_out(fake):
    may, asked = fake
    drawing = DrawingProcess()
    drawing.ask(request(1))
    started(asked)
    drawing.ask(request(2))
    drawing.ask(request(3, kept=True))
    drawing.ask(request(4, "latent", "bound", "terms"))
    drawing.ask(request(5, "latent", "terms"))
    may.touch()
    drawing.close()
    assert asked() == ["bound 1", "bound 3", "bound 4", "latent terms 5"]


def test_few_snapshots_wait_in_memory(fake):
    may, asked = fake
    drawing = DrawingProcess()
    drawing.ask(request(0, kept=True))
    started(asked)
    for size in range(1, MAXIMUM + 1):
        drawing.ask(request(size, kept=True))
    one_more = Thread(target=drawing.ask, args=[request(MAXIMUM + 1, kept=True)], daemon=True)
    one_more.start()
    one_more.join(0.3)
    assert one_more.is_alive()
    may.touch()
    one_more.join(60)
    drawing.close()
    assert asked() == [f"bound {size}" for size in range(MAXIMUM + 2)]


def no_process():
    raise OSError("no process can be started")


@pytest.mark.parametrize(
    "code",
    [
        None,
        "",
        "import os; os.write(1, b'what?\\n'); input()",
        "import os, sys; sys.stdin.readline(); os.write(1, b'drawn\\n'); sys.stdin.readline()",
    ],
)
def test_what_a_process_cannot_draw_is_drawn_here(monkeypatch, code):
    """It does not start, ends at once, does not answer what it should, or ends with its second request."""
    drawn = []
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", code]
    monkeypatch.setattr(
        process, "start", no_process if code is None else lambda: subprocess.Popen(command, **pipes)
    )
    monkeypatch.setattr(pictures, "draw", lambda one: drawn.append(one.size))
    drawing = DrawingProcess()
    for size in (1, 2, 3):
        drawing.ask(request(size, kept=True))
    drawing.close()
    assert drawn == ([2, 3] if code and "sys" in code else [1, 2, 3])
    drawing.ask(request(4))
    assert drawn[-1] == 4


@pytest.mark.parametrize("killed", [pytest.param(False, marks=pytest.mark.slow), True])
def test_an_error_is_raised_here(tmp_path, monkeypatch, killed):
    """There are no records to draw from."""
    processes, start = [], process.start

    def started():
        processes.append(start())
        return processes[-1]

    monkeypatch.setattr(process, "start", started)
    drawing = DrawingProcess()
    drawing.ask(request(1, plots=tmp_path))
    while killed and not processes:
        pass
    if killed:
        processes[0].kill()
    with pytest.raises(FileNotFoundError, match=r"metrics\.jsonl"):
        drawing.close()
    assert processes[0].returncode is not None
    drawing.close()  # the error is raised once


def test_settings_of_matplotlib_are_kept(monkeypatch):
    import matplotlib

    drawn = []
    monkeypatch.setattr(process, "start", no_process)
    monkeypatch.setattr(pictures, "draw", lambda one: drawn.append(one.size))
    assert not process._customised()
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 17.0)
    drawing = DrawingProcess()
    drawing.ask(request(1))
    assert (drawn, drawing.thread) == ([1], None)


def test_the_process_needs_no_torch():
    code = (
        "import sys, gmvae.show.process, gmvae.show.pictures\n"
        "sys.exit(bool({'torch', 'sklearn', 'scipy', 'pandas'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="priorities and groups of POSIX")
def test_the_process_is_apart_and_gives_way():
    with process.start() as child:
        assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
        while os.getpriority(os.PRIO_PROCESS, child.pid) == os.getpriority(os.PRIO_PROCESS, 0):
            assert child.poll() is None
        child.stdin.close()
        assert child.wait(60) == 0
