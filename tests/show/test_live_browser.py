"""The page that follows runs, in a browser, beside real processes that train."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

TRAIN = ["train", "data", "--clusters", "3", "--hidden-size", "32", "--checkpoint-every", "0"]


def process(*arguments, out=subprocess.DEVNULL) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gmvae", *map(str, arguments)]
    return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def served(tmp_path):
    """Starts to watch a folder, and returns the page's address."""
    servers = []

    def served(*paths):
        watching = process("watch", *paths, "--no-browser", "--port", "0", out=subprocess.PIPE)
        servers.append(watching)
        return re.match(r"http://\S+", watching.stdout.readline()).group()

    yield served
    for one in servers:
        one.send_signal(signal.SIGINT)
        assert "Traceback" not in one.communicate(timeout=60)[0]
        assert one.returncode == 130


@pytest.fixture
def table(tmp_path):
    from small_fits import three_blobs

    path = tmp_path / "blobs.csv"
    y, _ = three_blobs()
    path.write_text("a,b,c\n" + "".join(",".join(map(str, row)) + "\n" for row in y))
    return path


def epochs_shown(page) -> dict[str, int]:
    """The epochs of each run, read from the table in the browser."""
    rows = [row.split("\n") for row in page.locator(".slick-row").all_inner_texts()]
    whole = [row for row in rows if len(row) > 4]  # a row that is being drawn has fewer cells
    return {run.split("/")[-1]: int(epoch) for _, run, _, _, epoch, *_ in whole}


def choose(page, name: str) -> bool:
    """Click on a run's row, and return whether only its latent space is shown then. A row that is redrawn
    between press and release of the button gets no click."""
    page.locator(".slick-row", has_text=f"/{name}").click()
    shown = page.evaluate("""() => Bokeh.documents[0].roots()[0].children[2].children
        .map(plot => plot.title.text)""")
    return len(shown) == 1 and shown[0].endswith(f"/{name}")


def until(check, seconds: float = 120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def written(run) -> int:
    path = run / "metrics.jsonl"
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def test_two_runs_are_followed_through_kill_resume_and_deletion(browser, served, table, tmp_path):
    runs = tmp_path / "runs"
    trained = [
        process(*TRAIN, "--path", table, "--epochs", "100000", "--run-dir", runs / name)
        for name in ("one", "two")
    ]
    try:
        until(lambda: all(written(runs / name) > 3 for name in ("one", "two")))
        page = browser.new_page(viewport={"width": 1320, "height": 800}, color_scheme="dark")
        said = []
        page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        loads = []
        page.on("load", lambda *_: loads.append(1))
        page.goto(served(runs))
        page.wait_for_selector("h1", timeout=60_000)
        until(lambda: set(epochs_shown(page)) == {"one", "two"})

        trained[0].kill()
        trained[0].wait()
        last = written(runs / "one")
        until(lambda: epochs_shown(page).get("one", 0) == last)
        before = epochs_shown(page).get("two", 0)
        until(lambda: epochs_shown(page).get("two", 0) > before)

        until(lambda: choose(page, "one"))

        trained.append(process("resume", runs / "one"))
        until(lambda: epochs_shown(page).get("one", 0) > last)

        trained[1].kill()
        trained[1].wait()
        shutil.rmtree(runs / "two")
        until(lambda: set(epochs_shown(page)) == {"one"})
        page.set_viewport_size({"width": 320, "height": 800})
        until(lambda: page.evaluate("document.documentElement.scrollWidth") <= 320)
        assert loads == [1]
        assert said == []
        page.close()
    finally:
        for one in trained:
            one.kill()
            one.wait()


def test_each_epoch_shows_once_it_is_written(browser, served, table, tmp_path, faults):
    run = tmp_path / "run"
    done = process(*TRAIN, "--path", table, "--epochs", "3", "--run-dir", run)
    assert done.wait(timeout=120) == 0
    page = browser.new_page()
    page.goto(served(run))
    page.wait_for_selector("h1", timeout=60_000)
    until(lambda: epochs_shown(page) == {"run": 3})
    record = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    for epoch in range(4, 8):
        with open(run / "metrics.jsonl", "a") as file:
            file.write(json.dumps(record | {"epoch": epoch}) + "\n")
        until(lambda epoch=epoch: epochs_shown(page) == {"run": epoch})
    assert faults(page) == []
    page.close()
