"""Measure what it costs a run to be followed by gmvae watch, how soon the page is there, and its delay.

    python benchmarks/watching.py [--repeats 5] [--seconds 15] [--client browser] [--browser PATH]

A run of the spiral is alternately left alone and followed by a client, for some seconds each. The client is a
browser that shows the page, or a process that receives what a browser would get, and draws nothing (--client
messages). The cost is how much longer an epoch takes while the run is followed: the median over neighbouring
periods of the same run, so that other work on the machine counts little. A browser takes cores and memory
bandwidth for what it draws; the other client shows what the page itself costs. Each pair of periods is a line
of benchmarks/results/watching.jsonl.
"""

from __future__ import annotations

import argparse
import json
import re
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

from gmvae.show.watching import GONE

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
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--client", choices=["browser", "messages"], default="browser")
    parser.add_argument("--browser", type=Path, default=Path("/usr/bin/chromium"))
    given = parser.parse_args()
    wanted = [
        {"client": given.client, "pair": pair, "period": given.seconds}
        for pair in range(1, given.repeats + 1)
    ]
    with trained() as runs:
        found = complete(RESULTS, wanted, partial(measure, runs=runs, browser=given.browser))
    costs = [one["watched"] / one["alone"] - 1 for one in found]
    each = ", ".join(f"{cost:.1%}" for cost in costs)
    print(f"an epoch takes {statistics.median(costs):.1%} longer if watched ({each})")
    print(f"server up after {statistics.median(one['ready'] for one in found):.1f} s, of which imports take")
    print(f"{statistics.median(one['imports'] for one in found):.1f} s")
    if given.client == "browser":
        print(f"an epoch shows after {statistics.median(one['behind'] for one in found):.1f} s")
        print(f"a new browser shows the page after {statistics.median(one['page'] for one in found):.1f} s")


@contextmanager
def trained() -> Iterator[Path]:
    """A folder with a run of the spiral in progress, and one that has ended."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        runs = Path(folder)
        subprocess.run(command(runs / "ended", 1), check=True, stdout=subprocess.DEVNULL)
        training = subprocess.Popen(command(runs / "watched", 10**6), stdout=subprocess.DEVNULL)
        stack.callback(training.wait)
        stack.callback(training.kill)
        while not (runs / "watched" / "metrics.jsonl").exists():
            time.sleep(0.05)
        yield runs


def measure(client: str, pair: int, period: float, *, runs: Path, browser: Path) -> dict[str, Any]:  # noqa: ARG001
    """Seconds of an epoch of the run in progress, alone and watched, and of the server's start. With a
    browser, also the seconds until it shows the run, and how long after it is written an epoch shows."""
    records = runs / "watched" / "metrics.jsonl"
    alone = epoch_seconds(records, period / 2)
    with ExitStack() as stack:
        began = time.perf_counter()
        serve = [sys.executable, "-m", "gmvae", "watch", str(runs), "--no-browser", "--port", "0"]
        server = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        address = re.match(r"\S+", server.stdout.readline())
        assert address is not None
        ready = time.perf_counter() - began
        stack.callback(server.communicate)
        stack.callback(server.terminate)
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
        watched = epoch_seconds(records, period)
    time.sleep(GONE + 1)
    alone = (alone + epoch_seconds(records, period / 2)) / 2
    return {"alone": alone, "watched": watched, "ready": ready, "imports": imports(), **shown}


def epoch_seconds(records: Path, period: float) -> float:
    """Mean seconds of the epochs that are recorded in the next ``period`` seconds."""
    before = len(records.read_bytes().splitlines())
    time.sleep(period)
    lines = records.read_bytes().splitlines()[before + 1 : -1]
    return statistics.fmean(json.loads(line)["seconds"] for line in lines)


def imports() -> float:
    """Seconds that the imports of the server take."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import gmvae.show.live.server"], check=True)
    return time.perf_counter() - began


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


def command(run: Path, epochs: int) -> list[str]:
    """The command that trains on the spiral."""
    options = {"epochs": epochs, "threads": 1, "run-dir": run}
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    return [sys.executable, "-m", "gmvae", "train", "spiral", *flags]


if __name__ == "__main__":
    main()
