"""Measure what it costs a run to be followed by gmvae watch, how soon the page is there, and its delay.

    python benchmarks/watching.py [--repeats 5] [--epochs 400] [--client browser] [--browser PATH]

Two runs of the spiral are trained, one after the other: the first alone, the second while a client follows
it. The client is a browser that shows the page, or a process that receives what a browser would get, and
draws nothing (--client messages). A browser on the same cores slows training by what it draws; the other
client shows what the page itself costs. The cost is the additional CPU time of the second run, as a share of
the first's: the median over pairs. It is the CPU time of the process that trains. Each pair is a line of
benchmarks/results/watching.jsonl.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from records import complete

RESULTS = Path(__file__).parent / "results" / "watching.jsonl"
CLIENT = """
import sys, time
from bokeh.client import pull_session
session = pull_session(url=sys.argv[1])
print("connected", flush=True)
while session.connected:
    session.force_roundtrip()
    time.sleep(0.1)
"""
ROWS = """() => [...Bokeh.documents[0]._all_models.values()]
    .find(m => m.type === "DataTable").source.get_length()"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--client", choices=["browser", "messages"], default="browser")
    parser.add_argument("--browser", type=Path, default=Path("/usr/bin/chromium"))
    given = parser.parse_args()
    wanted = [
        {"client": given.client, "pair": pair, "epochs": given.epochs} for pair in range(1, given.repeats + 1)
    ]
    found = complete(RESULTS, wanted, partial(measure, browser=given.browser))
    cost = statistics.median(one["watched"] / one["alone"] - 1 for one in found)
    print(f"cost of being watched: {cost:.1%} of the CPU time of training, {len(found)} pairs")
    print(f"server up after {statistics.median(one['ready'] for one in found):.1f} s, imports included")
    if given.client == "browser":
        print(f"an epoch shows after {statistics.median(one['behind'] for one in found):.1f} s")
        print(f"a new browser shows the page after {statistics.median(one['page'] for one in found):.1f} s")


def measure(client: str, pair: int, epochs: int, browser: Path) -> dict[str, Any]:
    """CPU seconds of training alone and watched; with a browser, also the seconds until it shows the run, and
    how long after it is written an epoch shows."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        runs = Path(folder)
        alone = cpu_seconds(start(runs / "alone", epochs, pair))
        training = start(runs / "watched", epochs, pair)
        while not (runs / "watched" / "metrics.jsonl").exists():
            time.sleep(0.05)
        began = time.perf_counter()
        command = [sys.executable, "-m", "gmvae", "watch", str(runs), "--no-browser", "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        address = re.match(r"\S+", server.stdout.readline())
        assert address is not None
        ready = time.perf_counter() - began
        stack.callback(server.communicate)
        stack.callback(server.send_signal, signal.SIGINT)
        records = runs / "watched" / "metrics.jsonl"
        shown = {}
        if client == "browser":
            page = stack.enter_context(opened(browser, address.group()))
            shown["page"] = round(time.perf_counter() - began, 2)
            shown["behind"] = round(statistics.median(behind(page, records) for _ in range(5)), 2)
        else:
            follower = subprocess.Popen(
                [sys.executable, "-c", CLIENT, address.group()], stdout=subprocess.PIPE
            )
            stack.callback(follower.wait)
            stack.callback(follower.kill)
            assert follower.stdout is not None
            assert follower.stdout.readline() == b"connected\n"
        watched = cpu_seconds(training)
    return {"alone": round(alone, 2), "watched": round(watched, 2), "ready": round(ready, 2), **shown}


@contextmanager
def opened(browser: Path, address: str) -> Iterator[Any]:
    """The page in a browser, as soon as its table has both runs."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        flags = ["--no-sandbox", "--disable-gpu"]
        page = p.chromium.launch(executable_path=browser, args=flags).new_page(
            viewport={"width": 1320, "height": 910}
        )
        page.goto(address)
        page.wait_for_function(f"window.Bokeh && Bokeh.documents.length && ({ROWS})() === 2")
        yield page


def behind(page: Any, records: Path) -> float:
    """Seconds from when an epoch is written until the table in the browser shows it, or a later one."""
    before = len(records.read_bytes().splitlines())
    while (epoch := len(records.read_bytes().splitlines())) == before:
        time.sleep(0.005)
    written = records.stat().st_mtime
    shown = 0
    while shown < epoch:
        texts = page.locator(".slick-row").all_inner_texts()
        cells = [text.split("\n") for text in texts if "watched" in text]
        shown = next((int(row[4]) for row in cells if len(row) > 4), 0)
    return time.time() - written


def start(run: Path, epochs: int, seed: int) -> subprocess.Popen[bytes]:
    """A process that trains on the spiral."""
    options = {"epochs": epochs, "seed": seed, "threads": 1, "run-dir": run}
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "gmvae", "train", "spiral", *flags]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process, and return the CPU seconds that it took."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"training ended with status {process.returncode}")
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
