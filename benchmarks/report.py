"""Measure how long a report takes, how large it is, and how smoothly its map moves.

    python benchmarks/report.py [--rows 1000 60000] [--threads 1] [--browser /usr/bin/chromium]

The data are a table of 20 columns, and images of 28 x 28, each with ten groups; a small model was fitted to a
part of them. The frame times are those of a pan of the map in a browser that draws without a GPU. Without the
browser, or without playwright, they are left out. Each report is a line of benchmarks/results/report.jsonl.
The script can be interrupted at any time; the next call does what is missing.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from records import complete

from gmvae import GMVAE
from gmvae.store.files import versions

RESULTS = Path(__file__).parent / "results" / "report.jsonl"
FRAMES = """() => {
    window.frames_ = [];
    const next = now => { window.frames_.push(now); requestAnimationFrame(next); };
    requestAnimationFrame(next);
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 60_000])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--browser", type=Path, default=Path("/usr/bin/chromium"))
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    wanted = [
        {"kind": kind, "rows": rows, "threads": given.threads}
        for kind in ("table", "images")
        for rows in given.rows
    ]
    results = complete(RESULTS, wanted, partial(make, browser=given.browser))
    print("| of | rows | seconds | size, MB | median frame of a pan, ms |")
    print("| --- | --- | --- | --- | --- |")
    for r in results:
        frame = "" if r["frame_ms"] is None else f"{r['frame_ms']:.0f}"
        print(f"| {r['kind']} | {r['rows']:,} | {r['seconds']:.0f} | {r['bytes'] / 1e6:.1f} | {frame} |")


def make(kind: str, rows: int, threads: int, browser: Path) -> dict[str, Any]:
    """One report: its time, its size, and the frames of its map."""
    y = table(rows) if kind == "table" else images(rows)
    shape = None if kind == "table" else (28, 28)
    options: dict[str, Any] = {"init": "kmeans", "epochs": 3, "random_state": 0, "threads": threads}
    model = GMVAE(10, image_shape=shape, **options).fit(y[:5000])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        began = time.perf_counter()
        model.report(y, path)
        seconds, size = time.perf_counter() - began, path.stat().st_size
        frame = pan(path, browser)
    return {"seconds": seconds, "bytes": size, "frame_ms": frame, "versions": versions()}


def table(rows: int) -> NDArray[np.float64]:
    """Ten round groups in 20 columns."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(10, 20)) * 3
    return centres[rng.integers(10, size=rows)] + rng.normal(size=(rows, 20))


def images(rows: int) -> NDArray[np.uint8]:
    """A bright square in one of ten places, slightly shifted and of varying brightness, on noise."""
    rng = np.random.default_rng(0)
    y = rng.integers(60, size=(rows, 28, 28)).astype(np.uint8)
    for picture, place in zip(y, rng.integers(10, size=rows), strict=True):
        top, left = 2 + 14 * (place // 5) + rng.integers(3), 4 * (place % 5) + rng.integers(3)
        picture[top : top + 7, left : left + 7] = rng.integers(120, 256)
    return y.reshape(rows, -1)


def pan(path: Path, browser: Path) -> float | None:
    """The median time between two frames while the map is dragged, ms; ``None`` without a browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if not browser.exists():
        return None
    with sync_playwright() as p:
        started = p.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        page = started.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        box = page.locator("#chart-0").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 3, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.evaluate(FRAMES)
        for step in range(60):
            page.mouse.move(x + 4 * step, y + step)
        times = page.evaluate("window.frames_")
        started.close()
    return statistics.median(np.diff(times).tolist())


if __name__ == "__main__":
    main()
