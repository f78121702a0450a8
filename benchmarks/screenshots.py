"""Take the pictures of a report for docs/images in a browser.

    python benchmarks/screenshots.py [--browser /usr/bin/chromium] [--out docs/images]

It trains on scikit-learn's wine data, writes a report, and takes two pictures: of the map with one row
selected, and of a cluster's card.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

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
        for name in ("report.png", "report-card.png"):
            Image.open(given.out / name).convert("RGB").quantize(128).save(given.out / name, optimize=True)
            print(given.out / name)
        started.close()


if __name__ == "__main__":
    main()
