"""Reports in a browser: they open without an error, and all controls work."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from commands import here
from small_fits import taught, three_blobs

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(browser):
    """Opens a report; at the end there must be no error message and no network request."""
    said, asked, pages = [], [], []

    def opened(path: Path, width: int = 1280, scheme: str = "light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def downloaded(page, button: str) -> str:
    with page.expect_download() as waiting:
        page.click(button)
    return Path(waiting.value.path()).read_text()


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def blobs_report(tmp_path_factory):
    """A report on blobs; the model, its rows and their labels."""
    path = tmp_path_factory.mktemp("blobs") / "report.html"
    y, labels = three_blobs()
    model = taught(epochs=20, resamples=5).fit(y)
    model.report(y, path, labels=np.array(["low", 'mid, "so"', "high"])[labels])
    return path, model, y, labels


def test_all_rows_as_csv(opened, blobs_report):
    path, model, y, labels = blobs_report
    rows = table(downloaded(opened(path), "#csv"))
    assert [int(row["row"]) for row in rows] == list(range(240))
    assert [int(row["cluster"]) for row in rows] == model.predict(y).tolist()
    assert [row["label"] for row in rows] == np.array(["low", 'mid, "so"', "high"])[labels].tolist()
    np.testing.assert_allclose(
        [float(r["probability"]) for r in rows], model.predict_proba(y).max(1), rtol=1e-5
    )
    np.testing.assert_allclose([float(r["log_density"]) for r in rows], model.score_samples(y), rtol=1e-5)
    np.testing.assert_allclose([float(r["stability"]) for r in rows], model.confidence(y), rtol=1e-5)
    np.testing.assert_allclose([[float(r[f"y{d}"]) for d in range(3)] for r in rows], y, rtol=1e-6)
    x = model.transform(y)
    np.testing.assert_allclose(
        [[float(r["map_x"]), float(r["map_y"])] for r in rows], x, rtol=1e-5, atol=1e-6
    )


def test_a_card_selects_its_rows_and_they_go_into_a_file(opened, blobs_report):
    path, model, y, _ = blobs_report
    page = opened(path)
    page.click('button.show[data-cluster="1"]')
    mine = np.flatnonzero(model.predict(y) == 1)
    assert page.inner_text("#selected") == f"{len(mine)} rows are selected."
    assert [int(row["row"]) for row in table(downloaded(page, "#csv"))] == mine.tolist()
    page.click("#clear")
    assert page.inner_text("#selected") == "No rows are selected."


def test_the_lasso_selects_what_it_encloses(opened, blobs_report):
    page = opened(blobs_report[0])
    page.evaluate("plot.toolbar.active_drag = plot.toolbar.tools.find(t => t.type === 'LassoSelectTool')")
    box = page.locator("#chart-0").bounding_box()
    left, top = box["x"] + 60, box["y"] + 50
    right, below = box["x"] + box["width"] - 10, box["y"] + box["height"] - 40
    page.mouse.move(left, top)
    page.mouse.down()
    for place in ((right, top), (right, below), (left, below), (left, top + 5)):
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    page.wait_for_function("document.getElementById('selected').textContent.startsWith('240 rows')")


def test_a_row_is_found_and_hovered_over(opened, blobs_report):
    path, model, y, _ = blobs_report
    page = opened(path)
    page.fill("#find", "7")
    page.press("#find", "Enter")
    detail = page.inner_text("#detail")
    assert "row 7" in detail
    assert f"{model.predict_proba(y)[7].max():.3f}" in detail
    page.click("#clear")
    page.evaluate("plot.x_range.setv({start: rows.data.x[9] - 1e-3, end: rows.data.x[9] + 1e-3})")
    page.evaluate("plot.y_range.setv({start: rows.data.y[9] - 1e-3, end: rows.data.y[9] + 1e-3})")
    page.wait_for_timeout(500)
    middle = page.evaluate(
        """(() => {
            const view = Bokeh.index.get_by_id(plot.id), place = view.el.getBoundingClientRect();
            return [place.x + view.frame.bbox.x_center, place.y + view.frame.bbox.y_center];
        })()"""
    )
    page.mouse.move(middle[0] - 30, middle[1])
    page.mouse.move(*middle, steps=5)
    page.wait_for_function("document.getElementById('detail').textContent.includes('row 9')")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (320, "dark")])
def test_colours_and_views_change_and_nothing_is_wider_than_the_window(opened, blobs_report, width, scheme):
    page = opened(blobs_report[0], width, scheme)
    names = page.locator("#colour option").all_inner_texts()
    assert names == ["cluster", "probability", "log density, nats", "stability", "label", "y0", "y1", "y2"]
    for name in names:
        page.select_option("#colour", label=name)
    page.select_option("#colour", label="label")
    assert page.inner_text("#scale").split() == ["high", "low", "mid,", '"so"']
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    assert page.evaluate("plot.background_fill_color") == ("#15181c" if dark else "#fff")


def test_long_names_fit_into_a_narrow_window(opened, tmp_path):
    y, _ = three_blobs()
    model = taught(n_clusters=5, epochs=2).fit(y)  # which shares rows between clusters, so there is a tree
    names = {"0": "n" * 200, "1": "two words " * 20}
    model.relabel({"names": names}).report(y, tmp_path / "r.html")
    page = opened(tmp_path / "r.html", 320)
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    assert page.locator(".tree li").count() > 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert max(map(len, page.evaluate("centres.data.text"))) < 40


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(opened, blobs_report, faults, scheme):
    assert faults(opened(blobs_report[0], scheme=scheme)) == []


def test_names_and_merges_become_a_file_that_predict_uses(opened, blobs_report):
    path, model, y, _ = blobs_report
    page = opened(path)
    page.fill('#names input[data-cluster="0"]', "blue ones")
    page.select_option('#names select[data-cluster="2"]', "0")
    edits = json.loads(downloaded(page, "#export"))
    assert edits == {"names": {"0": "blue ones"}, "merge": [[0, 2]]}
    assert page.evaluate("centres.data.text[0]") == "0 · blue ones"
    before = model.predict_proba(y)
    merged = model.relabel(edits).predict_proba(y)
    model.relabel(None)
    np.testing.assert_allclose(merged[:, 0], before[:, 0] + before[:, 2])


def test_a_split_is_shown_and_becomes_a_file_that_predict_uses(opened, tmp_path):
    path = tmp_path / "r.html"
    y, _ = three_blobs()
    model = taught(n_clusters=2, epochs=2).fit(y)
    model.report(y, path)
    page = opened(path)
    wide = page.evaluate("page.proposals.reduce((a, b) => a.rows[1] > b.rows[1] ? a : b)")
    k, rows = wide["split"]["cluster"], wide["rows"]
    page.check(f'[data-split="{k}"]')
    new = page.evaluate("Math.max(...page.used)")
    assert page.evaluate(f"of(i => rows.data.cluster[i] === {new}).length") == rows[1]
    page.fill(f'#names input[data-cluster="{new}"]', "the other half")
    assert any("the other half" in text for text in page.evaluate("centres.data.text"))
    edits = json.loads(downloaded(page, "#export"))
    assert edits == {"names": {"2": "the other half"}, "merge": [], "split": [wide["split"]]}
    before = model.predict(y)
    after = model.relabel(edits).predict(y)
    assert (after == 2).sum() == rows[1]
    assert set(before[after == 2]) == {k}
    model.report(y, path)  # the next report has the part, and can merge it back
    page = opened(path)
    assert "the other half" in page.inner_text("#clusters")
    page.select_option('#names select[data-cluster="2"]', str(k))
    undone = json.loads(downloaded(page, "#export"))
    assert undone["merge"] == [[k, 2]]
    np.testing.assert_array_equal(model.relabel(undone).predict(y), before)


def test_the_map_and_its_csv_follow_merges_of_the_form(opened, blobs_report):
    page = opened(blobs_report[0])
    before = np.array(page.evaluate("[...rows.data.cluster]"))
    page.select_option('#names select[data-cluster="2"]', "1")
    after = np.array(page.evaluate("[...rows.data.cluster]"))
    np.testing.assert_array_equal(after, np.where(before == 2, 1, before))
    assert len(page.evaluate("centres.data.text")) == 2
    saved = list(csv.DictReader(downloaded(page, "#csv").splitlines()))
    assert {row["cluster"] for row in saved} == {"0", "1"}
    page.click('button.show[data-cluster="2"]')
    assert page.evaluate("rows.selected.indices.length") == int((after == 1).sum())


def test_a_merge_can_be_taken_back_in_the_next_report(opened, tmp_path):
    y, _ = three_blobs()
    model = taught().fit(y)
    before = model.predict(y)
    model.relabel({"names": {"2": "few"}, "merge": [[1, 2]]}).report(y, tmp_path / "r.html")
    page = opened(tmp_path / "r.html")
    assert "1 · few" in page.evaluate("centres.data.text")
    assert page.evaluate("[...rows.data.cluster]") == model.predict(y).tolist()
    page.select_option('#names select[data-cluster="2"]', "2")
    assert page.evaluate("[...rows.data.cluster]") == before.tolist()
    edits = json.loads(downloaded(page, "#export"))
    assert edits["merge"] == []
    np.testing.assert_array_equal(model.relabel(edits).predict(y), before)


def test_merges_of_clusters_without_rows_are_kept(opened, tmp_path):
    y, _ = three_blobs()
    model = taught(n_clusters=6, epochs=1).fit(y)
    empty = np.flatnonzero(np.bincount(model.predict(y), minlength=6) == 0).tolist()
    if len(empty) < 2:  # name a cluster that has no rows among those of the report
        y = y[np.isin(model.predict(y), (0, 1, 2))]
        empty = [4, 5]
    model.relabel({"merge": [empty[:2]]}).report(y, tmp_path / "r.html")
    page = opened(tmp_path / "r.html")
    assert json.loads(downloaded(page, "#export"))["merge"] == [empty[:2]]


def test_a_split_that_is_taken_back_leaves_no_edit(opened, blobs_report):
    page = opened(blobs_report[0])
    before = page.evaluate("[...rows.data.cluster]")
    box = page.locator("[data-split]").first
    box.check()
    assert page.evaluate("[...rows.data.cluster]") != before
    page.locator("[data-split]").first.uncheck()
    assert page.evaluate("[...rows.data.cluster]") == before
    assert "split" not in json.loads(downloaded(page, "#export"))


def test_the_tree_is_cut_and_copied_into_merges(opened, tmp_path):
    y, _ = three_blobs()
    path = tmp_path / "r.html"
    model = taught(n_clusters=5, epochs=2).fit(y)  # which still shares rows between clusters
    model.report(y, path)
    page = opened(path)
    first = page.evaluate("page.merges[0]")
    page.focus("#cut")
    page.keyboard.press("ArrowRight")
    assert f"{first[0]}, {first[1]} are merged" in page.inner_text("#groups")
    page.click("#take")
    assert json.loads(downloaded(page, "#export"))["merge"] == [sorted(first)]


def test_a_spiral(opened, tmp_path):
    run = tmp_path / "spiral"
    assert here("train", "spiral", "--epochs", "2", "--points", "500", "--run-dir", run).status == 0
    assert here("report", run, "-o", tmp_path / "r.html").status == 0
    page = opened(tmp_path / "r.html")
    assert page.locator("#view").count() == 0  # x has two dimensions
    assert page.locator(".charts .chart canvas, .charts .chart .bk-Figure").count() > 0


def test_a_table_with_texts_and_labels(opened, tmp_path):
    rng = np.random.default_rng(0)
    kind = rng.integers(2, size=90)
    lines = ["id,a,b,colour,kind"]
    for i, k in enumerate(kind):
        colour = ("<i>red</i>", '"blue, ""so"""')[k]
        lines.append(f"n{i},{rng.normal(6 * k):.6f},{rng.normal():.6f},{colour},{'xy'[k]}")
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    run = tmp_path / "run"
    flags = ["--clusters=2", "--epochs=3", "--text=one-hot", "--id-column=id", "--label-column=kind"]
    assert here("train", "data", "--path", tmp_path / "t.csv", *flags, "--run-dir", run).status == 0
    assert here("report", run, "-o", tmp_path / "r.html").status == 0
    page = opened(tmp_path / "r.html")
    assert page.locator("#view option").all_inner_texts() == ["UMAP of x", "PCA of x"]
    page.select_option("#view", "1")
    rows = table(downloaded(page, "#csv"))
    assert [row["id"] for row in rows] == [f"n{i}" for i in range(90)]
    assert [row["label"] for row in rows] == ["xy"[k] for k in kind]
    assert [row["colour"] for row in rows] == [("<i>red</i>", 'blue, "so"')[k] for k in kind]
    for name in page.locator("#colour option").all_inner_texts():
        page.select_option("#colour", label=name)
    page.fill("#find", "n5")
    page.press("#find", "Enter")
    assert ("<i>red</i>", 'blue, "so"')[kind[5]] in page.inner_text("#detail")


def test_pictures(opened, small_mnist, tmp_path):
    run, flags = tmp_path / "run", ["--epochs=1", "--clusters=4", "--hidden-size=32", "--filters=2"]
    said = here("train", "mnist", *flags, "--data-dir", small_mnist, "--run-dir", run)
    assert said.status == 0, said.err
    assert here("report", run, "-o", tmp_path / "r.html").status == 0
    page = opened(tmp_path / "r.html")
    tiles = page.locator(".card .tile:visible")
    assert tiles.count() >= 20
    page.locator("details summary", has_text="Styles").first.click()
    page.fill("#find", "30")
    page.press("#find", "Enter")
    shown = page.locator("#detail .tile").screenshot()
    from PIL import Image

    assert np.asarray(Image.open(io.BytesIO(shown)).convert("L")).std() > 20
