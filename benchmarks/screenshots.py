"""Take the pictures of a report and of gmvae watch for docs/images in a browser.

    python benchmarks/screenshots.py [--browser /usr/bin/chromium] [--out docs/images]

It trains on scikit-learn's wine data, writes a report, and takes three pictures: of the map with one row
selected, of a cluster's card, and of the page that follows two runs, one finished and one in progress.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_wine

from gmvae import GMVAE

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--browser", type=Path, default=Path("/usr/bin/chromium"))
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "images")
    given = parser.parse_args()
    from playwright.sync_api import sync_playwright

    wine = load_wine(as_frame=True)
    model = GMVAE(n_clusters=3, epochs=300, random_state=0).fit(wine.data)
    labels = np.array(["Barolo", "Grignolino", "Barbera"])[wine.target]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as p:
        path = Path(folder) / "report.html"
        model.report(wine.data, path, labels)
        started = p.chromium.launch(executable_path=given.browser, args=["--no-sandbox"])
        page = started.new_page(viewport={"width": 1200, "height": 1000})
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        page.fill("#find", "83")
        page.press("#find", "Enter")
        page.click("#clear")
        page.wait_for_timeout(500)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=given.out / "report.png")
        page.locator(".card").first.screenshot(path=given.out / "report-card.png")
        wine.data.to_csv(Path(folder) / "wine.csv", index=False)
        watch(started, Path(folder), given.out / "watch.png")
        for name in ("report.png", "report-card.png", "watch.png"):
            picture = Image.open(given.out / name).convert("RGB")
            # small dots of a legend must keep their colours
            picture.quantize(256, Image.Quantize.MAXCOVERAGE).save(given.out / name, optimize=True)
            print(given.out / name)
        started.close()


def watch(browser: Any, folder: Path, out: Path) -> None:
    """Take a picture of the page that follows two runs on wine.csv in a folder. Names are relative to it, so
    the picture has no path of this machine."""

    def call(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "gmvae", *arguments]
        return subprocess.Popen(
            command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    train = ("train", "data", "--path", "wine.csv")
    call(*train, "--clusters", "3", "--epochs", "300", "--run-dir", "runs/three").communicate()
    training = call(*train, "--clusters", "4", "--epochs", "9999", "--run-dir", "runs/four")
    server = call("watch", "runs", "--no-browser", "--port", "0")
    try:
        records = folder / "runs" / "four" / "metrics.jsonl"
        while not records.exists() or len(records.read_bytes().splitlines()) < 150:
            time.sleep(0.1)
        assert server.stdout is not None
        address = re.match(r"\S+", server.stdout.readline())
        assert address is not None
        page = browser.new_page(viewport={"width": 1200, "height": 1660})
        page.goto(address.group())
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        page.locator(".slick-row", has_text="runs/four").click()
        page.wait_for_function(
            "page !== null && page.title === 'runs/four' && rows.data.number.length === 178"
        )
        page.fill("#find", "83")
        page.press("#find", "Enter")
        page.click("#clear")
        page.mouse.move(0, 0)
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        page.wait_for_timeout(1000)
        page.screenshot(path=out)
    finally:
        for process in (training, server):
            process.terminate()
            process.communicate()


if __name__ == "__main__":
    main()
