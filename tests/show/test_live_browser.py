"""The page that follows runs, in a browser, beside real processes that train."""

from __future__ import annotations

import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from overviews import NAMES, overview

from gmvae.store.files import write_arrays, write_sealed

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
    return {run.split("/")[-1]: int(epoch or 0) for _, run, _, _, epoch, *_ in whole}


SEE_EPOCHS = """
  seen = {};
  const parts = e => [e, ...(e.shadowRoot ? whole(e.shadowRoot) : [])];
  const whole = root => [...root.querySelectorAll("*")].flatMap(parts);
  const look = () => {
    const row = whole(document).find(e => e.matches(".slick-row"));
    if (row) seen[row.children[4].textContent] ??= Date.now();
    setTimeout(look, 20);
  };
  look();
"""
"""Notes when each epoch is first in the table of runs, in milliseconds since 1970."""


def choose(page, name: str) -> bool:
    """Click on a run's row, and return whether its map and cards are shown then. A row that is redrawn
    between press and release of the button gets no click."""
    page.locator(".slick-row", has_text=f"/{name}").click()
    return page.inner_text("#lead-title").endswith(f"/{name}")


def epoch_of_map(page) -> int:
    """The epoch of the map and of the cards."""
    return int(re.search(r"epoch (\d+)\.", page.inner_text("#lead"))[1])


def complains(message) -> bool:
    """Whether a message in the console is a complaint, but not the graphics driver's own."""
    return message.type in ("error", "warning") and "GL Driver Message" not in message.text


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
        page.on("console", lambda m: complains(m) and said.append(m.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        loads = []
        page.on("load", lambda *_: loads.append(1))
        page.goto(served(runs))
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        until(lambda: set(epochs_shown(page)) == {"one", "two"})
        titles = "Bokeh.documents[0].get_model_by_name('beside').children.map(chart => chart.title?.text)"
        until(lambda: [str(text).split("/")[-1] for text in page.evaluate(titles)] == ["one", "two"])

        trained[0].kill()
        trained[0].wait()
        last = written(runs / "one")
        until(lambda: epochs_shown(page).get("one", 0) == last)
        before = epochs_shown(page).get("two", 0)
        until(lambda: epochs_shown(page).get("two", 0) > before)

        until(lambda: choose(page, "one") and page.evaluate(titles) == [None])

        trained.append(process("resume", runs / "one"))
        until(lambda: epochs_shown(page).get("one", 0) > last)

        trained[1].kill()
        trained[1].wait()
        shutil.rmtree(runs / "two")
        until(lambda: set(epochs_shown(page)) == {"one"})
        until(lambda: page.inner_text("#lead-title").endswith("/one"))
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
    page.wait_for_selector("html[data-ready]", timeout=60_000)
    until(lambda: epochs_shown(page) == {"run": 3})
    record = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    page.evaluate(f"() => {{ {SEE_EPOCHS} }}")
    delays = []
    for epoch in range(4, 11):
        with open(run / "metrics.jsonl", "a") as file:
            file.write(json.dumps(record | {"epoch": epoch}) + "\n")
        began = time.time()
        until(lambda epoch=epoch: epochs_shown(page) == {"run": epoch})
        delays.append(page.evaluate(f"seen[{epoch}]") / 1000 - began)
        time.sleep(0.07 * epoch)  # another moment between two looks of the server
    assert min(delays) > -0.1
    assert statistics.median(delays) < 2, delays
    page.evaluate("changes = 0; Bokeh.documents[0].on_change(() => changes++)")
    page.wait_for_timeout(1500)
    assert page.evaluate("changes") == 0  # while nothing is written, nothing moves
    assert faults(page) == []
    page.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (320, "dark")])
def test_the_map_and_the_cards_of_a_run_in_progress_are_those_of_a_report(
    browser, served, table, tmp_path, faults, width, scheme
):
    run = tmp_path / "run"
    training = process(*TRAIN, "--path", table, "--epochs", "100000", "--run-dir", run)
    try:
        until(lambda: written(run) > 3)
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        said = []
        page.on("console", lambda m: complains(m) and said.append(m.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(served(run))
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        until(lambda: page.evaluate("page !== null && rows.data.number.length > 40"))
        assert page.locator(".card").count() == 3
        assert page.locator("#colour option").all_inner_texts() == [
            "cluster", "probability", "log density, nats", "a", "b", "c",
        ]  # fmt: skip
        page.select_option("#colour", label="b")
        page.click('button.show[data-cluster="1"]')
        chosen = page.evaluate("rows.data.cluster.filter(k => k === 1).length")
        assert page.inner_text("#selected") == f"{chosen} rows are selected."
        page.locator("#cluster-1 summary").first.click()
        numbers = "[rows.selected.indices.map(i => rows.data.number[i]), [...rows.data.number]]"
        (before, _), epoch, chart = page.evaluate(numbers), epoch_of_map(page), page.evaluate("plot.id")
        until(lambda: epoch_of_map(page) > epoch)
        after, there = page.evaluate(numbers)
        assert after == [number for number in before if number in there]
        assert after
        assert page.evaluate("plot.id") == chart
        assert page.locator("#cluster-1 details").first.get_attribute("open") is not None
        assert page.locator("#colour option:checked").inner_text() == "b"
        with page.expect_download() as waiting:
            page.click("#csv")
        lines = Path(waiting.value.path()).read_text().splitlines()
        assert len(lines) > 1
        assert lines[0].startswith("row,cluster,probability")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        paper = {"light": "#fff", "dark": "#15181c"}[scheme]
        assert page.evaluate("plot.background_fill_color") == paper
        training.kill()  # or the page would change while it is examined
        training.wait()
        assert faults(page) == []
        assert said == []
        page.close()
    finally:
        training.kill()
        training.wait()


def test_the_cut_of_the_tree_of_merges_outlives_an_update(browser, served, tmp_path):
    for name in ("one", "two"):
        write_sealed(tmp_path / "runs" / name / "config.json", {"data": NAMES, "choice": None})
        write_arrays(tmp_path / "runs" / name / "plots" / "overview.npz", asdict(overview()))
    page = browser.new_page()
    page.goto(served(tmp_path / "runs"))
    page.wait_for_selector("html[data-ready]", timeout=60_000)
    until(lambda: page.locator("#cut").count() == 1)
    page.focus("#cut")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#groups") == "1 clusters: 0, 1 are merged."
    line = page.get_attribute("#cut-line", "x1")
    assert float(line) > 0
    answer = tmp_path / "runs" / "one" / "watch" / "overview.npz"
    for epoch in (2, 3):  # the second one is drawn into what the first one renewed
        write_arrays(answer, asdict(overview(80, epoch, epoch)))
        until(lambda epoch=epoch: epoch_of_map(page) == epoch)
        assert page.input_value("#cut") == "1"
        assert page.inner_text("#groups") == "1 clusters: 0, 1 are merged."
    page.focus("#cut")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#groups") == "No clusters are merged."
    page.keyboard.press("ArrowRight")
    page.get_by_label("Run in detail").select_option(label=str(tmp_path / "runs" / "two"))
    until(lambda: page.inner_text("#lead-title").endswith("/two"))
    assert page.inner_text("#groups") == "No clusters are merged."
    page.close()
